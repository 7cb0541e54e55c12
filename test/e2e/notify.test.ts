/** `ready: notify`, systemd's protocol. */

import { cpSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { ECO } from '../support/binary.ts'
import { eventually } from '../support/eventually.ts'
import { environmentOf, kill } from '../support/processes.ts'
import { createRig } from '../support/rig.ts'

const SENDER = `import os, socket, sys, time
def tell(message):
  socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(message.encode(), os.environ["NOTIFY_SOCKET"])
tell("STATUS=loading the model")
time.sleep(float(sys.argv[1]))
tell("READY=1\\nSTATUS=serving")
time.sleep(1000)`

const python = (seconds: string, fields: object = {}) => ({
  command: ['python3', '-c', SENDER, seconds],
  ready: 'notify',
  ...fields,
})

test('an app is ready when it says so, in any language', async () => {
  await using rig = await createRig()
  const started = Date.now()
  expect(await rig.apply({ apps: { app: python('0.7', { instances: 2 }) } })).toMatchObject({ code: 0 })
  expect(Date.now() - started).toBeGreaterThanOrEqual(700)
  expect(await rig.app('app')).toMatchObject({ state: 'running', ready: 2 })
  const sockets = (await rig.pids('app')).map((pid) => environmentOf(pid)['NOTIFY_SOCKET'])
  expect(new Set(sockets).size).toBe(2)
  await rig.eco(['stop', 'app'])
  expect(existsSync(join(rig.home, 'notify'))).toBe(false)
})

test('what it says of itself is the reason when it is not ready in time', async () => {
  await using rig = await createRig()
  const app = python('60', { ready: { notify: true, timeout: '2s' } })
  const result = await rig.apply({ apps: { app } })
  expect(result).toMatchObject({ code: 7 })
  expect(result.stderr).toContain('waiting for READY=1; it says: loading the model')
})

test('the socket is there again after the daemon was killed', async () => {
  await using rig = await createRig()
  expect(await rig.apply({ apps: { app: python('0') } })).toMatchObject({ code: 0 })
  const [pid = 0] = await rig.pids('app')
  const path = environmentOf(pid)['NOTIFY_SOCKET'] ?? ''
  kill(await rig.daemonPid())
  expect(await eventually(() => rig.pids('app'))).toEqual([pid])
  const sent = await execa('python3', ['-c', SENDER.replace('time.sleep(1000)', ''), '0'], {
    env: { NOTIFY_SOCKET: path },
    reject: false,
  })
  expect(sent.exitCode).toBe(0)
  expect(await rig.eco(['restart', 'app'])).toMatchObject({ code: 0 })
})

test.runIf(process.getuid?.() === 0)('an app of another user reaches its socket', async () => {
  await using rig = await createRig()
  const result = await rig.apply({ apps: { app: python('0', { user: 'nobody', cwd: '/tmp' }) } })
  expect(result).toMatchObject({ code: 0 })
  expect(await rig.app('app')).toMatchObject({ state: 'running', ready: 1 })
})

test('without the package nothing is touched, and it says what to install', async () => {
  await using rig = await createRig()
  // An installation of its own, without the optional package.
  const install = join(rig.dir, 'install')
  mkdirSync(install)
  cpSync(dirname(ECO), join(install, 'dist'), { recursive: true })
  rig.write('ecosystem.yaml', { apps: { app: python('0') } })
  const result = await execa(process.execPath, [join(install, 'dist/eco.cjs'), 'apply', '--yes'], {
    cwd: rig.dir,
    env: rig.env,
    extendEnv: false,
    reject: false,
  })
  expect(result.stderr).toContain('node-unix-socket')
  expect(result.stderr).toContain('--include=optional')
  expect(result.exitCode).toBe(5)
  expect(existsSync(join(rig.home, 'scopes/demo/default/revisions'))).toBe(false)
})
