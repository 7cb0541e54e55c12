/** Cron apps: when they run, what happens when a run is not over, and what is remembered. */

import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { AppDescription, ListedRun } from '../../src/daemon/protocol.ts'
import { eventually } from '../support/eventually.ts'
import { isRunning } from '../support/processes.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const SECONDLY = '* * * * * *'
/** It never comes within a test. */
const YEARLY = '0 0 1 1 *'
const sleeper = { command: ['sleep', '1000'] }

function runs(rig: Rig): string[] {
  const path = join(rig.dir, 'runs')
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : []
}

async function runsOf(rig: Rig, app = 'tick'): Promise<readonly ListedRun[]> {
  const [description] = (await rig.eco(['describe', app, '--json'])).json().apps as AppDescription[]
  return description?.runs ?? []
}

/** Each run notes its begin, and goes on until a file `go` is there. */
const slow = {
  kind: 'cron',
  schedule: SECONDLY,
  command: ['sh', '-c', 'echo begin >> runs; while [ ! -e go ]; do sleep 0.02; done; echo end >> runs'],
}

test('a cron app runs every second when its schedule has six fields, and shows when it is next', async () => {
  await using rig = await createRig()
  const apps = {
    tick: {
      kind: 'cron',
      schedule: SECONDLY,
      script: fixture('exits-zero.mjs'),
      env: { RUNS: join(rig.dir, 'runs') },
    },
  }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  await eventually(() => expect(runs(rig).length).toBeGreaterThanOrEqual(2))
  const tick = await rig.app('tick')
  expect(tick).toMatchObject({
    kind: 'cron',
    schedule: SECONDLY,
    state: expect.stringMatching(/scheduled|running|starting/),
  })
  expect(Date.parse(tick.next_run_at ?? '') - Date.now()).toBeLessThan(1500)
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
  // Removed, it does not run any more.
  expect(await rig.eco(['delete', 'tick', '--yes'])).toMatchObject({ code: 0 })
  const { length } = runs(rig)
  await new Promise((resolve) => setTimeout(resolve, 2100)) // two more would have been due
  expect(runs(rig)).toHaveLength(length)
})

test('a cron app goes on in the next daemon', async () => {
  await using rig = await createRig()
  const apps = {
    tick: {
      kind: 'cron',
      schedule: SECONDLY,
      script: fixture('exits-zero.mjs'),
      env: { RUNS: join(rig.dir, 'runs') },
    },
  }
  await rig.apply({ apps })
  await rig.eco(['daemon', 'stop'])
  const { length } = runs(rig)
  await rig.eco(['daemon', 'start'])
  await eventually(() => expect(runs(rig).length).toBeGreaterThan(length))
})

test('a cron app whose run fails stays scheduled, and its last exit is told', async () => {
  await using rig = await createRig()
  const apps = { tick: { kind: 'cron', schedule: SECONDLY, script: fixture('crash-at-start.mjs') } }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  await eventually(async () => {
    const { instances } = await rig.app('tick')
    expect(instances[0]?.last_exit).toMatchObject({ kind: 'code', code: 3 })
  })
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
})

test('a run that fails leaves the app scheduled: ls says what went wrong until a run goes well', async () => {
  await using rig = await createRig()
  const script = 'echo run >> runs; test -e good || exit 4'
  const apps = { report: { kind: 'cron', schedule: YEARLY, command: ['sh', '-c', script] } }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  expect(await rig.app('report')).toMatchObject({ state: 'scheduled', reason: null, last_run: null })
  // Run now, although it is not due.
  expect(await rig.eco(['restart', 'report'])).toMatchObject({ code: 0 })
  const failed = { state: 'scheduled', reason: 'last run failed: exited with code 4', last_run: { outcome: 'failed' } }
  await eventually(async () => expect(await rig.app('report')).toMatchObject(failed))
  expect((await rig.eco(['ls'])).stdout).toContain('scheduled(failed)')
  // For the next daemon too.
  await rig.eco(['daemon', 'stop'])
  expect(await rig.app('report')).toMatchObject(failed)
  rig.write('good', '')
  await rig.eco(['restart', 'report'])
  await eventually(async () =>
    expect(await rig.app('report')).toMatchObject({ reason: null, last_run: { outcome: 'completed' } }),
  )
  expect(await runsOf(rig, 'report')).toMatchObject([
    { outcome: 'failed', trigger: 'operator', scheduled_at: null, exit: { kind: 'code', code: 4 }, attempts: 1 },
    { outcome: 'completed', trigger: 'operator' },
  ])
  const { stdout } = await rig.eco(['describe', 'report'])
  expect(stdout).toMatch(/history of runs\n.*operator.*failed: exited with code 4\n.*operator.*completed\n/)
  // By name only: `all` means what runs all the time.
  const all = await rig.eco(['restart', 'all'])
  expect(all).toMatchObject({ code: 4 })
  expect(all.stderr).toContain('only when it is named')
  expect(runs(rig)).toHaveLength(2)
})

test('overlap: skip leaves out what is due while a run goes on', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { tick: slow } })
  await eventually(async () => expect(await runsOf(rig)).toMatchObject([{}, { outcome: 'skipped', count: 2 }]))
  expect(runs(rig)).toEqual(['begin'])
  rig.write('go', '')
  await eventually(() => expect(runs(rig).length).toBeGreaterThanOrEqual(4))
  expect(runs(rig).slice(0, 4)).toEqual(['begin', 'end', 'begin', 'end'])
})

test('overlap: queue runs once more right after the run that goes on, however often it was due', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { tick: { ...slow, overlap: 'queue' } } })
  await eventually(async () => expect(await runsOf(rig)).toMatchObject([{}, { outcome: 'skipped', count: 1 }]))
  expect(runs(rig)).toEqual(['begin'])
  rig.write('go', '')
  await eventually(async () => {
    const made = (await runsOf(rig)).filter(({ started_at }) => started_at !== null)
    const [first, second] = made
    expect(second).toMatchObject({ outcome: 'completed', trigger: 'schedule' })
    // It waited: it was due before the first one ended, and began right after.
    expect(Date.parse(second?.scheduled_at ?? '')).toBeLessThan(Date.parse(first?.ended_at ?? ''))
    expect(Date.parse(second?.started_at ?? '') - Date.parse(first?.ended_at ?? '')).toBeLessThan(500)
  })
})

test('overlap: replace stops the run that goes on, by its stop contract, and runs anew', async () => {
  await using rig = await createRig()
  const script = 'trap "echo term >> runs; exit 0" TERM; echo begin >> runs; while :; do sleep 0.02; done'
  await rig.apply({ apps: { tick: { ...slow, command: ['sh', '-c', script], overlap: 'replace' } } })
  await eventually(() => expect(runs(rig).length).toBeGreaterThanOrEqual(5))
  expect(runs(rig).slice(0, 5)).toEqual(['begin', 'term', 'begin', 'term', 'begin'])
  const [first] = await runsOf(rig)
  expect(first).toMatchObject({ outcome: 'stopped', reason: 'the next run took its place' })
})

test('a run that takes too long is stopped, and tried again as often as the file says', async () => {
  await using rig = await createRig()
  const apps = {
    report: {
      kind: 'cron',
      schedule: YEARLY,
      command: ['sh', '-c', 'echo run >> runs; sleep 1000'],
      timeout: '200ms',
      retries: 1,
      restart: { backoff: { initial: '50ms' } },
    },
  }
  await rig.apply({ apps })
  await rig.eco(['restart', 'report'])
  const reason = 'last run timed out: did not end within 0.2s (2 attempts)'
  await eventually(async () => expect(await rig.app('report')).toMatchObject({ state: 'scheduled', reason }))
  expect(runs(rig)).toHaveLength(2)
})

test('a stopped schedule stays stopped until it is started again', async () => {
  await using rig = await createRig()
  const apps = { tick: { ...slow, command: ['sh', '-c', 'echo run >> runs'] }, other: sleeper }
  await rig.apply({ apps })
  await eventually(() => expect(runs(rig).length).toBeGreaterThanOrEqual(1))
  expect(await rig.eco(['stop', 'tick'])).toMatchObject({ code: 0 })
  const { length } = runs(rig)
  const stopped = { state: 'stopped', hold: { verb: 'stop' }, next_run_at: null }
  expect(await rig.app('tick')).toMatchObject(stopped)
  await rig.eco(['daemon', 'stop'])
  await rig.eco(['daemon', 'start'])
  expect(
    await rig.apply({ apps: { ...apps, other: { ...sleeper, env: { X: '1' } } } }, '--only', 'other'),
  ).toMatchObject({
    code: 0,
  })
  await rig.eco(['restart', 'all'])
  expect(await rig.app('tick')).toMatchObject(stopped)
  await new Promise((resolve) => setTimeout(resolve, 1100)) // one more would have been due
  expect(runs(rig)).toHaveLength(length)
  expect(await rig.eco(['start', 'tick'])).toMatchObject({ code: 0 })
  await eventually(() => expect(runs(rig).length).toBeGreaterThan(length))
  // While it was stopped nothing was missed.
  expect((await runsOf(rig)).filter(({ outcome }) => outcome === 'missed')).toEqual([])
  await rig.eco(['stop', 'tick'])
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect(await rig.app('tick')).toMatchObject({ hold: null, next_run_at: expect.any(String) })
})

test('what was due while no daemon ran is told, and made up for once when the file says so', async () => {
  await using rig = await createRig()
  const tick = { kind: 'cron', schedule: SECONDLY, command: ['sh', '-c', 'echo $ECO_APP >> runs'] }
  await rig.apply({ apps: { skips: tick, makesup: { ...tick, missed: 'run_once' } } })
  await eventually(() => expect(new Set(runs(rig)).size).toBe(2))
  await rig.eco(['daemon', 'stop'])
  await new Promise((resolve) => setTimeout(resolve, 2100)) // two are due
  await rig.eco(['daemon', 'start'])
  await eventually(async () => {
    const triggers = (of: readonly ListedRun[]): string[] => of.map(({ trigger, outcome }) => `${trigger} ${outcome}`)
    const [skips, makesup] = [await runsOf(rig, 'skips'), await runsOf(rig, 'makesup')]
    const missed = makesup.findIndex(({ outcome }) => outcome === 'missed')
    expect(makesup[missed]?.count).toBeGreaterThanOrEqual(2)
    expect(triggers(makesup)[missed + 1]).toBe('missed completed')
    expect(triggers(makesup).filter((it) => it === 'missed completed')).toHaveLength(1)
    expect(triggers(skips)).toContain('schedule missed')
    expect(triggers(skips)).not.toContain('missed completed')
  })
  const told = (await rig.eco(['events', '--json'])).stdout
  expect(told).toMatch(/missed \d runs since [^"]*: no daemon ran[^;]*; one run makes up for them/)
  expect(told).toMatch(/missed \d runs since [^"]*: no daemon ran[^;]*; not made up for/)
})

test('a run goes on under the next daemon, which does not start a second one beside it', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { tick: { ...slow, history: 100 } } })
  const [pid = 0] = await eventually(async () => {
    const pids = await rig.pids('tick')
    expect(pids).toHaveLength(1)
    return pids
  })
  process.kill(await rig.daemonPid(), 'SIGKILL')
  await rig.eco(['daemon', 'start'])
  await eventually(async () => expect((await runsOf(rig)).at(-1)).toMatchObject({ outcome: 'skipped' }))
  expect(await rig.pids('tick')).toEqual([pid])
  expect(runs(rig)).toEqual(['begin'])
  rig.write('go', '')
  await eventually(() => expect(isRunning(pid)).toBe(false))
  await eventually(async () => expect((await runsOf(rig)).map(({ outcome }) => outcome)).toContain('unknown'))
})

test('only so many runs are remembered, in a file for nobody else', async () => {
  await using rig = await createRig()
  const apps = { tick: { ...slow, command: ['true'], history: 2 } }
  await rig.apply({ apps })
  await eventually(async () => expect(await runsOf(rig)).toHaveLength(2))
  const [first] = await runsOf(rig)
  await eventually(async () => expect((await runsOf(rig))[0]?.scheduled_at).not.toBe(first?.scheduled_at))
  expect((await runsOf(rig)).length).toBeLessThanOrEqual(3)
  const file = join(rig.home, 'scopes/demo/default/runs/tick.json')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  await rig.eco(['delete', 'tick', '--yes'])
  expect(existsSync(file)).toBe(false)
})

test('a run that is due without what it depends on is skipped, and ls says why until one goes well', async () => {
  await using rig = await createRig()
  const tick = {
    kind: 'cron',
    schedule: SECONDLY,
    command: ['sh', '-c', 'echo run >> runs'],
    depends_on: { db: 'ready' },
  }
  expect(await rig.apply({ apps: { db: sleeper, tick } })).toMatchObject({ code: 0 })
  await eventually(() => expect(runs(rig).length).toBeGreaterThan(0))
  await rig.eco(['stop', 'db'])
  await eventually(async () =>
    expect((await rig.app('tick')).reason).toMatch(/^(last run|\d+ runs) skipped: db is not ready: it does not run$/),
  )
  const before = runs(rig).length
  await eventually(async () => expect((await runsOf(rig)).at(-1)?.count).toBeGreaterThan(1))
  expect(runs(rig)).toHaveLength(before)
  expect((await rig.eco(['ls', 'tick'])).stdout).toContain(' scheduled(skipped) ')
  const { stdout } = await rig.eco(['events', 'tick'])
  expect(stdout.match(/scheduled run skipped: db is not ready: it does not run/g)).toHaveLength(1)
  await rig.eco(['start', 'db'])
  await eventually(async () => expect(await rig.app('tick')).toMatchObject({ state: 'scheduled', reason: null }))
  expect(runs(rig).length).toBeGreaterThan(before)
})

test('an app that has runs is not scaled', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { tick: { ...slow, schedule: YEARLY } } })
  const scaled = await rig.eco(['scale', 'tick', '3'])
  expect(scaled).toMatchObject({ code: 4 })
  expect(scaled.stderr).toContain('tick is a cron app: it has runs, and no instances to scale')
})
