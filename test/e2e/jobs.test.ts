/** Jobs, cron apps, and what waits for what. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

function job(rig: Rig, env: Record<string, string> = {}): object {
  return { kind: 'job', script: fixture('exits-zero.mjs'), env: { RUNS: join(rig.dir, 'runs'), ...env } }
}

function runs(rig: Rig): string[] {
  const path = join(rig.dir, 'runs')
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : []
}

test('a job runs to its end once, and again only when something about it changed', async () => {
  await using rig = await createRig()
  expect(await rig.apply({ apps: { migrate: job(rig), app: sleeper } })).toMatchObject({ code: 0 })
  expect(await rig.app('migrate')).toMatchObject({ state: 'completed', kind: 'job' })
  await rig.eco(['apply', '--yes'])
  await rig.apply({ apps: { migrate: job(rig), app: { ...sleeper, env: { X: '1' } } } })
  expect(runs(rig)).toHaveLength(1)
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
  expect(await rig.apply({ apps: { migrate: job(rig, { INPUT: 'v2' }), app: sleeper } })).toMatchObject({ code: 0 })
  expect(runs(rig)).toEqual(['migrate ', 'migrate v2'])
})

test('a completed job stays completed for the next daemon', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { migrate: job(rig), app: sleeper } })
  await rig.eco(['daemon', 'stop'])
  expect(await rig.app('migrate')).toMatchObject({ state: 'completed' })
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect(runs(rig)).toHaveLength(1)
})

test('a failing job ends the apply with 7, keeps its dependents from starting, and leaves the others alone', async () => {
  await using rig = await createRig()
  const apps = {
    migrate: { kind: 'job', script: fixture('crash-at-start.mjs') },
    api: { ...sleeper, depends_on: { migrate: 'completed' } },
    web: { ...sleeper, depends_on: ['api'] },
    alone: sleeper,
  }
  const result = await rig.apply({ apps })
  expect(result).toMatchObject({ code: 7 })
  expect(result.stderr).toMatch(/run migrate failed: migrate exited with code 3/)
  expect(result.stderr).toContain('cannot open the database: ECONNREFUSED')
  expect(result.stderr).toMatch(/skipped \d\/4 start api/)
  expect(result.stderr).toMatch(/skipped \d\/4 start web/)
  expect((await rig.ls()).filter(({ ready }) => ready > 0).map(({ app }) => app)).toEqual(['alone'])
  // Mended, the same file goes through, and only what was missing is started.
  const alone = await rig.pids('alone')
  expect(await rig.apply({ apps: { ...apps, migrate: job(rig) } })).toMatchObject({ code: 0 })
  expect(await rig.pids('alone')).toEqual(alone)
  expect(await rig.pids('web')).toHaveLength(1)
})

test('a failed job runs again with the next apply of the same file', async () => {
  await using rig = await createRig()
  const apps = { migrate: { kind: 'job', command: ['sh', '-c', 'echo run >> runs; test -e good'] } }
  expect(await rig.apply({ apps })).toMatchObject({ code: 7 })
  expect(await rig.eco(['diff', '--exit-code'])).not.toMatchObject({ code: 0 })
  rig.write('good', '')
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect(runs(rig)).toHaveLength(2)
  expect(await rig.app('migrate')).toMatchObject({ state: 'completed' })
})

test('apps start in the order of their dependencies and stop in the opposite one', async () => {
  await using rig = await createRig()
  const script = rig.write(
    'diary.mjs',
    `import { appendFileSync } from 'node:fs'
    const note = (what) => appendFileSync('diary', what + ' ' + process.env.ECO_APP + '\\n')
    process.on('SIGTERM', () => setTimeout(() => { note('stop'); process.exit(0) }, 100))
    setInterval(() => {}, 1000)
    setTimeout(() => { note('ready'); process.send('ready') }, 150)`,
  )
  const app = { script, ready: 'signal' }
  // Named against the alphabet.
  const apps = { a: { ...app, depends_on: ['b'] }, b: { ...app, depends_on: { c: 'ready' } }, c: app }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  expect(await rig.eco(['delete', 'all', '--yes'])).toMatchObject({ code: 0 })
  const diary = readFileSync(join(rig.dir, 'diary'), 'utf8').trim().split('\n')
  expect(diary).toEqual(['ready c', 'ready b', 'ready a', 'stop a', 'stop b', 'stop c'])
})

test('a dependent of "started" does not wait for readiness', async () => {
  await using rig = await createRig()
  const slow = { script: fixture('ready-signal.mjs'), env: { AFTER_MS: '3000' }, ready: 'signal' }
  const apps = { slow, eager: { ...sleeper, depends_on: { slow: 'started' } } }
  await rig.apply({ apps }, '--no-wait')
  await eventually(async () => {
    expect((await rig.app('eager')).state).toBe('running')
    expect((await rig.app('slow')).state).toBe('starting')
  }, 2500)
})

test('a cron app runs every second when its schedule has six fields, and shows when it is next', async () => {
  await using rig = await createRig()
  const apps = {
    tick: {
      kind: 'cron',
      schedule: '* * * * * *',
      script: fixture('exits-zero.mjs'),
      env: { RUNS: join(rig.dir, 'runs') },
    },
  }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  await eventually(() => expect(runs(rig).length).toBeGreaterThanOrEqual(2))
  const tick = await rig.app('tick')
  expect(tick).toMatchObject({
    kind: 'cron',
    schedule: '* * * * * *',
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
      schedule: '* * * * * *',
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
  const apps = { tick: { kind: 'cron', schedule: '* * * * * *', script: fixture('crash-at-start.mjs') } }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  await eventually(async () => {
    const { instances } = await rig.app('tick')
    expect(instances[0]?.last_exit).toMatchObject({ kind: 'code', code: 3 })
  })
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
})
