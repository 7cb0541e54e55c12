/** The whole process tree of an instance belongs to it, wherever its members went, and nobody else's ever does. */

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, type TestContext } from 'vitest'
import { findCgroups, homeDigest } from '../../src/supervisor/cgroup.ts'
import { ECO } from '../support/binary.ts'
import { killDaemon } from '../support/daemons.ts'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill, processesWith } from '../support/processes.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const hasCgroups = findCgroups('/nowhere').tree !== null

/** In a cgroup of an instance. */
function isInCgroup(pid: number): boolean {
  return /\/eco-[0-9a-f]{12}\/./.test(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))
}

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

/** Starts the daemon where it can have no cgroups. @returns false when this machine does not allow to try that */
function startWithoutCgroups(rig: Rig): boolean {
  const script = `for m in $(awk '/ - cgroup2 / {print $5}' /proc/self/mountinfo); do
    umount "$m" || exit 77; done; exec "$0" "$@"`
  const args = ['-m', 'sh', '-c', script, process.execPath, ECO, 'daemon', 'start']
  return spawnSync('unshare', args, { env: rig.env as NodeJS.ProcessEnv, stdio: 'ignore' }).status === 0
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

describe.each([
  ['with a cgroup', true],
  ['without cgroups', false],
])('an instance %s', (_, inCgroup) => {
  async function rigOf(task: TestContext): Promise<Rig> {
    const rig = await createRig()
    if (!inCgroup) task.skip(!startWithoutCgroups(rig), 'needs unshare -m')
    return rig
  }

  test('takes along, when it is stopped, an orphan that leads a session of its own', async (task) => {
    await using rig = await rigOf(task)
    await rig.apply({ apps: { app: { command: ['sh', fixture('orphans.sh')], ready: { log: 'up' } } } })
    const orphan = await orphanOf(rig)
    expect(isRunning(orphan)).toBe(true)
    expect(isInCgroup(orphan)).toBe(inCgroup && hasCgroups)
    expect((await rig.eco(['stop', 'app'])).code).toBe(0)
    expect(isRunning(orphan)).toBe(false)
  })

  test('takes it along when it crashes, before its replacement starts', async (task) => {
    await using rig = await rigOf(task)
    await rig.apply({ apps: { app: { command: ['sh', fixture('orphans.sh')], ready: { log: 'up' } } } })
    const orphan = await orphanOf(rig)
    const [leader = 0] = await rig.pids('app')
    kill(leader)
    await eventually(async () => expect(await rig.pids('app')).not.toEqual([leader]))
    await eventually(async () => expect(await rig.pids('app')).toHaveLength(1))
    expect(isRunning(orphan)).toBe(false)
    await eventually(() => expect(sleepers(rig, 1000)).toHaveLength(2))
  })

  test('is stopped although it is stopped by SIGSTOP', async (task) => {
    await using rig = await rigOf(task)
    await rig.apply({ apps: { app: { script: fixture('notes-signals.mjs'), ready: { log: 'up' } } } })
    const [pid = 0] = await rig.pids('app')
    kill(pid, 'SIGSTOP')
    const started = Date.now()
    expect((await rig.eco(['stop', 'app'])).code).toBe(0)
    expect(rig.output('app')).toContain('got SIGTERM')
    expect(Date.now() - started).toBeLessThan(9000) // not by SIGKILL after the grace
  })

  test('that was adopted is replaced soon after its end, and nothing of it stays', async (task) => {
    await using rig = await rigOf(task)
    await rig.apply({ apps: { app: { command: ['sh', fixture('orphans.sh')], ready: { log: 'up' } } } })
    const orphan = await orphanOf(rig)
    const [leader = 0] = await rig.pids('app')
    await killDaemon(rig)
    if (inCgroup) await rig.eco(['daemon', 'start'])
    else startWithoutCgroups(rig)
    expect(await rig.pids('app')).toEqual([leader])
    kill(leader)
    await eventually(async () => expect(await rig.pids('app')).not.toEqual([leader]))
    await eventually(async () => expect(await rig.app('app')).toMatchObject({ state: 'running', ready: 1 }))
    expect(isRunning(orphan)).toBe(false)
    const text = JSON.stringify((await rig.eco(['describe', 'app', '--json'])).json())
    expect(text).toContain('ended')
  })

  test('whose leader ended while no daemon ran takes the rest along, and starts again', async (task) => {
    await using rig = await rigOf(task)
    await rig.apply({ apps: { app: { command: ['sh', fixture('orphans.sh')], ready: { log: 'up' } } } })
    const orphan = await orphanOf(rig)
    const [leader = 0] = await rig.pids('app')
    await killDaemon(rig)
    kill(leader)
    await eventually(() => expect(isRunning(leader)).toBe(false))
    if (inCgroup) await rig.eco(['daemon', 'start'])
    else startWithoutCgroups(rig)
    await eventually(async () => expect(await rig.app('app')).toMatchObject({ state: 'running', ready: 1 }))
    expect(isRunning(orphan)).toBe(false)
    await eventually(() => expect(sleepers(rig, 1000)).toHaveLength(2))
  })

  test('that goes into the background is told to stay in the foreground, and never runs twice', async (task) => {
    await using rig = await rigOf(task)
    const app = {
      command: ['sh', fixture('orphans.sh')],
      env: { EXIT: '0' },
      restart: { max: 2, backoff: { initial: '10ms' } },
    }
    await rig.apply({ apps: { app } })
    let most = 0
    await eventually(async () => {
      most = Math.max(most, sleepers(rig, 1000).length)
      expect(await rig.app('app')).toMatchObject({ state: 'failed' })
    }, 20_000)
    expect(most).toBeLessThanOrEqual(1)
    expect(sleepers(rig, 1000)).toEqual([])
    const orphan = [...rig.output('app').matchAll(/^orphan (\d+)$/gm)].at(-1)?.[1]
    expect((await rig.app('app')).reason).toContain(
      `exited with code 0 and left sleep 1000 (pid ${orphan}) in the background; run it in the foreground`,
    )
  })
})

test('a pid that a stranger has now is not signalled, and the app itself is found', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: { command: ['sleep', '4711'] } } })
  const before = await rig.pids('app')
  const stranger = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }).pid ?? 0
  onTestFinished(() => kill(stranger))
  await killDaemon(rig)
  const [path = ''] = runtimeFiles(rig)
  const record = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...record, process: { ...record.process, pid: stranger } }))
  await rig.eco(['daemon', 'start'])
  expect((await rig.eco(['stop', 'app'])).code).toBe(0)
  expect(before.filter(isRunning)).toEqual([])
  expect(isRunning(stranger)).toBe(true)
})

test('what runs without a record, and is not applied any more, is stopped and told', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { keep: { command: ['sleep', '4711'] } } })
  await rig.apply({ apps: { keep: { command: ['sleep', '4711'] }, gone: { command: ['sleep', '4712'] } } })
  const kept = await rig.pids('keep')
  await killDaemon(rig)
  const scope = join(rig.home, 'scopes/demo/default')
  rmSync(join(scope, 'revisions/000002.json'))
  for (const path of runtimeFiles(rig)) if (path.includes('gone')) rmSync(path)
  await rig.eco(['daemon', 'start'])
  await eventually(() => expect(sleepers(rig, 4712)).toEqual([]))
  expect(await rig.pids('keep')).toEqual(kept)
  expect(readFileSync(join(rig.home, 'daemon.log'), 'utf8')).toContain('gone is not applied; stopping it')
})

test.skipIf(!hasCgroups)('no cgroup is left when the daemon has ended with its apps', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: { command: ['sleep', '4711'], instances: 3 } } })
  const tree = findCgroups(rig.home).tree?.path ?? ''
  expect(tree).toContain(homeDigest(rig.home))
  expect(readdirSync(tree).filter((name) => name.startsWith('demo:default:app:'))).toHaveLength(3)
  await killDaemon(rig)
  for (const pid of sleepers(rig, 4711).slice(1)) kill(pid)
  await rig.eco(['daemon', 'start']) // takes one over, removes the others' cgroups, starts two
  await eventually(async () => expect(await rig.pids('app')).toHaveLength(3))
  await eventually(() => expect(readdirSync(tree).filter((name) => name.startsWith('demo:'))).toHaveLength(3))
  await rig.eco(['daemon', 'stop', '--apps'])
  await eventually(() => expect(existsSync(tree)).toBe(false))
})

test.skipIf(!hasCgroups)('a daemon that an instance starts does not end with that instance', async () => {
  await using rig = await createRig()
  await rig.eco(['daemon', 'start'])
  rig.write('daemon.pid', String(await rig.daemonPid()))
  const script = `while kill -0 $(cat daemon.pid) 2>/dev/null; do sleep 0.05; done
    "$NODE" "$ECO" daemon start; exec sleep 4712`
  const deploy = { command: ['sh', '-c', script], env: { NODE: process.execPath, ECO, ECO_HOME: rig.home } }
  await rig.apply({ apps: { app: { command: ['sleep', '4711'] }, deploy } })
  await killDaemon(rig)
  const daemon = await eventually(async () => {
    const pid = await rig.daemonPid()
    expect(pid).toBeGreaterThan(0)
    return pid
  })
  expect(isInCgroup(daemon)).toBe(false)
  expect((await rig.eco(['stop', 'deploy'])).code).toBe(0)
  expect(await rig.daemonPid()).toBe(daemon)
  expect(sleepers(rig, 4712)).toEqual([])
  expect(sleepers(rig, 4711)).toHaveLength(1)
})
