/** fast-check arbitraries of specs and of the states of a scope. Shared by all property tests. */

import * as fc from 'fast-check'
import type { AppliedState, Hold } from '../../src/model/applied.ts'
import { NOTHING_APPLIED } from '../../src/model/applied.ts'
import type { Exit, ObservedApp, ObservedInstance, ObservedState } from '../../src/model/observed.ts'
import type {
  AppSpec,
  DependencyCondition,
  Endpoint,
  EnvValue,
  ExitStatus,
  Listen,
  LogTarget,
  Output,
  Probe,
  ReadyCheck,
  Share,
} from '../../src/model/spec.ts'

/** Few names, so that two scopes often share some; two of them are names of Object.prototype. */
export const APP_NAMES = ['api', 'auth', 'constructor', 'mailer', 'redis', 'toString', 'worker'] as const

/** What must be in no output: the value of a secret has it, and so has its seal. */
export const SECRET_MARK = 'hush'

/** Strings of the kind that breaks output: quotes, controls, backticks, other scripts. */
export const nastyString: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('info', 'debug', '', 'a b', '3000', '```', "it's", '\u001B[31mred', 'line\nbreak', '\u202Eevil', 'ü'),
  fc.string({ maxLength: 8 }),
  fc.string({ minLength: 100, maxLength: 200 }),
)

export const envValue: fc.Arbitrary<EnvValue> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('plain' as const), value: nastyString }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('secret' as const),
      source: fc.constantFrom('env:KEY', 'file:/run/key', 'plain'),
      fingerprint: fc.constantFrom('3f9a00112233', '81bc00112233', 'c0de00112233'),
      sealed: fc.integer({ min: 0, max: 1e6 }).map((nonce) => `${SECRET_MARK}:${nonce}`),
    }),
  },
)

export const envMap: fc.Arbitrary<Record<string, EnvValue>> = fc.dictionary(
  fc.constantFrom('LOG_LEVEL', 'PORT', 'KEY', 'type', 'a.b', 'timeoutMs', '__proto__'),
  envValue,
  { maxKeys: 4, noNullPrototype: true },
)

const port = fc.constantFrom(3000, 3001, 6390)
const ms = fc.constantFrom(0, 100, 150, 1000, 1500, 10_000, 60_000, 90_000, 3_600_000)

const endpoint: fc.Arbitrary<Endpoint> = fc.oneof(
  fc.record({
    type: fc.constant('tcp' as const),
    host: fc.constantFrom('127.0.0.1', '10.0.0.9', '::1'),
    port,
    perInstance: fc.boolean(),
  }),
  fc.record({ type: fc.constant('unix' as const), path: fc.constant('/run/api.sock') }),
)

export const readyCheck: fc.Arbitrary<ReadyCheck> = fc.oneof(
  fc.record({ type: fc.constant('settled' as const) }),
  fc.record({ type: fc.constant('signal' as const) }),
  fc.record({ type: fc.constant('notify' as const) }),
  fc.record({
    type: fc.constant('http' as const),
    endpoint,
    tls: fc.boolean(),
    path: fc.constantFrom('/', '/healthz'),
    headers: fc.constantFrom({}, { host: 'shop.test' }),
    status: fc.constantFrom([{ from: 200, to: 399 }], [{ from: 204, to: 204 }]),
    body: fc.constantFrom(null, { pattern: 'ok', flags: 'i' }),
  }),
  fc.record({ type: fc.constant('tcp' as const), endpoint }),
  fc.record({ type: fc.constant('log' as const), pattern: nastyString, flags: fc.constantFrom('', 'i') }),
  fc.record({ type: fc.constant('exec' as const), command: fc.array(nastyString, { minLength: 1, maxLength: 3 }) }),
  fc.record({ type: fc.constant('delay' as const), ms }),
)

const listen: fc.Arbitrary<Listen> = fc.oneof(
  fc.record({ type: fc.constant('tcp' as const), host: fc.constantFrom(null, '0.0.0.0', '::'), port }),
  fc.record({ type: fc.constant('unix' as const), path: fc.constantFrom('/run/a.sock', '/run/b c.sock') }),
)

const hook = fc.constantFrom(null, { command: ['node', 'hook.js'], timeoutMs: 30_000 })

const probe: fc.Arbitrary<Probe> = fc.record({
  check: fc.record({ type: fc.constant('tcp' as const), endpoint }),
  delayMs: ms,
  intervalMs: ms,
  timeoutMs: ms,
  failures: fc.integer({ min: 1, max: 3 }),
  successes: fc.constant(1),
})

/** A spec without dependencies; `specs` adds those, for they must name other apps and form no cycle. */
export const appSpec: fc.Arbitrary<AppSpec> = fc.record({
  kind: fc.constantFrom('service', 'service', 'service', 'job', 'cron'),
  command: fc.array(nastyString, { minLength: 1, maxLength: 3 }),
  cwd: fc.constantFrom('/srv/shop', '/srv/other'),
  instances: fc.integer({ min: 0, max: 4 }),
  listen: fc.array(listen, { maxLength: 2 }),
  env: envMap,
  ambient: fc.dictionary(fc.constantFrom('PATH', 'HOME', 'type'), nastyString, { maxKeys: 2, noNullPrototype: true }),
  ready: fc.record({ check: readyCheck, timeoutMs: ms, intervalMs: ms, attemptTimeoutMs: ms }),
  readiness: fc.oneof(fc.constant(null), probe),
  health: fc.oneof(fc.constant(null), probe),
  stop: fc.record({
    signal: fc.constantFrom('SIGTERM', 'SIGINT'),
    message: fc.constantFrom(null, '"shutdown"'),
    exec: fc.constantFrom(null, ['pg_ctl', 'stop']),
    drainMs: ms,
    timeoutMs: ms,
  }),
  restart: fc.record({
    policy: fc.constantFrom('always', 'on_failure', 'never'),
    max: fc.integer({ min: 0, max: 16 }),
    windowMs: ms,
    backoff: fc.record({ initialMs: ms, factor: fc.constantFrom(1, 2), maxMs: ms, jitter: fc.constantFrom(0, 0.1) }),
    successExitCodes: fc.constantFrom<ExitStatus[][]>([0], [0, 'SIGTERM']),
    stopExitCodes: fc.constantFrom<ExitStatus[][]>([], [78]),
  }),
  hooks: fc.record({ preStart: hook, postStart: hook, preStop: hook, postStop: hook }),
  limits: fc.record({ memoryBytes: fc.constantFrom(null, 512 << 20), cpu: fc.constantFrom(null, 1.5) }),
  attributes: fc.record({
    user: fc.constantFrom(null, 'www-data'),
    group: fc.constantFrom(null, 'adm'),
    umask: fc.constantFrom(0o022, 0o077),
    nice: fc.constantFrom(null, 10),
    oomScoreAdj: fc.constantFrom(null, 500),
    rlimits: fc.constantFrom({}, { nofile: 4096, core: 'unlimited' as const }),
  }),
  output: fc.record({
    out: fc.constantFrom<LogTarget[]>('default', 'discard', '/var/log/api.log'),
    err: fc.constantFrom<Output['err'][]>('default', 'merged', '/var/log/api-\0instance+0\0.err.log'),
    format: fc.constantFrom('plain', 'json'),
  }),
  rotation: fc.record({
    method: fc.constantFrom('auto', 'off'),
    maxSizeBytes: fc.constantFrom(1 << 20, 20 << 20),
    maxAgeMs: fc.oneof(fc.constant(null), ms),
    keep: fc.integer({ min: 0, max: 10 }),
    keepForMs: fc.oneof(fc.constant(null), ms),
    totalSizeBytes: fc.constantFrom(null, 100 << 20),
    compress: fc.constantFrom('none', 'gzip', 'zstd'),
  }),
  rollout: fc.record({
    maxSurge: fc.constantFrom<Share[]>(0, 1, '25%', '100%'),
    maxUnavailable: fc.constantFrom<Share[]>(0, 1, '50%'),
    soakMs: ms,
    check: hook,
    deadlineMs: ms,
    onFailure: fc.constantFrom('rollback', 'keep', 'pause'),
    order: fc.constantFrom('ascending', 'descending'),
    exclusive: fc.boolean(),
  }),
  dependsOn: fc.constant({}),
  restartsWith: fc.constant([]),
  job: fc.record({
    retries: fc.integer({ min: 0, max: 3 }),
    run: fc.constant('on_change' as const),
    timeoutMs: fc.oneof(fc.constant(null), ms),
  }),
  inputs: fc.constantFrom({}, { 'a.sql': 'abc123' }, { 'a.sql': null }),
  watch: fc.constantFrom(null, {
    paths: ['/srv/shop/src'],
    ignore: ['*.log'],
    debounceMs: 200,
    action: 'restart' as const,
  }),
  schedule: fc.oneof(
    fc.constant(null),
    fc.record({
      cron: fc.constantFrom('0 3 * * *', '*/5 * * * *'),
      timezone: fc.constantFrom(null, 'Europe/Zurich'),
      overlap: fc.constantFrom('skip', 'queue', 'replace'),
      missed: fc.constantFrom('skip', 'run_once'),
      history: fc.constant(10),
    }),
  ),
})

const condition = fc.constantFrom<DependencyCondition[]>('started', 'ready', 'completed')

/** Dependencies only point forwards in this order, so that no mix of two scopes has a cycle. */
const DEPENDENTS_FIRST = ['worker', 'api', 'redis', 'constructor', 'mailer', 'auth', 'toString'] as const

const flags = fc.array(fc.boolean(), { minLength: 3, maxLength: 3 })

/** Apps by name, with dependencies among them. */
export const specs: fc.Arbitrary<Record<string, AppSpec>> = fc.shuffledSubarray([...APP_NAMES]).chain((names) =>
  fc
    .tuple(...names.map((name) => fc.record({ spec: appSpec, dependsOn: dependencies(name), restarts: flags })))
    .map((drawn) =>
      Object.fromEntries(
        drawn.map(({ spec, dependsOn, restarts }, index) => {
          const restartsWith = Object.keys(dependsOn).filter((_, at) => restarts[at] === true)
          return [names[index] ?? '', { ...spec, dependsOn, restartsWith }]
        }),
      ),
    ),
)

/** May name an app that the scope lacks: `eco delete` leaves such behind. */
function dependencies(app: (typeof APP_NAMES)[number]): fc.Arbitrary<AppSpec['dependsOn']> {
  const later = DEPENDENTS_FIRST.slice(DEPENDENTS_FIRST.indexOf(app) + 1)
  if (later.length === 0) return fc.constant({})
  return fc.dictionary(fc.constantFrom(...later), condition, { maxKeys: 3, noNullPrototype: true })
}

const exit: fc.Arbitrary<Exit> = fc.oneof(
  fc.record({ kind: fc.constant('code' as const), code: fc.constantFrom(0, 0, 1), at: fc.nat() }),
  fc.record({ kind: fc.constant('signal' as const), signal: fc.constant('SIGKILL'), at: fc.nat() }),
  fc.record({ kind: fc.constant('spawn-error' as const), message: nastyString, at: fc.nat() }),
)

export const observedInstance: fc.Arbitrary<ObservedInstance> = fc.record({
  slot: fc.integer({ min: 0, max: 5 }),
  version: fc.integer({ min: 1, max: 3 }),
  state: fc.constantFrom(
    'starting',
    'running',
    'running',
    'draining',
    'stopping',
    'stopped',
    'backoff',
    'exited',
    'failed',
  ),
  ready: fc.boolean(),
  pid: fc.option(fc.nat(), { nil: null }),
  startedAt: fc.option(fc.nat(), { nil: null }),
  restarts: fc.nat({ max: 20 }),
  lastExit: fc.option(exit, { nil: null }),
  reason: fc.option(nastyString, { nil: null }),
})

const observedApp: fc.Arbitrary<ObservedApp> = fc.record({ instances: fc.array(observedInstance, { maxLength: 6 }) })

export const observedState: fc.Arbitrary<ObservedState> = fc.record({
  apps: fc.dictionary(fc.constantFrom(...APP_NAMES), observedApp, { noNullPrototype: true }),
  foreignPorts: fc.uniqueArray(
    fc.record({ port, pid: fc.option(fc.nat(), { nil: null }), command: fc.option(nastyString, { nil: null }) }),
    { selector: (holder) => holder.port, maxLength: 2 },
  ),
})

const hold: fc.Arbitrary<Hold> = fc.record({
  instances: fc.integer({ min: 0, max: 5 }),
  verb: fc.constantFrom('stop', 'scale'),
  by: nastyString,
  at: fc.nat(),
})

/** An applied state of these specs, or none; holds are only of apps that exist, and jobs can only be stopped. */
export function appliedState(of: Record<string, AppSpec>): fc.Arbitrary<AppliedState> {
  const names = Object.keys(of)
  if (names.length === 0) return fc.constant(NOTHING_APPLIED)
  return fc
    .record({
      serial: fc.integer({ min: 1, max: 99 }),
      versions: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: names.length, maxLength: names.length }),
      holds: fc.array(fc.option(hold, { nil: null, freq: 3 }), { minLength: names.length, maxLength: names.length }),
      file: fc.constantFrom('/srv/shop/ecosystem.yaml', '/srv/shop/ecosystem.yaml', '/home/me/ecosystem.yaml'),
    })
    .map(({ serial, versions, holds, file }) => ({
      serial,
      source: { file, git: null },
      apps: Object.fromEntries(
        Object.entries(of).map(([name, spec], index) => [name, { version: versions[index] ?? 1, spec }]),
      ),
      holds: Object.fromEntries(
        names.flatMap((name, index) => {
          const held = holds[index] ?? null
          if (held === null) return []
          const instances = of[name]?.kind === 'service' ? held.instances : 0
          return [[name, { ...held, instances, verb: instances === 0 ? held.verb : ('scale' as const) }]]
        }),
      ),
    }))
}

const FATES = ['keep', 'keep', 'seal', 'env', 'stop', 'instances', 'replace', 'drop'] as const

/** Specs like the given ones: some kept, some changed in a field, some gone, some new. */
export function edited(of: Record<string, AppSpec>): fc.Arbitrary<Record<string, AppSpec>> {
  const fates = fc.array(fc.constantFrom(...FATES), { minLength: APP_NAMES.length, maxLength: APP_NAMES.length })
  return fc.tuple(specs, fates).map(([others, drawn]) =>
    Object.fromEntries(
      APP_NAMES.flatMap((name, index) => {
        const old = Object.hasOwn(of, name) ? of[name] : undefined
        const young = Object.hasOwn(others, name) ? others[name] : undefined
        const spec = old === undefined ? young : young === undefined ? old : edit(old, young, drawn[index] ?? 'keep')
        return spec === undefined ? [] : [[name, spec]]
      }),
    ),
  )
}

function edit(old: AppSpec, young: AppSpec, fate: (typeof FATES)[number]): AppSpec | undefined {
  switch (fate) {
    case 'keep':
      return old
    case 'seal':
      return { ...old, env: resealed(old.env), ambient: young.ambient }
    case 'env':
      return { ...old, env: young.env }
    case 'stop':
      return { ...old, stop: young.stop, dependsOn: young.dependsOn, restartsWith: young.restartsWith }
    case 'instances':
      return { ...old, instances: young.instances }
    case 'replace':
      return young
    case 'drop':
      return undefined
    default:
      return undefined
  }
}

/** The same secrets, as another load of the file would seal them. */
export function resealed(env: AppSpec['env']): AppSpec['env'] {
  const entries = Object.entries(env).map(([name, value]) => [
    name,
    value.type === 'secret' ? { ...value, sealed: `${SECRET_MARK}:again` } : value,
  ])
  return Object.fromEntries(entries)
}
