/** What runs, in the form `eco ls --json` promises (DESIGN §8). */

import type { AppStateName, InstanceStateName, ObservedInstance } from '../model/observed.ts'
import { instanceName } from '../model/ids.ts'
import type { AppliedApp, Hold } from '../model/applied.ts'
import type { AppSpec, Listen } from '../model/spec.ts'
import type { LocalEngine } from '../engine/local/local-engine.ts'
import type { RolloutStatus } from '../model/rollout.ts'
import type { Monitor } from './monitor.ts'
import {
  lastRun,
  NO_RUNS,
  outcomeText,
  skippedSince,
  type RunHistory,
  type Run,
  type RunOutcome,
} from '../model/runs.ts'
import { isoTime, type ListedApp, type ListedHold, type ListedInstance, type ListedRun } from './protocol.ts'
import { rolloutText } from './rollout-commands.ts'
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
  const history = spec && spec.kind !== 'service' ? engine.history(keeper.scope, app) : NO_RUNS
  const last = lastRun(history)
  const rollout = engine.rollout(keeper.scope, app)?.status
  const { project, environment } = keeper.scope
  // Spelled out: a literal that begins with a spread takes ten times as long, and this is every app of every `eco ls`.
  return {
    project,
    environment,
    app,
    kind: spec?.kind ?? 'service',
    wanted,
    ready: observed.filter((instance) => instance.ready).length,
    state: waiting && !runs ? 'starting' : appState(applied, observed, keeper.isDown ? 0 : wanted, hold),
    reason: (runs ? null : waiting?.reason) ?? rolloutReason(rollout) ?? reasonOf(spec, observed, history),
    revision: keeper.applied.serial,
    version: applied?.version ?? 0,
    hold: hold && listHold(hold),
    listen: [...(spec?.listen ?? []), ...(engine.groups(keeper.scope).get(app)?.learnt ?? [])].map(listenText),
    rollout: rollout === undefined ? null : rolloutText(rollout),
    schedule: spec?.schedule?.cron ?? null,
    next_run_at: nextRun === null ? null : isoTime(nextRun),
    last_run: last && listRun(last),
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
    recent_restarts: instance.recentRestarts ?? 0,
    next_attempt_at: instance.nextAttemptAt === undefined ? null : isoTime(instance.nextAttemptAt),
    last_exit: instance.lastExit,
    reason: instance.reason,
    notes: instance.notes,
  }
}

function listHold({ verb, instances, by, at, until }: Hold): ListedHold {
  return { verb, instances, by, at: isoTime(at), until: until === undefined ? null : isoTime(until) }
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
  hold: Hold | null = null,
): AppStateName {
  const worst = observed.reduce<InstanceStateName | null>(
    (so, { state }) => (so === null || BY_BADNESS.indexOf(state) > BY_BADNESS.indexOf(so) ? state : so),
    null,
  )
  const kind = applied?.spec.kind ?? 'service'
  if (kind === 'cron' && (worst === null || ENDED.has(worst))) return hold === null ? 'scheduled' : 'stopped'
  if (kind === 'job' && worst === 'exited') return 'completed'
  if (worst !== null) return worst
  return wanted > 0 ? 'failed' : 'stopped'
}

const ENDED: ReadonlySet<InstanceStateName> = new Set(['exited', 'failed', 'stopped'])

/** `rollout to v4: 1 of 2`, `rollout to v4 paused at 1 of 2: …` */
function rolloutReason(status: RolloutStatus | undefined): string | null {
  if (status === undefined) return null
  const { state, fromVersion, toVersion, updated, wanted, reason } = status
  if (state === 'rolling-back') return `going back to v${fromVersion}: ${reason}`
  const how = state === 'paused' ? ` paused at ${updated} of ${wanted}` : `: ${updated} of ${wanted}`
  return `rollout to v${toVersion}${how}${state === 'paused' && reason !== null ? `: ${reason}` : ''}`
}

/** Why an app is as it is. A cron app whose last run went wrong says so until one goes well. */
function reasonOf(
  spec: AppSpec | undefined,
  observed: readonly ObservedInstance[],
  history: RunHistory,
): string | null {
  const going = observed.find(({ state, reason }) => reason !== null && (spec?.kind !== 'cron' || !ENDED.has(state)))
  if (going) return going.reason
  if (spec?.kind !== 'cron') return null
  const skipped = skippedSince(history)
  if (skipped) return `${skipped.count > 1 ? `${skipped.count} runs` : 'last run'} skipped: ${skipped.reason}`
  const last = lastRun(history)
  if (last === null || !WENT_WRONG.has(last.outcome)) return null
  const attempts = last.attempts > 1 ? ` (${last.attempts} attempts)` : ''
  return `last run ${outcomeText(last.outcome)}: ${last.reason ?? 'nobody knows why'}${attempts}`
}

const WENT_WRONG: ReadonlySet<RunOutcome | null> = new Set(['failed', 'timed-out', 'unknown'])

export function listRun(run: Run): ListedRun {
  const { trigger, version, scheduledAt, startedAt, endedAt, outcome, reason, exit, attempts, count } = run
  return {
    trigger,
    version,
    scheduled_at: scheduledAt === null ? null : isoTime(scheduledAt),
    started_at: startedAt === null ? null : isoTime(startedAt),
    ended_at: endedAt === null ? null : isoTime(endedAt),
    duration_ms: startedAt === null || endedAt === null ? null : Math.max(0, endedAt - startedAt),
    outcome,
    reason,
    exit,
    attempts,
    count,
  }
}

function listenText(listen: Listen): number | string {
  if (listen.type === 'unix') return listen.path
  return listen.host === null ? listen.port : `${listen.host}:${listen.port}`
}
