/** The whole process tree of an instance belongs to it, wherever its members went, and nobody else's ever does. */

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill, processesWith } from '../support/processes.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

function orphanOf(rig: Rig): Promise<number> {
  return eventually(() => {
    const [, pid] = /^orphan (\d+)$/m.exec(rig.output('app')) ?? []
    expect(pid).toBeDefined()
    return Number(pid)
  })
}

/** The processes that run `sleep SECONDS` for this rig. */
function sleepers(rig: Rig, seconds: number): number[] {
  return processesWith(`HOME=${rig.env['HOME']}`).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `sleep\0${seconds}\0`
    } catch {
      return false
    }
  })
}

function runtimeFiles(rig: Rig): string[] {
  const dir = join(rig.home, 'scopes/demo/default/runtime')
  return readdirSync(dir).map((name) => join(dir, name))
}

async function killDaemon(rig: Rig): Promise<void> {
  const pid = await rig.daemonPid()
  kill(pid)
  await eventually(() => expect(isRunning(pid)).toBe(false))
}

test.each([
  ['missing', (path: string) => rmSync(path)],
  ['damaged', (path: string) => writeFileSync(path, '{"format":1,')],
])('a %s runtime file does not lead to a second copy', async (_, spoil) => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: { command: ['sleep', '4711'] } } })
  const before = await rig.pids('app')
  await killDaemon(rig)
  for (const path of runtimeFiles(rig)) spoil(path)
  await rig.eco(['daemon', 'start'])
  await eventually(async () => expect(await rig.app('app')).toMatchObject({ state: 'running', ready: 1 }))
  expect(await rig.pids('app')).toEqual(before)
  expect(sleepers(rig, 4711)).toEqual(before)
  expect((await rig.eco(['stop', 'app'])).code).toBe(0)
  expect(sleepers(rig, 4711)).toEqual([])
})

test('an orphan that leads a session of its own is stopped with its instance', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: { command: ['sh', fixture('orphans.sh')], ready: { log: 'up' } } } })
  const orphan = await orphanOf(rig)
  expect(isRunning(orphan)).toBe(true)
  expect((await rig.eco(['stop', 'app'])).code).toBe(0)
  expect(isRunning(orphan)).toBe(false)
})
