import { unreachable } from '../errors.ts'
import type { EpochMs } from '../model/ids.ts'
import type { Exit } from '../model/observed.ts'
import type { HookName } from '../model/spec.ts'
import type { Effect, Fault, Instance, InstanceEvent, LifePolicy, Transition } from './instance-state.ts'
import {
  beginStop,
  CANCEL_HOOK,
  conclude,
  drain,
  end,
  endStart,
  faultOf,
  forgiven,
  kill,
  move,
  NO_DEADLINE,
  nothingRan,
  record,
  run,
  settle,
  spawn,
  start,
  stay,
  tooLate,
  withEffects,
} from './lifecycle.ts'

/**
 *             start                  ready                    stop, or replaced
 *  stopped ─────────► starting ───────────────► running ────────────────────────────► stopping ──► stopped
 *     ▲                 │  │ deadline             │ exit, or fault (liveness, memory)    │  grace over: SIGKILL the group
 *     │ policy: leave   │  └──────────► stopping ◄┘ (rest of the group)                  │  waits until the group is empty
 *  exited ◄─────────────┴──────────────────┤                                             │
 *                                          ├──► backoff ──► starting                      ▼
 *                                          └──► failed (policy gives up)      wanted up again: starting
 *
 * What is wanted is kept apart from the phase; the phase holds only what exists in it; the one deadline means what the
 * phase says. Hooks are steps of `starting` and `stopping`; so is the drain, between the pre_stop hook and the request to
 * end, for an instance that is well. Events of an older incarnation are ignored.
 */

/**
 * What an event makes of an instance. Pure: the clock comes in, the effects go out.
 *
 * @param now epoch milliseconds of a clock that never jumps
 */
export function transition(instance: Instance, event: InstanceEvent, policy: LifePolicy, now: EpochMs): Transition {
  if ('incarnation' in event && event.incarnation !== instance.incarnation) return stay(instance)
  switch (event.type) {
    case 'start':
      return onStart({ ...instance, wanted: 'up' }, policy, now)
    case 'stop':
      return onStop({ ...instance, wanted: 'down' }, policy, now)
    case 'reset':
      return onReset(instance, policy, now)
    case 'spawned':
      return onSpawned(instance, event.pid, policy, now)
    case 'ready':
      return onReady(instance, policy, now)
    case 'readiness':
      return onReadiness(instance, event.reason)
    case 'fault':
      return onFault(instance, event, policy, now)
    case 'drained':
      return onDrained(instance, policy, now)
    case 'exited':
      return onExited(instance, event.exit, policy, now)
    case 'group-empty':
      return onGroupEmpty(instance, policy, now)
    case 'hook-ended':
      return onHookEnded(instance, event.hook, event.failure, policy, now)
    case 'deadline':
      return onDeadline(instance, event, policy, now)
    default:
      return unreachable(event)
  }
}

function onStart(instance: Instance, policy: LifePolicy, now: EpochMs): Transition {
  switch (instance.phase.name) {
    case 'stopped':
    case 'exited':
    case 'failed':
    case 'backoff':
      // An operator's start forgives: the count of restarts begins again.
      return start(forgiven(instance), policy, now)
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
    case 'exited':
    case 'failed':
    case 'backoff':
      return move(instance, { name: 'stopped' }, [NO_DEADLINE])
    case 'starting':
      // Without a process yet, there is nothing to end: onSpawned or onHookEnded sees that it is not wanted.
      if (phase.pid === null) return phase.step === 'pre_start' ? move(instance, phase, [CANCEL_HOOK]) : stay(instance)
      return endStart(instance, policy, now, null)
    case 'running':
      return beginStop(instance, phase, policy, now, null)
    case 'stopped':
    case 'stopping':
      return stay(instance)
    default:
      return unreachable(phase)
  }
}

/** Forgets its restarts; one that had given up, or waits for its next attempt, tries again at once. */
function onReset(instance: Instance, policy: LifePolicy, now: EpochMs): Transition {
  const { phase, wanted } = instance
  const fresh = forgiven(instance)
  const waits = phase.name === 'failed' || phase.name === 'backoff'
  const message = record('reset', waits ? 'reset; starting again' : 'reset: its restarts count from zero again')
  return withEffects([message], waits && wanted === 'up' ? start(fresh, policy, now) : stay(fresh))
}

function onSpawned(instance: Instance, pid: number, policy: LifePolicy, now: EpochMs): Transition {
  const { phase } = instance
  if (phase.name !== 'starting' || phase.step !== 'spawn') return stay(instance)
  const deadline = now + policy.readyTimeoutMs
  const spawned = { ...phase, step: 'ready', pid, since: now, deadline } as const
  if (instance.wanted === 'down') return endStart({ ...instance, phase: spawned }, policy, now, null)
  return move(instance, spawned, [
    record('started', `started, pid ${pid}`),
    { type: 'set-deadline', at: deadline },
    { type: 'watch-ready', incarnation: instance.incarnation, pid },
  ])
}

function onReady(instance: Instance, policy: LifePolicy, now: EpochMs): Transition {
  const { phase } = instance
  if (phase.name !== 'starting' || phase.step !== 'ready') return stay(instance)
  if (!policy.hooks.has('post_start')) return run(instance, policy, now)
  return move(instance, { ...phase, step: 'post_start', deadline: null }, [
    NO_DEADLINE,
    { type: 'run-hook', incarnation: instance.incarnation, hook: 'post_start' },
  ])
}

function onReadiness(instance: Instance, reason: string | null): Transition {
  const { phase } = instance
  if (phase.name !== 'running') return stay(instance)
  const wasReady = phase.unready === null
  const next = { ...phase, unready: reason }
  if (wasReady === (reason === null)) return move(instance, next, [])
  const told =
    reason === null
      ? record('ready', 'ready: its readiness probe passes')
      : record('unready', `not ready: ${reason}`, reason)
  return move(instance, next, [told])
}

function onFault(
  instance: Instance,
  { reason, urgent, serves }: Extract<InstanceEvent, { type: 'fault' }>,
  policy: LifePolicy,
  now: EpochMs,
): Transition {
  const { phase } = instance
  const fault: Fault = { reason, clean: false, final: false, serves }
  const told = record('fault', reason, reason)
  switch (phase.name) {
    case 'starting':
      if (phase.pid === null) return stay(instance)
      return withEffects([told], endStart(instance, policy, now, fault, urgent))
    case 'running':
      return withEffects([told], beginStop(instance, phase, policy, now, fault, urgent))
    case 'stopping':
      // It was asked already, and there is no more time for that.
      if (!urgent || phase.killed || phase.step === 'post_stop') return stay(instance)
      if (phase.step === 'ending') return withEffects([told], kill(instance, now))
      return withEffects(
        phase.step === 'pre_stop' ? [told, CANCEL_HOOK] : [told],
        end(instance, phase, policy, now, phase.fault, urgent),
      )
    case 'stopped':
    case 'backoff':
    case 'exited':
    case 'failed':
      return stay(instance)
    default:
      return unreachable(phase)
  }
}

function onDrained(instance: Instance, policy: LifePolicy, now: EpochMs): Transition {
  const { phase } = instance
  if (phase.name !== 'stopping' || phase.step !== 'drain') return stay(instance)
  return end(instance, phase, policy, now, phase.fault)
}

function onExited(instance: Instance, exit: Exit, policy: LifePolicy, now: EpochMs): Transition {
  const { phase } = instance
  const known = { ...instance, lastExit: exit }
  switch (phase.name) {
    case 'starting':
      // A spawn that failed has no process and no group.
      if (phase.pid === null) return conclude(known, nothingRan(now, exit, faultOf(exit, policy)), policy, now)
      return endStart(known, policy, now, known.wanted === 'up' ? faultOf(exit, policy) : null, false, exit)
    case 'running':
      return end(known, phase, policy, now, known.wanted === 'up' ? faultOf(exit, policy) : null, false, exit)
    case 'stopping':
      if (phase.step === 'pre_stop') {
        // Gone before it was asked: the hook has nothing left to do.
        return withEffects([CANCEL_HOOK], end(known, phase, policy, now, phase.fault, false, exit))
      }
      if (phase.step === 'drain') return end(known, phase, policy, now, phase.fault, false, exit)
      return move(known, { ...phase, exit, endedAt: now }, [])
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
  if (phase.name !== 'stopping' || phase.step !== 'ending') return stay(instance)
  const exit = phase.exit ?? { kind: 'unknown', at: now }
  return conclude({ ...instance, lastExit: exit }, { ...phase, exit, endedAt: phase.endedAt ?? now }, policy, now)
}

function onHookEnded(
  instance: Instance,
  hook: HookName,
  failure: string | null,
  policy: LifePolicy,
  now: EpochMs,
): Transition {
  const { phase } = instance
  if ((phase.name !== 'starting' && phase.name !== 'stopping') || phase.step !== hook) return stay(instance)
  const reason = `its ${hook} hook failed: ${failure}`
  if (phase.name === 'stopping') {
    // A failure is told, and changes nothing: it stops all the same.
    const told = failure === null ? [] : [record('hook_failed', reason, reason)]
    return withEffects(
      told,
      hook === 'pre_stop' ? drain(instance, phase, policy, now, phase.fault) : settle(instance, phase, policy, now),
    )
  }
  if (hook === 'pre_start') {
    if (instance.wanted === 'down') return conclude(instance, nothingRan(now, null, null), policy, now)
    if (failure === null) return spawn(instance, now)
    const exit: Exit = { kind: 'hook', message: reason, at: now }
    return conclude({ ...instance, lastExit: exit }, nothingRan(now, exit, faultOf(exit, policy)), policy, now)
  }
  if (failure === null) return run(instance, policy, now)
  const started: Instance = phase.name === 'starting' ? { ...instance, phase: { ...phase, step: 'ready' } } : instance
  const fault: Fault = { reason, clean: false, final: false, serves: false }
  return withEffects([record('hook_failed', reason, reason)], endStart(started, policy, now, fault))
}

function onDeadline(
  instance: Instance,
  { waitingFor = null, left = null }: Extract<InstanceEvent, { type: 'deadline' }>,
  policy: LifePolicy,
  now: EpochMs,
): Transition {
  const { phase } = instance
  const due = phase.name === 'backoff' ? phase.until : 'deadline' in phase ? phase.deadline : null
  if (due === null) return stay(instance)
  // A timer may fire a little early.
  if (now < due) return move(instance, phase, [{ type: 'set-deadline', at: due }])
  switch (phase.name) {
    case 'starting': {
      const why = waitingFor === null ? '' : `: ${waitingFor}`
      // Not clean, even if it answers the stop signal with exit code 0.
      return endStart(instance, policy, now, tooLate(`not ready within ${policy.readyTimeoutMs / 1000}s${why}`))
    }
    case 'running': {
      const fault = tooLate(`did not end within ${(policy.runTimeoutMs ?? 0) / 1000}s`)
      return beginStop(instance, phase, policy, now, fault)
    }
    case 'stopping': {
      const { signal, timeoutMs } = policy.stop
      if (phase.step === 'drain') {
        return withEffects([drainedOut(policy.drainMs, left)], end(instance, phase, policy, now, phase.fault))
      }
      const told = record('killed', `did not end within ${timeoutMs / 1000}s of ${signal}; sent SIGKILL`)
      return withEffects(phase.killed ? [] : [told], kill(instance, now))
    }
    case 'backoff':
      return start(instance, policy, now)
    case 'stopped':
    case 'exited':
    case 'failed':
      return stay(instance)
    default:
      return unreachable(phase)
  }
}

function drainedOut(drainMs: number, left: number | null): Effect {
  const what = left === null ? 'connections' : left === 1 ? '1 connection' : `${left} connections`
  const were = left === 1 ? 'was' : 'were'
  return record('note', `${what} ${were} still open when its drain of ${drainMs / 1000}s was over`)
}
