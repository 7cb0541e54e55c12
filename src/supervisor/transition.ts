import { unreachable } from '../errors.ts'
import type { EpochMs } from '../model/ids.ts'
import { describeExit, type Exit } from '../model/observed.ts'
import type { RestartPolicy, StopPolicy } from '../model/spec.ts'
import { decideRestart, NO_RESTARTS, type RestartHistory } from './restart-policy.ts'

/**
 *             start                  ready                       stop, or replaced
 *  stopped ─────────► starting ───────────────► running ──────────────────────────────► stopping ──► stopped
 *     ▲                 │  │ deadline             │ exit                                  │  grace over: SIGKILL the group
 *     │ policy: leave   │  └──────────► stopping ◄┘ (rest of the group)                   │  waits until the group is empty
 *  exited ◄─────────────┴──────────────────┤                                              │
 *                                          ├──► backoff ──► starting                       ▼
 *                                          └──► failed (policy gives up)       wanted up again: starting
 *
 * What is wanted is kept apart from the phase; the phase holds only what exists in it; the one deadline means what the
 * phase says. Events of an older incarnation are ignored.
 */
export type Phase =
  | { readonly name: 'stopped' }
  | { readonly name: 'starting'; readonly pid: number | null; readonly since: EpochMs; readonly deadline: EpochMs }
  | { readonly name: 'running'; readonly pid: number; readonly since: EpochMs; readonly readyAt: EpochMs }
  | {
      readonly name: 'stopping'
      readonly pid: number
      readonly since: EpochMs
      /** null: it was never ready, so that nothing of this run counts as up. */
      readonly readyAt: EpochMs | null
      /** When SIGKILL follows, or follows again. */
      readonly deadline: EpochMs
      readonly killed: boolean
      /** Known once the main process has ended; the rest of its group may live on. */
      readonly exit: Exit | null
      /** Why it stops when nobody asked it to: it ended by itself, or was not ready in time. */
      readonly fault: Fault | null
    }
  | { readonly name: 'backoff'; readonly until: EpochMs; readonly reason: string }
  | { readonly name: 'exited' }
  | { readonly name: 'failed'; readonly reason: string }

/** Why a run is over that nobody ended. `clean`: it ended by itself, with exit code 0. */
export interface Fault {
  readonly reason: string
  readonly clean: boolean
}

export interface Instance {
  readonly wanted: 'up' | 'down'
  readonly phase: Phase
  /** Counts the spawns; every event about a process carries the one it belongs to. */
  readonly incarnation: number
  readonly history: RestartHistory
  /** Restarts since the operator last started it. */
  readonly restarts: number
  readonly lastExit: Exit | null
}

export const NEW_INSTANCE: Instance = {
  wanted: 'down',
  phase: { name: 'stopped' },
  incarnation: 0,
  history: NO_RESTARTS,
  restarts: 0,
  lastExit: null,
}

export type InstanceEvent =
  | { readonly type: 'start' | 'stop' | 'deadline' }
  | { readonly type: 'spawned'; readonly incarnation: number; readonly pid: number }
  | { readonly type: 'ready'; readonly incarnation: number }
  | { readonly type: 'exited'; readonly incarnation: number; readonly exit: Exit }
  | { readonly type: 'group-empty'; readonly incarnation: number }

export type Effect =
  | { readonly type: 'spawn'; readonly incarnation: number }
  | { readonly type: 'watch-ready'; readonly incarnation: number; readonly pid: number }
  | { readonly type: 'signal-group'; readonly pid: number; readonly signal: NodeJS.Signals }
  /** Report `group-empty` once no process of the group is left. */
  | { readonly type: 'await-group'; readonly incarnation: number; readonly pid: number }
  /** The one timer of the instance; null: none. */
  | { readonly type: 'set-deadline'; readonly at: EpochMs | null }
  | { readonly type: 'record'; readonly message: string }

/** The part of a spec that decides how an instance lives. */
export interface LifePolicy {
  readonly stop: StopPolicy
  readonly restart: RestartPolicy
  readonly readyTimeoutMs: number
}

export interface Transition {
  readonly instance: Instance
  readonly effects: readonly Effect[]
}

/** Pause between one SIGKILL and the next, for a group that keeps forking or sits in the kernel. Milliseconds. */
const KILL_AGAIN_MS = 1000

/**
 * What an event makes of an instance. Pure: the clock comes in, the effects go out.
 *
 * @param now epoch milliseconds
 */
export function transition(instance: Instance, event: InstanceEvent, policy: LifePolicy, now: EpochMs): Transition {
  if ('incarnation' in event && event.incarnation !== instance.incarnation) return stay(instance)
  switch (event.type) {
    case 'start':
      return onStart({ ...instance, wanted: 'up' }, policy, now)
    case 'stop':
      return onStop({ ...instance, wanted: 'down' }, policy, now)
    case 'spawned':
      return onSpawned(instance, event.pid, policy, now)
    case 'ready':
      return onReady(instance, now)
    case 'exited':
      return onExited(instance, event.exit, policy, now)
    case 'group-empty':
      return onGroupEmpty(instance, policy, now)
    case 'deadline':
      return onDeadline(instance, policy, now)
    default:
      return unreachable(event)
  }
}

/** The pid whose process group belongs to the instance, while it has one. */
export function pidOf(instance: Instance): number | null {
  const { phase } = instance
  return phase.name === 'starting' || phase.name === 'running' || phase.name === 'stopping' ? phase.pid : null
}

function onStart(instance: Instance, policy: LifePolicy, now: EpochMs): Transition {
  switch (instance.phase.name) {
    case 'stopped':
    case 'exited':
    case 'failed':
    case 'backoff':
      // An operator's start forgives: the count of restarts begins again.
      return spawn({ ...instance, history: NO_RESTARTS, restarts: 0 }, policy, now)
    case 'starting':
    case 'running':
      return stay(instance)
    case 'stopping':
      // Started again once the group is empty; whatever it stops for is forgiven.
      return move(instance, { ...instance.phase, fault: null }, [])
    default:
      return unreachable(instance.phase)
  }
}

function onStop(instance: Instance, policy: LifePolicy, now: EpochMs): Transition {
  const { phase } = instance
  switch (phase.name) {
    case 'stopped':
      return stay(instance)
    case 'exited':
    case 'failed':
    case 'backoff':
      return move(instance, { name: 'stopped' }, [{ type: 'set-deadline', at: null }])
    case 'starting':
      if (phase.pid === null) return stay(instance) // the spawn is under way: onSpawned stops it
      return beginStop(instance, phase.pid, phase.since, null, policy, now)
    case 'running':
      return beginStop(instance, phase.pid, phase.since, null, policy, now)
    case 'stopping':
      return stay(instance)
    default:
      return unreachable(phase)
  }
}

function onSpawned(instance: Instance, pid: number, policy: LifePolicy, now: EpochMs): Transition {
  const { phase } = instance
  if (phase.name !== 'starting') return stay(instance)
  if (instance.wanted === 'down') return beginStop(instance, pid, phase.since, null, policy, now)
  return move(instance, { ...phase, pid }, [
    // Once more: it may have come, and found no process to stop, while the spawn was under way.
    { type: 'set-deadline', at: phase.deadline },
    { type: 'watch-ready', incarnation: instance.incarnation, pid },
  ])
}

function onReady(instance: Instance, now: EpochMs): Transition {
  const { phase } = instance
  if (phase.name !== 'starting' || phase.pid === null) return stay(instance)
  return move(instance, { name: 'running', pid: phase.pid, since: phase.since, readyAt: now }, [
    { type: 'set-deadline', at: null },
  ])
}

function onExited(instance: Instance, exit: Exit, policy: LifePolicy, now: EpochMs): Transition {
  const { phase } = instance
  const known = { ...instance, lastExit: exit }
  switch (phase.name) {
    case 'starting':
      // A spawn that failed has no process and no group.
      if (phase.pid === null) return settle(known, faultOf(exit), 0, policy, now)
      return beginStop(known, phase.pid, phase.since, exit, policy, now)
    case 'running':
      return beginStop(known, phase.pid, phase.since, exit, policy, now)
    case 'stopping':
      return move(known, { ...phase, exit }, [])
    case 'stopped':
    case 'backoff':
    case 'exited':
    case 'failed':
      return stay(instance)
    default:
      return unreachable(phase)
  }
}

function onGroupEmpty(instance: Instance, policy: LifePolicy, now: EpochMs): Transition {
  const { phase } = instance
  if (phase.name !== 'stopping') return stay(instance)
  const exit = phase.exit ?? { kind: 'unknown', at: now }
  if (phase.fault !== null || instance.wanted === 'down') {
    // Up from ready until it ended: what the rest of its group took to end does not count.
    const upMs = phase.readyAt === null ? 0 : exit.at - phase.readyAt
    return settle({ ...instance, lastExit: exit }, phase.fault ?? faultOf(exit), upMs, policy, now)
  }
  // Stopped on request, and wanted again meanwhile: that is a restart by the operator.
  return spawn({ ...instance, lastExit: exit, history: NO_RESTARTS, restarts: 0 }, policy, now)
}

function onDeadline(instance: Instance, policy: LifePolicy, now: EpochMs): Transition {
  const { phase } = instance
  switch (phase.name) {
    case 'starting': {
      if (now < phase.deadline) return move(instance, phase, [{ type: 'set-deadline', at: phase.deadline }])
      if (phase.pid === null) return stay(instance)
      // Not clean, even if it answers the stop signal with exit code 0.
      const fault = { reason: `not ready within ${policy.readyTimeoutMs / 1000}s`, clean: false }
      return beginStop(instance, phase.pid, phase.since, null, policy, now, fault)
    }
    case 'stopping': {
      if (now < phase.deadline) return move(instance, phase, [{ type: 'set-deadline', at: phase.deadline }])
      const at = now + KILL_AGAIN_MS
      const effects: Effect[] = [
        { type: 'signal-group', pid: phase.pid, signal: 'SIGKILL' },
        { type: 'set-deadline', at },
      ]
      if (!phase.killed) {
        const message = `did not end within ${policy.stop.timeoutMs / 1000}s of ${policy.stop.signal}; sent SIGKILL`
        effects.unshift({ type: 'record', message })
      }
      return move(instance, { ...phase, deadline: at, killed: true }, effects)
    }
    case 'backoff':
      if (now < phase.until) return move(instance, phase, [{ type: 'set-deadline', at: phase.until }])
      return spawn(instance, policy, now)
    case 'stopped':
    case 'running':
    case 'exited':
    case 'failed':
      return stay(instance)
    default:
      return unreachable(phase)
  }
}

function spawn(instance: Instance, policy: LifePolicy, now: EpochMs): Transition {
  const incarnation = instance.incarnation + 1
  const deadline = now + policy.readyTimeoutMs
  return {
    instance: { ...instance, incarnation, phase: { name: 'starting', pid: null, since: now, deadline } },
    effects: [
      { type: 'set-deadline', at: deadline },
      { type: 'spawn', incarnation },
    ],
  }
}

/**
 * Ends the group. With `exit` the main process is gone already and only the rest of its group is asked to end;
 * usually there is none, and `group-empty` follows at once.
 */
function beginStop(
  instance: Instance,
  pid: number,
  since: EpochMs,
  exit: Exit | null,
  policy: LifePolicy,
  now: EpochMs,
  fault: Fault | null = exit && instance.wanted === 'up' ? faultOf(exit) : null,
): Transition {
  const deadline = now + policy.stop.timeoutMs
  const readyAt = instance.phase.name === 'running' ? instance.phase.readyAt : null
  return move(
    instance,
    { name: 'stopping', pid, since, readyAt, deadline, killed: policy.stop.signal === 'SIGKILL', exit, fault },
    [
      { type: 'signal-group', pid, signal: policy.stop.signal },
      { type: 'set-deadline', at: deadline },
      { type: 'await-group', incarnation: instance.incarnation, pid },
    ],
  )
}

/** Nothing of the instance is left: what now? */
function settle(instance: Instance, fault: Fault, upMs: number, policy: LifePolicy, now: EpochMs): Transition {
  if (instance.wanted === 'down') return move(instance, { name: 'stopped' }, [{ type: 'set-deadline', at: null }])
  const decision = decideRestart(policy.restart, instance.history, fault.clean, upMs)
  const next = { ...instance, history: decision.history }
  const what = fault.reason
  switch (decision.type) {
    case 'restart': {
      const again = { ...next, restarts: next.restarts + 1 }
      const pause = decision.delayMs > 0 ? ` in ${Math.round(decision.delayMs)} ms` : ''
      const record: Effect = { type: 'record', message: `${what}; restarting${pause} (${decision.reason})` }
      if (decision.delayMs <= 0) {
        const spawned = spawn(again, policy, now)
        return { ...spawned, effects: [record, ...spawned.effects] }
      }
      const until = now + Math.round(decision.delayMs)
      return move(again, { name: 'backoff', until, reason: what }, [record, { type: 'set-deadline', at: until }])
    }
    case 'leave':
      return move(next, { name: 'exited' }, [
        { type: 'record', message: `${what}; left as it is (${decision.reason})` },
        { type: 'set-deadline', at: null },
      ])
    case 'give-up': {
      const reason = `${what}: ${decision.reason}`
      return move(next, { name: 'failed', reason }, [
        { type: 'record', message: `failed: ${reason}` },
        { type: 'set-deadline', at: null },
      ])
    }
    default:
      return unreachable(decision)
  }
}

function faultOf(exit: Exit): Fault {
  return { reason: describeExit(exit), clean: exit.kind === 'code' && exit.code === 0 }
}

function move(instance: Instance, phase: Phase, effects: readonly Effect[]): Transition {
  return { instance: { ...instance, phase }, effects }
}

function stay(instance: Instance): Transition {
  return { instance, effects: [] }
}
