/** What the next daemon goes on with, exactly where the one before left it. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { killDaemon } from '../support/daemons.ts'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill } from '../support/processes.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

/** Many commands. */
const LONG_MS = 120_000

const sleeper = { command: ['sleep', '1000'] }

async function killInstance(pid: number): Promise<void> {
  kill(pid)
  await eventually(() => expect(isRunning(pid)).toBe(false))
}

/** Epoch ms of the starts of an app that notes them. */
function starts(rig: Rig, file = 'starts'): number[] {
  return readFileSync(join(rig.dir, file), 'utf8')
    .trim()
    .split('\n')
    .map((line) => Number(line) / 1e6)
}

test(
  'a pause before a restart goes on, and is as long as it was to be',
  async () => {
    await using rig = await createRig()
    const PAUSE_MS = 6000
    const backoff = { initial: `${PAUSE_MS}ms`, factor: 2, max: '1m', jitter: '0%' }
    const app = {
      command: ['sh', '-c', 'date +%s%N >> starts; sleep 0.3; exit 4'],
      ready: { delay: '50ms' },
      restart: { backoff },
    }
    await rig.apply({ apps: { app } })
    await eventually(async () => expect((await rig.app('app')).state).toBe('backoff'))
    const { restarts } = (await rig.app('app')).instances[0] ?? {}
    await killDaemon(rig)
    expect((await rig.app('app')).instances[0]).toMatchObject({ restarts, last_exit: { kind: 'code', code: 4 } })
    await eventually(() => expect(starts(rig)).toHaveLength(3), 30_000)
    const [, second = 0, third = 0] = starts(rig)
    expect(third - second).toBeGreaterThanOrEqual(PAUSE_MS)
  },
  LONG_MS,
)

test(
  'one that had failed for good stays so',
  async () => {
    await using rig = await createRig()
    const app = {
      command: ['sh', '-c', 'date +%s%N >> starts; exit 4'],
      restart: { max: 1, backoff: { initial: '10ms' } },
    }
    await rig.apply({ apps: { app, other: sleeper } })
    await eventually(async () => expect((await rig.app('app')).state).toBe('failed'))
    const before = await rig.app('app')
    await killDaemon(rig)
    await rig.eco(['plan']) // what a new daemon begins by itself is over by then
    expect(await rig.app('app')).toMatchObject({ state: 'failed', reason: before.reason })
    expect((await rig.app('app')).instances[0]?.restarts).toBe(1)
    expect(starts(rig)).toHaveLength(2)
  },
  LONG_MS,
)

test(
  'restarts of all daemons count together, and so does an end that nobody watched',
  async () => {
    await using rig = await createRig()
    await rig.apply({ apps: { app: { ...sleeper, restart: { max: 2, window: '1h' } } } })
    const restarted = async (count: number): Promise<number> =>
      eventually(async () => {
        const [instance] = (await rig.app('app')).instances
        expect(instance).toMatchObject({ restarts: count, state: 'running' })
        return instance?.pid ?? 0
      })
    await killInstance(await restarted(0))
    const second = await restarted(1)
    await killDaemon(rig)
    await killInstance(second)
    const third = await restarted(2)
    const events = (await rig.eco(['events'])).stdout
    expect(events).toMatch(/ended while no daemon was watching; restarting .*\(restart 2 of 2\)/)
    await killDaemon(rig)
    await rig.pids('app')
    await killInstance(third)
    await eventually(async () => expect(await rig.app('app')).toMatchObject({ state: 'failed' }))
    expect((await rig.app('app')).reason).toContain('2 restarts within 3600s of running')
  },
  LONG_MS,
)

test(
  'what ended while no daemon watched follows its restart policy; a hold of it stays a hold',
  async () => {
    await using rig = await createRig()
    const policy = (name: string): object => ({ ...sleeper, restart: { policy: name } })
    const apps = {
      always: policy('always'),
      on_failure: policy('on_failure'),
      never: policy('never'),
      held: sleeper,
      alive: sleeper,
    }
    await rig.apply({ apps })
    await rig.eco(['stop', 'held'])
    const pids = (await Promise.all(['always', 'on_failure', 'never'].map((app) => rig.pids(app)))).flat()
    const alive = await rig.pids('alive')
    await killDaemon(rig)
    for (const pid of pids) await killInstance(pid)
    await rig.eco(['plan'])
    await eventually(async () => {
      const states = Object.fromEntries((await rig.ls()).map(({ app, state }) => [app, state]))
      expect(states).toEqual({
        always: 'running',
        on_failure: 'running',
        never: 'failed',
        held: 'stopped',
        alive: 'running',
      })
    })
    expect((await rig.app('never')).reason).toBe('ended while no daemon was watching: restart policy is never')
    expect(await rig.pids('alive')).toEqual(alive)
  },
  LONG_MS,
)

for (const { verb, after } of [
  { verb: 'stop', after: 'stopped' },
  { verb: 'restart', after: 'running' },
]) {
  test(
    `a ${verb} that was under way goes on: SIGKILL at its time, and then it is ${after}`,
    async () => {
      await using rig = await createRig()
      const app = {
        script: fixture('ignore-sigterm.mjs'),
        ready: { log: '/up/' },
        stop: { timeout: '10s', drain: '0s' },
      }
      expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0 })
      const [pid = 0] = await rig.pids('app')
      const away = new AbortController()
      const command = rig.eco([verb, 'app'], { signal: away.signal })
      await eventually(() => expect(rig.output('app')).toContain('SIGTERM ignored'))
      await killDaemon(rig)
      away.abort()
      await command
      expect((await rig.app('app')).instances).toContainEqual(expect.objectContaining({ pid, state: 'stopping' }))
      await eventually(() => expect(isRunning(pid)).toBe(false), 30_000)
      await eventually(async () => expect((await rig.app('app')).state).toBe(after))
      // Asked once: the signal that the daemon before sent counts.
      expect(rig.output('app').match(/SIGTERM ignored/g)).toHaveLength(1)
      expect((await rig.eco(['events'])).stdout).toContain('did not end within 10s of SIGTERM; sent SIGKILL')
    },
    LONG_MS,
  )
}

test(
  'no line of a log is lost or written twice',
  async () => {
    await using rig = await createRig()
    rig.write(
      'counts.cjs',
      `let n = 0; setInterval(() => { for (let i = 0; i < 20; i++) console.log('line ' + n++) }, 1)`,
    )
    await rig.apply({ apps: { app: { script: 'counts.cjs' } } })
    const lines = (): string[] => rig.output('app').split('\n').slice(0, -1)
    const before = lines().length
    await killDaemon(rig)
    const dead = lines().length
    await eventually(() => expect(lines().length).toBeGreaterThan(dead + 1000))
    await rig.ls()
    const adopted = lines().length
    await eventually(() => expect(lines().length).toBeGreaterThan(adopted + 1000))
    const all = lines()
    expect(dead).toBeGreaterThan(before)
    expect(all.findIndex((line, n) => line !== `line ${n}`)).toBe(-1)
  },
  LONG_MS,
)
