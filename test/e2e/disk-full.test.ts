/** A real file system that is really full: what was acknowledged is never lost, and supervision goes on. */

import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { StoredEvent } from '../../src/model/events.ts'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill } from '../support/processes.ts'
import { createRig, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

/** Puts ECO_HOME on a small file system of its own. @returns false where that is not allowed */
function mountSmall(rig: Rig): boolean {
  mkdirSync(rig.home, { mode: 0o700 })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m,mode=0700', 'eco-test', rig.home], { stdio: 'pipe' })
  } catch {
    return false
  }
  onTestFinished(() => void execFileSync('umount', ['-l', rig.home]))
  return true
}

function fill(path: string): void {
  const sizes = [1 << 20, 1 << 16, 1 << 12, 1]
  for (const size of sizes) {
    try {
      for (;;) appendFileSync(path, Buffer.alloc(size, 120))
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC')
    }
  }
}

async function events(rig: Rig): Promise<StoredEvent[]> {
  const { stdout } = await rig.eco(['events', '--json', '--since', '1h'])
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as StoredEvent)
}

test('a full disk stops no app, loses nothing that was acknowledged, and is told of', async (context) => {
  await using rig = await createRig()
  if (!mountSmall(rig)) {
    console.warn('SKIPPED: mounting a tmpfs is not allowed here, so a full disk is not tested')
    return context.skip()
  }
  const apps = { api: sleeper, held: sleeper }
  expect((await rig.apply({ apps })).code).toBe(0)
  const ballast = join(rig.home, 'ballast')
  fill(ballast)

  // Supervision goes on.
  const [before = 0] = await rig.pids('api')
  kill(before)
  const after = await eventually(async () => {
    const [pid = 0] = await rig.pids('api')
    expect(pid).not.toBe(before)
    expect(isRunning(pid)).toBe(true)
    return pid
  })
  // More events than the last page of their file has room for.
  for (let i = 0; i < 3; i++) expect((await rig.eco(['restart', 'held'])).code).toBe(0)
  const full = await eventually(async () => {
    const listed = await rig.eco(['ls'])
    expect(listed.stderr).toContain('The events of demo/default cannot be written: ENOSPC')
    expect(listed.stderr).toMatch(/The state of api#0.* cannot be written: ENOSPC/)
    return listed
  })
  expect(full.code).toBe(0)

  // A hold that cannot be kept is not begun.
  const [held = 0] = await rig.pids('held')
  const stop = await rig.eco(['stop', 'held'])
  expect(stop.code).toBe(5)
  expect(stop.stderr).toMatch(/holds\.json.* cannot be written: ENOSPC.* Nothing was done/)
  expect(stop.stderr).toContain('hint: free space')
  expect((await rig.app('held')).hold).toBe(null)
  expect(isRunning(held)).toBe(true)

  // An apply that cannot be remembered says so.
  const changed = { apps: { ...apps, api: { ...sleeper, restart: { max: 7 } } } }
  const apply = await rig.apply(changed)
  expect(apply.code).toBe(7)
  expect(apply.stdout + apply.stderr).toMatch(/Revision 2 could not be written.*ENOSPC/)

  // Room again: everything is written, by itself or by the next apply.
  rmSync(ballast)
  await eventually(async () => expect((await rig.eco(['ls'])).stderr).toBe(''))
  expect((await rig.apply(changed)).code).toBe(0)
  const told = await events(rig)
  expect(told.map(({ seq }) => seq)).toEqual(told.map((_, i) => i + 1))
  expect(told.find(({ event }) => event === 'events_resumed')?.data).toEqual({ lost: 0 })
  expect(told.some(({ event, instance }) => event === 'restarting' && instance === 'api#0')).toBe(true)

  kill(await rig.daemonPid())
  expect(await rig.pids('api')).toEqual([after])
  expect(await rig.pids('held')).toEqual([held])
  expect((await rig.eco(['diff', '--exit-code'])).code).toBe(0)
})

test('a daemon that is killed while the disk is full is replaced by the next command', async (context) => {
  await using rig = await createRig()
  if (!mountSmall(rig)) return context.skip()
  expect((await rig.apply({ apps: { api: sleeper } })).code).toBe(0)
  const [pid = 0] = await rig.pids('api')
  fill(join(rig.home, 'ballast'))
  kill(await rig.daemonPid())
  expect(await rig.eco(['ls', '--json'])).toMatchObject({ code: 0 })
  expect(await rig.pids('api')).toEqual([pid])
  expect(await rig.eco(['daemon', 'upgrade'])).toMatchObject({ code: 0 })
  expect(await rig.pids('api')).toEqual([pid])
  rmSync(join(rig.home, 'ballast'))
})

test('a file system that is read-only is no bug of eco', async (context) => {
  await using rig = await createRig()
  if (!mountSmall(rig)) return context.skip()
  expect((await rig.apply({ apps: { api: sleeper } })).code).toBe(0)
  expect((await rig.eco(['daemon', 'stop', '--apps'])).code).toBe(0) // what writes its log keeps it writable
  await eventually(() => void execFileSync('mount', ['-o', 'remount,ro', rig.home], { stdio: 'pipe' }))
  for (const command of [['ls'], ['start', 'api'], ['daemon', 'upgrade']]) {
    const result = await rig.eco(command)
    expect(result, command.join(' ')).toMatchObject({ code: 5, stdout: '' })
    expect(result.stderr).toMatch(/No daemon can be started with .*: EROFS[^]*hint: eco doctor/)
  }
  execFileSync('mount', ['-o', 'remount,rw', rig.home])
  expect(await rig.eco(['start', 'api'])).toMatchObject({ code: 0 })
})
