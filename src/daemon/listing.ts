/** What runs, in the form `eco ls --json` promises (DESIGN §8). */

import type { AppStateName, InstanceStateName, ObservedInstance } from '../model/observed.ts'
import { instanceName } from '../model/ids.ts'
import type { AppliedApp, Hold } from '../model/applied.ts'
import type { AppSpec, Listen } from '../model/spec.ts'
import type { LocalEngine } from '../engine/local/local-engine.ts'
import type { Monitor } from './monitor.ts'
import { isoTime, type ListedApp, type ListedInstance } from './protocol.ts'
import type { ScopeKeeper } from './scope-keeper.ts'

export function listApp(keeper: ScopeKeeper, app: string, engine: LocalEngine, monitor: Monitor): ListedApp {
  const applied = own(keeper.applied.apps, app)
  const hold = own(keeper.applied.holds, app) ?? null
  const observed = engine.groups(keeper.scope).get(app)?.observe().instances ?? []
  const waiting = engine.waiting(keeper.scope, app)
  const spec = applied?.spec ?? waiting?.spec
  const wanted = wantedCount(spec, hold)
  const runs = observed.some(({ pid }) => pid !== null)
  const nextRun = engine.nextRun(keeper.scope, app)
  const { project, environment } = keeper.scope
  // Spelled out: a literal that begins with a spread takes ten times as long, and this is every app of every `eco ls`.
  return {
    project,
    environment,
    app,
    kind: spec?.kind ?? 'service',
    wanted,
    ready: observed.filter((instance) => instance.ready).length,
    state: waiting && !runs ? 'starting' : appState(applied, observed, keeper.isDown ? 0 : wanted),
    reason: (runs ? null : waiting?.reason) ?? observed.find(({ reason }) => reason !== null)?.reason ?? null,
    revision: keeper.applied.serial,
    version: applied?.version ?? 0,
    hold: hold && { verb: hold.verb, instances: hold.instances, by: hold.by, at: isoTime(hold.at) },
    listen: spec?.listen.map(listenText) ?? [],
    schedule: spec?.schedule?.cron ?? null,
    next_run_at: nextRun === null ? null : isoTime(nextRun),
    instances: observed.map((instance) => listInstance(app, instance, monitor)),
  }
}

/** App names are the user's: `constructor` is one. */
function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

/** The apps of a scope: those applied, and those of an apply that is on its way. */
export function appNames(keeper: ScopeKeeper, engine: LocalEngine): string[] {
  const names = new Set([...Object.keys(keeper.applied.apps), ...engine.groups(keeper.scope).keys()])
  return [...names].sort()
}

function listInstance(app: string, instance: ObservedInstance, monitor: Monitor): ListedInstance {
  const usage = instance.pid === null ? null : monitor.usageOf(instance.pid)
  return {
    id: instanceName(app, instance.slot),
    slot: instance.slot,
    pid: instance.pid,
    state: instance.state,
    ready: instance.ready,
    version: instance.version,
    started_at: instance.startedAt === null ? null : isoTime(instance.startedAt),
    restarts: instance.restarts,
    cpu_percent: usage?.cpuPercent ?? null,
    cpu_window_ms: usage?.cpuWindowMs ?? null,
    memory_bytes: usage?.memoryBytes ?? null,
    last_exit: instance.lastExit,
    reason: instance.reason,
    notes: instance.notes,
  }
}

function wantedCount(spec: AppSpec | undefined, hold: Hold | null): number {
  if (!spec || spec.kind === 'cron') return 0
  if (spec.kind === 'job') return 1
  return hold?.instances ?? spec.instances
}

/** Mildest first; an app shows the worst of its instances. */
const BY_BADNESS: readonly InstanceStateName[] = [
  'running',
  'exited',
  'stopped',
  'draining',
  'stopping',
  'starting',
  'backoff',
  'failed',
]

export function appState(
  applied: AppliedApp | undefined,
  observed: readonly ObservedInstance[],
  wanted: number,
): AppStateName {
  const worst = observed.reduce<InstanceStateName | null>(
    (so, { state }) => (so === null || BY_BADNESS.indexOf(state) > BY_BADNESS.indexOf(so) ? state : so),
    null,
  )
  const kind = applied?.spec.kind ?? 'service'
  if (kind !== 'service' && worst === 'exited') return kind === 'cron' ? 'scheduled' : 'completed'
  if (worst !== null) return worst
  if (kind === 'cron') return 'scheduled'
  return wanted > 0 ? 'failed' : 'stopped'
}

function listenText(listen: Listen): number | string {
  if (listen.type === 'unix') return listen.path
  return listen.host === null ? listen.port : `${listen.host}:${listen.port}`
}
