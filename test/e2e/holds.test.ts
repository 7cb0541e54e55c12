/** Stops and scales by hand that end by themselves, and scales relative to what is wanted. */

import { existsSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { StoredEvent } from '../../src/model/events.ts'
import { eventually } from '../support/eventually.ts'
import { withMovableClock } from '../support/movable-clock.ts'
import { isRunning, kill } from '../support/processes.ts'
import { createRig, type Rig } from '../support/rig.ts'

const HOUR = 3_600_000
const sleeper = { command: ['sleep', '1000'] }

async function events(rig: Rig, ...args: string[]): Promise<StoredEvent[]> {
  const { stdout } = await rig.eco(['events', '--json', ...args])
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as StoredEvent)
}

async function endedHolds(rig: Rig): Promise<(string | null)[]> {
  const ended = (await events(rig)).filter(({ event }) => event === 'hold_ended')
  return ended.map(({ app }) => app).toSorted((a, b) => String(a).localeCompare(String(b)))
}

async function heldUntil(rig: Rig, app: string): Promise<number> {
  return Date.parse((await rig.app(app)).hold?.until ?? '')
}

/** Holds here last for seconds: long enough that a busy machine gets to see them. */
async function whenOver(until: number): Promise<void> {
  expect(until).not.toBeNaN()
  await eventually(() => Date.now() > until)
}

test('a hold with an end is shown everywhere with its end', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { ...sleeper, instances: 2 }, web: sleeper } })
  const before = Date.now()
  const stop = await rig.eco(['stop', 'web', '--for', '2h'])
  expect(stop).toMatchObject({ code: 0 })
  expect(stop.stdout).toContain('eco stop --for 2h')
  expect(await rig.eco(['scale', 'api', '3', '--for', '90m'])).toMatchObject({ code: 0 })
  const until = await heldUntil(rig, 'web')
  expect(until).toBeGreaterThanOrEqual(before + 2 * HOUR)
  expect(until).toBeLessThanOrEqual(Date.now() + 2 * HOUR)
  expect(await rig.app('api')).toMatchObject({ wanted: 3, hold: { verb: 'scale', instances: 3 } })
  expect((await rig.eco(['describe', 'web'])).stdout).toMatch(
    /hold: stop \(0 instances\) by \S+ since \S+ \S+ until \d{4}-/,
  )
  const diff = await rig.eco(['diff', '--exit-code'])
  expect(diff).toMatchObject({ code: 3 })
  const iso = new Date(until).toISOString()
  expect(diff.stdout).toMatch(
    new RegExp(`web +held +eco stop web by \\S+ at \\S+ until ${iso} +-> ends with this plan`),
  )
  // It is durable, and an apply ends it as ever.
  await rig.eco(['daemon', 'stop'])
  expect(await heldUntil(rig, 'web')).toBe(until)
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect((await rig.ls()).map(({ app, ready, hold }) => [app, ready, hold])).toEqual([
    ['api', 2, null],
    ['web', 1, null],
  ])
})

test('it ends by itself: the app is what was applied again, nothing else is touched, and the events say so', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { ...sleeper, instances: 2 }, held: sleeper, web: sleeper } })
  const [api, held] = [await rig.pids('api'), await rig.pids('held')]
  await rig.eco(['stop', 'held'])
  await rig.eco(['scale', 'api', '4', '--for', '5s'])
  await rig.eco(['stop', 'web', '--for', '4s'])
  expect(await rig.app('api')).toMatchObject({ ready: 4 })
  expect(await rig.app('web')).toMatchObject({ ready: 0, state: 'stopped' })
  await eventually(async () => expect(await rig.app('web')).toMatchObject({ ready: 1, hold: null }))
  await eventually(async () => expect(await rig.app('api')).toMatchObject({ ready: 2, wanted: 2, hold: null }))
  expect(await rig.pids('api')).toEqual(api)
  for (const pid of held) expect(isRunning(pid)).toBe(false)
  expect(await rig.app('held')).toMatchObject({ hold: { verb: 'stop', until: null } })
  const ended = (await events(rig, 'web')).find(({ event }) => event === 'hold_ended')
  expect(ended).toMatchObject({
    app: 'web',
    message: expect.stringMatching(/^hold of web by \S+ ended: 4s are over$/),
    data: { verb: 'stop', instances: 0 },
  })
  expect(await endedHolds(rig)).toEqual(['api', 'web'])
  // What is applied is the same: no revision.
  expect(await rig.app('api')).toMatchObject({ revision: 1 })
  await rig.eco(['start', 'held'])
  await eventually(() => expect(existsSync(join(rig.home, 'scopes/demo/default/holds.json'))).toBe(false))
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('the same is held longer, shorter, or without an end when it is said again', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { web: sleeper, other: sleeper } })
  await rig.eco(['stop', 'web', '--for', '1h'])
  const hour = await heldUntil(rig, 'web')
  await rig.eco(['stop', 'web', '--for', '2h'])
  expect(await heldUntil(rig, 'web')).toBeGreaterThan(hour)
  await rig.eco(['stop', 'web'])
  expect(await rig.app('web')).toMatchObject({ hold: { verb: 'stop', until: null } })
  await rig.eco(['stop', 'web', 'other', '--for', '500ms'])
  await eventually(async () => expect(await rig.app('web')).toMatchObject({ ready: 1, hold: null }))
  expect(await rig.app('other')).toMatchObject({ ready: 1, hold: null })
})

test.each([
  ['ended in order', false],
  ['was killed', true],
])('a hold that is over while no daemon runs ends when the next one starts; the daemon %s', async (_, isKilled) => {
  await using rig = await createRig()
  await rig.apply({ apps: { web: sleeper, api: { ...sleeper, depends_on: ['web'] }, other: sleeper } })
  const other = await rig.pids('other')
  await rig.eco(['stop', 'web', 'api', '--for', '4s'])
  const until = await heldUntil(rig, 'api')
  const daemon = await rig.daemonPid()
  if (isKilled) kill(daemon)
  else await rig.eco(['daemon', 'stop'])
  await eventually(() => expect(isRunning(daemon)).toBe(false))
  await whenOver(until)
  await eventually(async () => expect(await rig.app('api')).toMatchObject({ ready: 1, hold: null }))
  expect(await rig.app('web')).toMatchObject({ ready: 1, hold: null })
  expect(await rig.pids('other')).toEqual(other)
  expect(await endedHolds(rig)).toEqual(['api', 'web'])
})

test('a hold that outlasts its daemon ends under the next one', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { web: sleeper } })
  await rig.eco(['stop', 'web', '--for', '5s'])
  kill(await rig.daemonPid())
  await eventually(async () => expect(await rig.app('web')).toMatchObject({ state: 'stopped', hold: { verb: 'stop' } }))
  await eventually(async () => expect(await rig.app('web')).toMatchObject({ ready: 1, hold: null }))
})

test('it ends once nothing else is being carried out', async () => {
  await using rig = await createRig()
  const slow = {
    command: ['sh', '-c', 'while ! test -e go; do sleep 0.05; done; echo up; exec sleep 1000'],
    ready: { log: 'up', timeout: '60s' },
  }
  await rig.apply({ apps: { web: sleeper } })
  rig.write('ecosystem.yaml', { apps: { web: sleeper, slow } })
  await rig.eco(['apply', '--yes', '--no-wait', '--only', 'slow'])
  await eventually(async () => expect((await rig.app('slow')).instances[0]).toMatchObject({ state: 'starting' }))
  await rig.eco(['stop', 'web', '--for', '300ms']) // goes beside the apply
  await whenOver(await heldUntil(rig, 'web'))
  expect(await rig.app('web')).toMatchObject({ state: 'stopped' })
  rig.write('go', '')
  await eventually(async () => expect(await rig.app('web')).toMatchObject({ ready: 1, hold: null }))
  const order = (await events(rig)).filter(({ event }) => event === 'apply_ended' || event === 'hold_ended')
  expect(order.map(({ event, message }) => message.replace(/ .*/, event === 'hold_ended' ? ' ended' : ''))).toEqual([
    'apply',
    'stop',
    'apply',
    'hold ended',
  ])
})

test('a cron app is armed again, and a job that was stopped in its run begins it again', async () => {
  await using rig = await createRig()
  const report = { kind: 'cron', schedule: '0 3 1 1 *', command: ['true'] }
  const job = { kind: 'job', command: ['sh', '-c', 'echo begun; test -e go || sleep 1000'] }
  const go = rig.write('go', '')
  expect(await rig.apply({ apps: { report, job } })).toMatchObject({ code: 0 })
  rmSync(go)
  const restart = rig.eco(['restart', 'job'])
  await eventually(() => expect(rig.output('job')).toBe('begun\nbegun\n'))
  kill(await rig.daemonPid()) // and with it the restart, so that the run is one that goes on by itself
  await restart
  await eventually(async () => expect(await rig.app('job')).toMatchObject({ state: 'running' }))
  expect(await rig.eco(['stop', 'job', 'report', '--for', '4s'])).toMatchObject({ code: 0 })
  expect(await rig.app('report')).toMatchObject({ state: 'stopped', next_run_at: null, hold: { verb: 'stop' } })
  rig.write('go', '')
  await eventually(async () =>
    expect(await rig.app('report')).toMatchObject({ state: 'scheduled', next_run_at: expect.any(String), hold: null }),
  )
  await eventually(async () => expect(await rig.app('job')).toMatchObject({ state: 'completed', hold: null }))
  expect(rig.output('job')).toBe('begun\nbegun\nbegun\n')
})

test('in a scope that is down it starts nothing; whoever brings the scope back starts it, too', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { web: sleeper, other: sleeper } })
  await rig.eco(['stop', 'web', '--for', '5s'])
  const until = await heldUntil(rig, 'web')
  await rig.eco(['daemon', 'stop', '--apps'])
  await whenOver(until)
  await rig.eco(['stop', 'other']) // a plan that leaves the scope down, after which the daemon looks at its holds
  await rig.eco(['start', 'nothing'])
  expect((await rig.ls()).map(({ instances }) => instances.filter(({ pid }) => pid !== null))).toEqual([[], []])
  expect(await rig.app('web')).toMatchObject({ hold: { verb: 'stop' } })
  await rig.eco(['daemon', 'start'])
  await eventually(async () => expect(await rig.app('web')).toMatchObject({ ready: 1, hold: null }))
  await rig.eco(['start', 'other'])
  expect((await rig.ls()).map(({ ready }) => ready)).toEqual([1, 1])
})

test('it is by the clock on the wall, which may be set', async () => {
  await using rig = await createRig()
  const jump = await withMovableClock(rig)
  await rig.apply({ apps: { early: sleeper, late: sleeper, other: sleeper } })
  await rig.eco(['stop', 'late', '--for', '1h'])
  await rig.eco(['stop', 'early', '--for', '5s'])
  const until = await heldUntil(rig, 'early')
  jump(-HOUR)
  await whenOver(until + 100)
  // Any plan makes the daemon look at once; by itself it does within a minute.
  await rig.eco(['restart', 'other'])
  expect(await rig.app('early')).toMatchObject({ state: 'stopped', hold: { verb: 'stop' } })
  jump(0)
  await rig.eco(['restart', 'other'])
  await eventually(async () => expect(await rig.app('early')).toMatchObject({ ready: 1, hold: null }))
  expect(await rig.app('late')).toMatchObject({ state: 'stopped', hold: { verb: 'stop' } })
  jump(2 * HOUR)
  await rig.eco(['restart', 'other'])
  await eventually(async () => expect(await rig.app('late')).toMatchObject({ ready: 1, hold: null }))
})

test('scale takes more, less, and a share of the CPUs; each app counts from its own', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { 'worker-a': sleeper, 'worker-b': { ...sleeper, instances: 2 } } })
  const counts = async (): Promise<number[]> => (await rig.ls()).map(({ ready }) => ready)
  const scale = async (...args: string[]): Promise<number[]> => {
    const { code, stderr } = await rig.eco(['scale', ...args])
    expect(code, stderr).toBe(0)
    return counts()
  }
  expect(await scale('worker-a', '+2')).toEqual([3, 2])
  expect(await scale('worker*', '+1')).toEqual([4, 3])
  expect(await scale('worker-b', '-1')).toEqual([4, 2])
  expect(await rig.app('worker-b')).toMatchObject({ hold: null }) // what was applied
  expect(await scale('--project', 'demo', 'worker-a', '-1')).toEqual([3, 2])
  expect(await scale('worker*', '-9')).toEqual([0, 0])
  // As a file would say it.
  rig.write('file/ecosystem.yaml', {
    apps: { max: { ...sleeper, instances: 'max' }, half: { ...sleeper, instances: '50%' } },
  })
  await rig.eco(['apply', 'file/ecosystem.yaml', '--yes'])
  const [half, max] = [await rig.app('half'), await rig.app('max')]
  expect(max.wanted).toBeLessThanOrEqual(availableParallelism())
  expect(await rig.eco(['scale', 'worker-a', 'max'])).toMatchObject({ code: 0 })
  expect(await rig.app('worker-a')).toMatchObject({ wanted: max.wanted })
  expect(await rig.eco(['scale', 'worker-b', '50%'])).toMatchObject({ code: 0 })
  expect(await rig.app('worker-b')).toMatchObject({ wanted: half.wanted })
})

test('mistakes are told with what is accepted, and change nothing', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sleeper, job: { kind: 'job', command: ['true'] } } })
  const before = await rig.pids('api')
  const accepted = /whole number up to 10000, \+2 or -1 .*, 50% of the CPUs, or max/
  const cases: readonly (readonly [args: string[], code: number, stderr: RegExp])[] = [
    [['scale', 'api', 'many'], 4, accepted],
    [['scale', 'api', '+'], 4, accepted],
    [['scale', 'api', '1.5'], 4, accepted],
    [['scale', 'api', '+50%'], 4, accepted],
    [['scale', 'api', '99999'], 4, accepted],
    [['scale', 'api', ''], 4, accepted],
    [['scale', 'api', '-x'], 4, /unknown option '-x'/],
    [['scale', 'job', '+1'], 4, /no instances to scale/],
    [['scale', 'api', '2', '--for', '30'], 4, /--for 30 has no unit\.\n {2}hint: write --for 30m or --for 30h/],
    [['stop', 'api', '--for', 'ever'], 4, /--for ever is no duration\.\n {2}hint: --for 30m/],
    [['stop', 'api', '--for', '0s'], 4, /over before it begins/],
    [['stop', 'api', '--for', '-1h'], 4, /is no duration|argument missing/],
    [['stop', 'api', '--for', '9999d'], 4, /longer than 3650d/],
    [['stop', 'api', '--for'], 4, /argument missing/],
    [['start', 'api', '--for', '1h'], 4, /unknown option '--for'/],
  ]
  for (const [args, code, stderr] of cases) {
    const result = await rig.eco(args)
    expect.soft(result.stderr, args.join(' ')).toMatch(stderr)
    expect.soft(result, args.join(' ')).toMatchObject({ code, stdout: '' })
  }
  expect(await rig.pids('api')).toEqual(before)
  expect(await rig.app('api')).toMatchObject({ hold: null })
})
