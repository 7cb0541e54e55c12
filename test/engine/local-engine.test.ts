/** The local engine with real processes and real sockets. */

import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LocalEngine } from '../../src/engine/local/local-engine.ts'
import type { StepOutcome } from '../../src/engine/engine.ts'
import { Scheduler } from '../../src/engine/local/scheduler.ts'
import { SPEC_DEFAULTS } from '../../src/model/defaults.ts'
import type { AppliedApp } from '../../src/model/applied.ts'
import type { PlannedChange, Step } from '../../src/model/plan.ts'
import type { AppSpec, Listen } from '../../src/model/spec.ts'
import { RunHistoryStore } from '../../src/state/run-history.ts'
import { PLAIN_LOGS } from '../../src/logs/run-logs.ts'
import { LOG_FILES } from '../../src/supervisor/outputs.ts'
import { isAlive, sessionMembers } from '../../src/supervisor/proc.ts'
import { TurnQueue } from '../../src/supervisor/turn-queue.ts'
import { ProcessTrees } from '../../src/supervisor/process-trees.ts'
import { MemoryWatch } from '../../src/supervisor/memory-watch.ts'
import { OomWatch } from '../../src/supervisor/oom-watch.ts'
import { NotifySockets } from '../../src/supervisor/notify-socket.ts'
import { ProbeSockets } from '../../src/supervisor/probe-sockets.ts'
import { SocketRegister } from '../../src/supervisor/sockets.ts'
import { cron, planOf, spec } from '../planner/scenario.ts'
import { eventually } from '../supervisor/children.ts'
import { freePort } from '../support/ports.ts'

const SCOPE = { project: 'shop', environment: 'default' }
let root: string
let preload: string
let trees: ProcessTrees
let engine: LocalEngine
let sockets: SocketRegister
let records: string[]

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'eco-engine-'))
  preload = join(root, 'preload.cjs')
  trees = new ProcessTrees(root)
  const entry = fileURLToPath(new URL('../../src/preload/preload.ts', import.meta.url))
  await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'cjs', outfile: preload })
})

afterAll(() => {
  trees.close()
  rmSync(root, { recursive: true })
})

beforeEach(() => {
  records = []
  sockets = new SocketRegister()
  engine = new LocalEngine(
    {
      preload,
      trees,
      spawns: new TurnQueue(5),
      memory: new MemoryWatch(),
      oom: new OomWatch(),
      notify: new NotifySockets(root, import.meta.filename),
      probeSockets: new ProbeSockets(root),
      outputs: LOG_FILES,
      logs: PLAIN_LOGS,
      openSecret: (sealed) => sealed,
      logPaths: (_, app, slot) => ({ out: join(root, `${app}-${slot}.out`), err: join(root, `${app}-${slot}.err`) }),
      prepareSockets: () => null,
      learnPort: () => null,
      listenFds: (_, app, listens) => listens.map((it) => sockets.acquire(it, `shop/default/${app}`)),
      revision: () => 1,
      record: (_scope, _app, instance, message) => records.push(`${instance} ${message}`),
      changed: () => {},
      removed: () => {},
    },
    sockets,
    new RunHistoryStore(root),
  )
})

afterEach(async () => {
  for (const app of engine.groups(SCOPE).keys()) await act('remove', app, null, [])
})

function node(code: string, fields: Partial<AppSpec> = {}): AppSpec {
  return spec({
    command: [process.execPath, '-e', code],
    cwd: root,
    ambient: { PATH: process.env['PATH'] ?? '' },
    ready: { ...SPEC_DEFAULTS.ready, check: { type: 'signal' }, timeoutMs: 5000, intervalMs: 50 },
    stop: { ...SPEC_DEFAULTS.stop, timeoutMs: 2000 },
    ...fields,
  })
}

const version = (number: number, of: AppSpec): AppliedApp => ({ version: number, spec: of })

function act(
  action: Step['action'],
  app: string,
  after: AppliedApp | null,
  slots: readonly number[],
  before: AppliedApp | null = null,
): Promise<StepOutcome> {
  const counts = { from: before ? slots.length : 0, to: slots.length, slots, operations: [] }
  const step: Step = {
    id: 1,
    app,
    action,
    cause: '',
    trigger: 'change',
    impact: 'roll',
    after: [],
    gate: null,
    ...counts,
  }
  return engine.perform({ scope: SCOPE, step, before, after }, () => {}, new AbortController().signal)
}

const pids = (app: string): number[] =>
  (engine.groups(SCOPE).get(app)?.runners ?? []).map((runner) => runner.process?.pid ?? 0)

const SLEEPER = "process.send('ready'); setInterval(() => {}, 1e6)"

describe('the life of an app', () => {
  test('start, roll, scale and remove leave no process behind', async () => {
    const [one, two] = [version(1, node(SLEEPER)), version(2, node(`${SLEEPER} // 2`))]
    expect(await act('start', 'api', one, [0, 1])).toEqual({ status: 'done' })
    const old = (engine.groups(SCOPE).get('api')?.runners ?? []).map((runner) => runner.process)
    expect(await act('roll', 'api', two, [0, 1], one)).toEqual({ status: 'done' })
    for (const process of old) expect(process && isAlive(process)).toBe(false)
    expect(engine.observe(SCOPE, null).apps['api']?.instances).toMatchObject([
      { slot: 0, version: 2, state: 'running', ready: true },
      { slot: 1, version: 2, state: 'running', ready: true },
    ])
    expect(await act('stop', 'api', two, [1], two)).toEqual({ status: 'done' })
    expect(pids('api')).toHaveLength(1)
    const [last = 0] = pids('api')
    expect(await act('remove', 'api', null, [])).toEqual({ status: 'done' })
    expect(sessionMembers(last, true)).toEqual([])
    expect(engine.groups(SCOPE).has('api')).toBe(false)
  })

  test('a successor that is not ready goes, and the old one has served all the time', async () => {
    const [one, two] = [
      version(1, node(SLEEPER)),
      version(2, node('process.stderr.write("no database\\n"); process.exit(3)')),
    ]
    await act('start', 'api', one, [0])
    const before = pids('api')
    const outcome = await act('roll', 'api', two, [0], one)
    expect(outcome).toMatchObject({
      status: 'rolled-back',
      reason: expect.stringMatching(/^api#0 exited with code 3/),
      log: expect.arrayContaining(['no database']),
    })
    expect(pids('api')).toEqual(before)
  })

  test('an app that ignores the stop signal is killed with its children', async () => {
    const stubborn =
      "process.on('SIGTERM', () => {}); require('child_process').spawn('/bin/sh', ['-c', 'trap \"\" TERM; while :; do sleep 1; done']);"
    const app = version(1, node(stubborn + SLEEPER, { stop: { ...SPEC_DEFAULTS.stop, timeoutMs: 200 } }))
    await act('start', 'api', app, [0])
    const [pid = 0] = pids('api')
    await eventually(() => sessionMembers(pid, false).length > 1)
    await act('stop', 'api', app, [0], app)
    expect(sessionMembers(pid, true)).toEqual([])
    expect(records).toContain('api#0 did not end within 0.2s of SIGTERM; sent SIGKILL')
  })

  test('a start and a stop in one breath leave nothing', async () => {
    const group = engine.group(SCOPE, 'api')
    const runner = group.add(0, version(1, node(SLEEPER)))
    runner.start()
    runner.stop()
    await eventually(() => runner.instance.phase.name === 'stopped')
    expect(runner.process).toBe(null)
  })

  test('a program that is not there is told in words', async () => {
    const app = version(1, node('', { command: ['no-such-program'], restart: { ...spec().restart, max: 0 } }))
    expect(await act('start', 'api', app, [0])).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('could not be started: no-such-program was not found on PATH'),
    })
  })
})

describe('sockets', () => {
  test('one failed instance of a new app does not take the socket from its siblings', async () => {
    const listen: Listen = { type: 'tcp', host: null, port: await freePort() }
    const code = `
      if (process.env.ECO_INSTANCE === '1' && !require('fs').existsSync('mended')) process.exit(1)
      require('http').createServer((q, r) => r.end()).listen(${listen.port}, () => process.send('ready'))`
    const restart = {
      policy: 'always',
      max: 100,
      windowMs: 60_000,
      backoff: { initialMs: 50, factor: 1, maxMs: 50, jitter: 0 },
      successExitCodes: [0],
      stopExitCodes: [],
    } as const
    const app = version(1, node(code, { listen: [listen], restart, instances: 2 }))
    const change: PlannedChange = { ...planOf({ file: { api: app.spec } }), next: { api: app } }
    engine.prepare(SCOPE, change)
    expect(await act('start', 'api', app, [0, 1])).toMatchObject({ status: 'failed' })
    expect(sockets.ownerOf(listen)).toBe('shop/default/api')
    // The supervisor goes on trying, and what failed gets the same socket once it can start.
    const { writeFileSync } = await import('node:fs')
    writeFileSync(join(root, 'mended'), '')
    await eventually(() => engine.observe(SCOPE, null).apps['api']?.instances.every(({ ready }) => ready) === true)
    await act('remove', 'api', null, [])
    expect(sockets.ownerOf(listen)).toBe(null)
  })

  test('a change that cannot get all its ports takes none', async () => {
    const [free, taken] = [await freePort(), await freePort()]
    const foreign = net.createServer()
    await new Promise<void>((resolve) => foreign.listen(taken, resolve))
    const listen = [free, taken].map((port): Listen => ({ type: 'tcp', host: null, port }))
    const app = version(1, node(SLEEPER, { listen }))
    const change: PlannedChange = { ...planOf({ file: { api: app.spec } }), next: { api: app } }
    expect(() => engine.prepare(SCOPE, change)).toThrow(`Port ${taken} is in use by pid ${process.pid}`)
    expect(sockets.ownerOf({ type: 'tcp', host: null, port: free })).toBe(null)
    foreign.close()
  })
})

describe('schedules', () => {
  test('a stopped cron app has none, until it is scheduled again', async () => {
    const app = version(1, node('', { kind: 'cron', schedule: cron('0 3 * * *', 'UTC') }))
    await act('schedule', 'report', app, [])
    expect(new Date(engine.nextRun(SCOPE, 'report') ?? 0).getUTCHours()).toBe(3)
    await act('stop', 'report', app, [], app)
    expect(engine.nextRun(SCOPE, 'report')).toBe(null)
  })

  test('of every year sleeps until then', async () => {
    const scheduler = new Scheduler()
    let looks = 0
    await scheduler.set('shop/default/report', cron('0 0 1 1 *', 'UTC'), null, () => looks++)
    const next = new Date(scheduler.nextRun('shop/default/report') ?? 0)
    expect([next.getUTCMonth(), next.getUTCDate(), next.getUTCHours()]).toEqual([0, 1, 0])
    await new Promise((resolve) => setTimeout(resolve, 100)) // a timer that is too long fires at once
    expect(looks).toBe(0)
    scheduler.clear('shop/default/report')
  })

  test('tells what was due since it was looked at last, once, and goes on from there', async () => {
    const scheduler = new Scheduler()
    const dues: unknown[] = []
    const since = Date.UTC(2026, 0, 1)
    const set = () => scheduler.set('shop/default/report', cron('0 0 1 1 *', 'UTC'), since - 1, (due) => dues.push(due))
    const until = await set()
    expect(dues).toMatchObject([{ at: null, missed: { first: since } }])
    expect(until).toBeGreaterThan(since)
    await set()
    expect(dues).toHaveLength(1)
    scheduler.clear('shop/default/report')
  })

  test('scheduled twice at once, it runs once', async () => {
    const scheduler = new Scheduler()
    let runs = 0
    const set = () => scheduler.set('shop/default/report', cron('* * * * * *'), null, () => runs++)
    await Promise.all([set(), set(), set()])
    await eventually(() => runs > 0)
    scheduler.clear('shop/default/report')
    const seen = runs
    expect(seen).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 1100))
    expect(runs).toBe(seen)
  })
})

describe('an instance that is kept closed', () => {
  const SERVER = `require('http').createServer((q, r) => r.end('hello')).listen(process.env.PORT)`
  const ask = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}`)).text()

  test('is ready, and accepts nothing but by its private socket, across restarts, until it is opened', async () => {
    const port = await freePort()
    const endpoint = { type: 'tcp', host: '127.0.0.1', port, perInstance: false } as const
    const app = node(SERVER, {
      listen: [{ type: 'tcp', host: null, port }],
      env: { PORT: { type: 'plain', value: String(port) } },
      ready: { ...SPEC_DEFAULTS.ready, check: { type: 'tcp', endpoint }, timeoutMs: 10_000, intervalMs: 50 },
    })
    const runner = engine.group(SCOPE, 'app').add(0, version(1, app))
    runner.keepClosed()
    expect(runner.canarySocket).toBe(null)
    runner.start()
    await eventually(() => runner.observe().ready)
    expect(runner.canarySocket).toMatch(/\/0$/)
    await expect(ask(port)).rejects.toThrow('fetch failed')
    const pid = runner.process?.pid ?? 0
    process.kill(pid, 'SIGKILL')
    await eventually(() => runner.process?.pid !== pid && runner.observe().ready)
    await expect(ask(port)).rejects.toThrow('fetch failed')
    await runner.open()
    expect(await ask(port)).toBe('hello')
    const second = runner.process?.pid ?? 0
    process.kill(second, 'SIGKILL')
    await eventually(() => runner.process?.pid !== second && runner.observe().ready)
    expect(await ask(port)).toBe('hello')
    await act('remove', 'app', null, [])
  })
})
