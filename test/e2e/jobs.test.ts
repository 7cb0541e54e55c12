/** Jobs, and what waits for what. */

import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { AppDescription, ListedRun } from '../../src/daemon/protocol.ts'
import { eventually } from '../support/eventually.ts'
import { isRunning } from '../support/processes.ts'
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

/** A job that fails as often as it is told to: a line in `attempts` for each attempt. */
function failing(times: number, fields: object = {}): object {
  const script = `echo "$ECO_APP" >> attempts; test $(wc -l < attempts) -gt ${times} || { echo broken >&2; exit 3; }`
  return {
    kind: 'job',
    command: ['sh', '-c', script],
    restart: { backoff: { initial: '50ms', jitter: '0%' } },
    ...fields,
  }
}

function attempts(rig: Rig): number {
  const path = join(rig.dir, 'attempts')
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean).length : 0
}

async function runsOf(rig: Rig, app: string): Promise<readonly ListedRun[]> {
  const [description] = (await rig.eco(['describe', app, '--json'])).json().apps as AppDescription[]
  return description?.runs ?? []
}

test('a failed attempt is retried after a pause, and who depends on the job waits for that', async () => {
  await using rig = await createRig()
  const apps = { migrate: failing(2, { retries: 3 }), api: { ...sleeper, depends_on: { migrate: 'completed' } } }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  expect(attempts(rig)).toBe(3)
  expect(await rig.app('migrate')).toMatchObject({ state: 'completed' })
  expect((await rig.app('api')).ready).toBe(1)
  expect(await runsOf(rig, 'migrate')).toMatchObject([{ outcome: 'completed', attempts: 3, trigger: 'apply' }])
  const text = (await rig.eco(['describe', 'migrate'])).stdout
  expect(text).toMatch(/history of runs\n.*apply +3 attempts +completed/)
  expect(text).toContain('trying again in 50 ms (retry 1 of 3)')
  expect(text).toContain('trying again in 100 ms (retry 2 of 3)')
  expect(text).not.toMatch(/ready after|left as it is|restart policy/) // a run is no service
})

test('a job without retries left ends the apply with 7 and its last words, and runs again with the next apply', async () => {
  await using rig = await createRig()
  const file = { apps: { migrate: failing(2, { retries: 1 }) } }
  const failed = await rig.apply(file)
  expect(failed).toMatchObject({ code: 7 })
  expect(failed.stderr).toContain('run migrate failed: migrate exited with code 3: all 2 attempts failed')
  expect(failed.stderr).toContain('broken')
  expect(attempts(rig)).toBe(2)
  expect(await rig.app('migrate')).toMatchObject({
    state: 'failed',
    reason: 'exited with code 3: all 2 attempts failed',
    last_run: { outcome: 'failed', attempts: 2, reason: 'exited with code 3' },
  })
  // Neither a daemon's start nor a verb about others runs it again.
  await rig.eco(['daemon', 'stop'])
  await rig.eco(['daemon', 'start'])
  expect(await rig.app('migrate')).toMatchObject({ state: 'failed' })
  expect(attempts(rig)).toBe(2)
  expect(await rig.apply(file)).toMatchObject({ code: 0 })
  expect(attempts(rig)).toBe(3)
  expect(await runsOf(rig, 'migrate')).toMatchObject([{ outcome: 'failed' }, { outcome: 'completed', attempts: 1 }])
})

test('success is what success_exit_codes say', async () => {
  await using rig = await createRig()
  const job = { kind: 'job', command: ['sh', '-c', 'echo run >> runs; exit 75'] }
  expect(await rig.apply({ apps: { sync: job } })).toMatchObject({ code: 7 })
  const lenient = { ...job, restart: { success_exit_codes: [0, 75] } }
  const applied = await rig.apply({ apps: { sync: lenient, api: { ...sleeper, depends_on: { sync: 'completed' } } } })
  expect(applied).toMatchObject({ code: 0 })
  expect(applied.stdout).toContain('completion: exit code 0 or 75')
  expect(await rig.app('sync')).toMatchObject({ state: 'completed' })
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
  expect(runs(rig)).toHaveLength(2)
})

test('a job that takes too long is stopped, and has failed for that reason', async () => {
  await using rig = await createRig()
  const apps = { slow: { kind: 'job', command: ['sleep', '1000'], timeout: '300ms' } }
  const result = await rig.apply({ apps })
  expect(result).toMatchObject({ code: 7 })
  expect(result.stderr).toContain('run slow failed: slow did not end within 0.3s')
  expect(await runsOf(rig, 'slow')).toMatchObject([{ outcome: 'timed-out', reason: 'did not end within 0.3s' }])
  expect((await rig.app('slow')).instances).toMatchObject([{ pid: null }])
})

test('a job runs again when one of its input files changed, which the plan names', async () => {
  await using rig = await createRig()
  rig.write('migrations/001.sql', 'create table a')
  const apps = { migrate: { ...job(rig), cwd: rig.dir, inputs: ['migrations/*.sql'] }, app: sleeper }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  expect(runs(rig)).toHaveLength(1)
  rig.write('migrations/001.sql', 'create table b')
  rig.write('migrations/002.sql', 'create table c')
  const { stdout } = await rig.eco(['diff'])
  expect(stdout).toMatch(/inputs\.migrations\/001\.sql +changed/)
  expect(stdout).toMatch(/inputs\.migrations\/002\.sql +new/)
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  expect(runs(rig)).toHaveLength(2)
})

test('run: always runs a job at every apply, and at nothing else', async () => {
  await using rig = await createRig()
  const apps = { warm: { ...job(rig), run: 'always' }, app: sleeper }
  await rig.apply({ apps })
  const { stdout } = await rig.eco(['diff'])
  expect(stdout).toMatch(/run warm +runs once\n +run: always/)
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  expect(runs(rig)).toHaveLength(2)
  await rig.eco(['daemon', 'stop'])
  await rig.eco(['daemon', 'start'])
  for (const verb of [
    ['start', 'all'],
    ['restart', 'all'],
    ['stop', 'app'],
    ['start', 'app'],
  ]) {
    expect(await rig.eco(verb)).toMatchObject({ code: 0 })
  }
  expect(await rig.apply({ apps }, '--only', 'app')).toMatchObject({ code: 0 })
  expect(runs(rig)).toHaveLength(2)
  // But when it is named.
  expect(await rig.eco(['restart', 'warm'])).toMatchObject({ code: 0 })
  expect(runs(rig)).toHaveLength(3)
})

test('a completed job stays completed when everything is stopped and started again', async () => {
  await using rig = await createRig()
  const apps = { migrate: job(rig), api: { ...sleeper, depends_on: { migrate: 'completed' } } }
  await rig.apply({ apps })
  await rig.eco(['daemon', 'stop', '--apps'])
  await rig.eco(['daemon', 'start'])
  await eventually(async () => expect((await rig.app('api')).ready).toBe(1))
  expect(await rig.app('migrate')).toMatchObject({ state: 'completed' })
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  expect(runs(rig)).toHaveLength(1)
})

/** Runs until a file `go` is there. */
const slow = {
  kind: 'job',
  command: ['sh', '-c', 'echo run >> runs; while [ ! -e go ]; do sleep 0.02; done'],
  retries: 5,
}

/** Applies a slow job, which completes, and runs it again. @returns its pid */
async function runAgain(rig: Rig, apps: object): Promise<number> {
  rig.write('go', '')
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  rmSync(join(rig.dir, 'go'))
  void rig.eco(['restart', 'slow'])
  await eventually(() => expect(runs(rig)).toHaveLength(2))
  return eventually(async () => {
    const [pid] = await rig.pids('slow')
    expect(pid).toBeTypeOf('number')
    return pid ?? 0
  })
}

test('a job that ended while no daemon watched has not completed, says so, and runs again with the next apply', async () => {
  await using rig = await createRig()
  const apps = { slow, api: { ...sleeper, depends_on: { slow: 'completed' } } }
  const pid = await runAgain(rig, apps)
  process.kill(await rig.daemonPid(), 'SIGKILL')
  rig.write('go', '')
  await eventually(() => expect(isRunning(pid)).toBe(false))
  const reason = 'ended while no daemon was watching; whether it succeeded is not known'
  expect(await rig.app('slow')).toMatchObject({ state: 'failed', reason, last_run: { outcome: 'unknown' } })
  // Nor does yet another daemon run it.
  await rig.eco(['daemon', 'stop'])
  expect((await rig.eco(['diff'])).stdout).toContain(`last run: ${reason}`)
  expect(runs(rig)).toHaveLength(2)
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  expect(runs(rig)).toHaveLength(3)
  expect(await runsOf(rig, 'slow')).toMatchObject([
    { outcome: 'completed', trigger: 'apply' },
    { outcome: 'unknown', trigger: 'operator', ended_at: null },
    { outcome: 'completed', trigger: 'apply' },
  ])
})

test('a job that goes on under the next daemon ends there, with a result nobody knows, and is not retried', async () => {
  await using rig = await createRig()
  await runAgain(rig, { slow })
  process.kill(await rig.daemonPid(), 'SIGKILL')
  await rig.eco(['daemon', 'start'])
  expect(await rig.app('slow')).toMatchObject({ state: 'running' })
  rig.write('go', '')
  await eventually(async () => expect(await rig.app('slow')).toMatchObject({ state: 'failed' }))
  expect(await runsOf(rig, 'slow')).toMatchObject([{ outcome: 'completed' }, { outcome: 'unknown', attempts: 1 }])
  expect(runs(rig)).toHaveLength(2)
})

test('a job whose daemon ended between two attempts has failed for what its last attempt did', async () => {
  await using rig = await createRig()
  const fields = { retries: 3, restart: { backoff: { initial: '60s' } } }
  const file = { apps: { migrate: failing(1, fields) } }
  rig.write('attempts', 'one\ntwo\n')
  expect(await rig.apply(file)).toMatchObject({ code: 0 })
  rig.write('attempts', '')
  void rig.eco(['restart', 'migrate'])
  await eventually(async () => expect(await rig.app('migrate')).toMatchObject({ state: 'backoff' }))
  await rig.eco(['daemon', 'stop'])
  expect(await rig.app('migrate')).toMatchObject({
    state: 'failed',
    reason: 'exited with code 3; the daemon ended before its next attempt',
    last_run: { outcome: 'failed', reason: 'exited with code 3' },
  })
  expect(await rig.apply(file)).toMatchObject({ code: 0 })
  expect(attempts(rig)).toBe(2)
})

test('eco stop ends a job that an apply waits for, and the apply says that it was cancelled', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { migrate: job(rig) } })
  const applying = rig.apply({ apps: { migrate: { kind: 'job', command: ['sleep', '1000'] } } })
  await eventually(async () => expect(await rig.app('migrate')).toMatchObject({ state: 'running' }))
  expect(await rig.eco(['stop', 'migrate'])).toMatchObject({ code: 0 })
  const result = await applying
  expect(result).toMatchObject({ code: 8 })
  expect(result.stderr).toContain('cancelled by eco stop')
  expect(await rig.pids('migrate')).toEqual([])
})
