/** What a process inherits without being meant to: of the shell that happened to start the daemon, and of the daemon. */

import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ECO } from '../support/binary.ts'
import { createRig } from '../support/rig.ts'

test('a lock or pipe of the script that started the daemon is held by neither the daemon nor an app', async () => {
  await using rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { app: { command: ['sleep', '1000'] } } })
  // As in "exec 200>deploy.lock; flock 200": nothing marks it as not for others.
  const high = Array.from({ length: 197 }, () => 'ignore' as const)
  const script = spawn(process.execPath, [ECO, 'apply', '--yes'], {
    cwd: rig.dir,
    env: { ...rig.env },
    stdio: ['ignore', 'ignore', 'ignore', ...high, 'pipe'],
  })
  const lock = (script.stdio as readonly unknown[])[200] as NodeJS.ReadableStream
  lock.resume()
  const released = new Promise((done) => lock.once('end', () => done('released')))
  expect(await new Promise((done) => script.once('exit', done))).toBe(0)
  const late = new Promise((done) => setTimeout(done, 10_000, 'held by those who go on').unref())
  expect(await Promise.race([released, late])).toBe('released')
  expect(await rig.app('app')).toMatchObject({ state: 'running' })
})

test('a daemon keeps nothing of the one before that it was not given, however often it is upgraded', async () => {
  await using rig = await createRig()
  const app = { command: ['python3', '-c', SENDER], ready: 'notify' }
  await rig.apply({ apps: { app, other: { command: ['sleep', '1000'] } } })
  expect(await rig.app('app')).toMatchObject({ state: 'running', ready: 1 })
  for (let i = 0; i < 3; i++) expect(await rig.eco(['daemon', 'upgrade'])).toMatchObject({ code: 0 })
  expect(strays(await rig.daemonPid()).length).toBeLessThanOrEqual(1)
})

const SENDER = `import os, socket, time
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
time.sleep(1000)`

/** Descriptors that the processes it starts would inherit. */
function strays(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .filter((fd) => Number(fd) > 2)
    .filter((fd) => {
      const [, flags = ''] = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8')) ?? []
      return (Number.parseInt(flags, 8) & 0o2000000) === 0
    })
    .map((fd) => `${fd} ${readlinkSync(`/proc/${pid}/fd/${fd}`)}`)
}
