/** The moves from phase to phase that the handlers of `transition.ts` are made of. Pure. */

import type { InstanceEventName } from '../model/events.ts'
import { unreachable } from '../errors.ts'
import { isOneOf } from '../model/exit.ts'
import type { EpochMs } from '../model/ids.ts'
import { describeExit, type Exit } from '../model/observed.ts'
import type { Effect, Fault, Instance, LifePolicy, Phase, Running, Stopping, Transition } from './instance-state.ts'
import { decideRestart, isRun, NO_RESTARTS } from './restart-policy.ts'

/** Pause between one SIGKILL and the next, for a group that keeps forking or sits in the kernel. Milliseconds. */
const KILL_AGAIN_MS = 1000

const NOT_ASKED = 'its readiness probe has not passed yet'

/** Up: from now on its time counts, and its life is watched. */
export function run(instance: Instance, policy: LifePolicy, now: EpochMs): Transition {
  const { phase, incarnation } = instance
  if (phase.name !== 'starting' || phase.pid === null) return stay(instance)
  const { pid, since } = phase
  const deadline = policy.runTimeoutMs === null ? null : now + policy.runTimeoutMs
  const unready = policy.hasReadiness ? NOT_ASKED : null
  const what = policy.hasReadiness ? 'started' : 'ready'
  // A run is never ready: it is under way.
  const told = isRun(policy.restart) ? [] : [record('ready', `${what} after ${((now - since) / 1000).toFixed(1)}s`)]
  return move(instance, { name: 'running', pid, since, readyAt: now, unready, deadline }, [
    ...told,
    { type: 'set-deadline', at: deadline },
    { type: 'watch-life', incarnation, pid },
  ])
}

/** Begins a new incarnation. */
export function start(instance: Instance, policy: LifePolicy, now: EpochMs): Transition {
  const next = { ...instance, incarnation: instance.incarnation + 1 }
  if (!policy.hooks.has('pre_start')) return spawn(next, now)
  return move(next, { name: 'starting', step: 'pre_start', pid: null, since: now, deadline: null }, [
    NO_DEADLINE,
    { type: 'run-hook', incarnation: next.incarnation, hook: 'pre_start' },
  ])
}

export function spawn(instance: Instance, now: EpochMs): Transition {
  return move(instance, { name: 'starting', step: 'spawn', pid: null, since: now, deadline: null }, [
    NO_DEADLINE,
    { type: 'spawn', incarnation: instance.incarnation },
  ])
}

/** Ends a start whose process is there. */
export function endStart(
  instance: Instance,
  policy: LifePolicy,
  now: EpochMs,
  fault: Fault | null,
  urgent = false,
  exit: Exit | null = null,
): Transition {
  const { phase } = instance
  if (phase.name !== 'starting' || phase.pid === null) return stay(instance)
  const hook = phase.step === 'post_start' ? [CANCEL_HOOK] : []
  const { pid, since } = phase
  const from = { pid, since, readyAt: null }
  // From its post_start hook on it serves.
  const drains = phase.step === 'post_start' && fault === null && !urgent && exit === null
  const next = drains
    ? drain(instance, from, policy, now, fault)
    : end(instance, from, policy, now, fault, urgent, exit)
  return withEffects(hook, next)
}

/** Ends a running instance; its pre_stop hook and its drain come first, unless there is no time. */
export function beginStop(
  instance: Instance,
  phase: Running,
  policy: LifePolicy,
  now: EpochMs,
  fault: Fault | null,
  urgent = false,
): Transition {
  if (urgent) return end(instance, phase, policy, now, fault, urgent)
  if (!policy.hooks.has('pre_stop')) return drain(instance, phase, policy, now, fault)
  const { pid, since, readyAt } = phase
  const stopping: Stopping = {
    name: 'stopping',
    step: 'pre_stop',
    pid,
    since,
    readyAt,
    deadline: null,
    killed: false,
    exit: null,
    endedAt: null,
    fault,
  }
  return move(instance, stopping, [
    NO_DEADLINE,
    { type: 'run-hook', incarnation: instance.incarnation, hook: 'pre_stop' },
  ])
}

/** Has it finish what it has begun, where it can: one that does not answer is asked to end at once. */
export function drain(
  instance: Instance,
  from: Pick<Stopping, 'pid' | 'since' | 'readyAt'>,
  policy: LifePolicy,
  now: EpochMs,
  fault: Fault | null,
): Transition {
  const { pid, since, readyAt } = from
  if (pid === null || policy.drainMs === 0 || fault?.serves === false) return end(instance, from, policy, now, fault)
  const deadline = now + policy.drainMs
  return move(
    instance,
    { name: 'stopping', step: 'drain', pid, since, readyAt, deadline, killed: false, exit: null, endedAt: null, fault },
    [
      { type: 'drain', incarnation: instance.incarnation, pid },
      { type: 'set-deadline', at: deadline },
    ],
  )
}

/**
 * Asks the processes to end. With `exit` the main process is gone already and only the rest of its group is asked;
 * usually there is none, and `group-empty` follows at once.
 */
export function end(
  instance: Instance,
  from: Pick<Stopping, 'pid' | 'since' | 'readyAt'>,
  policy: LifePolicy,
  now: EpochMs,
  fault: Fault | null,
  urgent = false,
  exit: Exit | null = null,
): Transition {
  const { pid, since, readyAt } = from
  if (pid === null) return stay(instance)
  const { incarnation } = instance
  const { signal, message, exec, timeoutMs } = policy.stop
  const killed = urgent || signal === 'SIGKILL'
  const deadline = now + (urgent ? KILL_AGAIN_MS : timeoutMs)
  const ask: Effect =
    exit === null && !urgent && (message !== null || exec !== null)
      ? { type: 'ask-to-stop', incarnation, pid }
      : { type: 'signal-group', pid, signal: urgent ? 'SIGKILL' : signal }
  const endedAt = exit === null ? null : now
  return move(
    instance,
    { name: 'stopping', step: 'ending', pid, since, readyAt, deadline, killed, exit, endedAt, fault },
    [ask, { type: 'set-deadline', at: deadline }, { type: 'await-group', incarnation, pid }],
  )
}

export function kill(instance: Instance, now: EpochMs): Transition {
  const { phase } = instance
  if (phase.name !== 'stopping' || phase.pid === null) return stay(instance)
  const at = now + KILL_AGAIN_MS
  return move(instance, { ...phase, deadline: at, killed: true }, [
    { type: 'signal-group', pid: phase.pid, signal: 'SIGKILL' },
    { type: 'set-deadline', at },
  ])
}

/** Nothing of the run is left. Its post_stop hook comes first, then what follows is decided. */
export function conclude(instance: Instance, phase: Stopping, policy: LifePolicy, now: EpochMs): Transition {
  if (!policy.hooks.has('post_stop')) return settle(instance, phase, policy, now)
  return move(instance, { ...phase, step: 'post_stop', pid: null, deadline: null }, [
    NO_DEADLINE,
    { type: 'run-hook', incarnation: instance.incarnation, hook: 'post_stop' },
  ])
}

/** Nothing of the instance is left: what now? */
export function settle(
  instance: Instance,
  { fault, exit, readyAt, endedAt }: Stopping,
  policy: LifePolicy,
  now: EpochMs,
): Transition {
  if (instance.wanted === 'down')
    return move(instance, { name: 'stopped' }, [record('stopped', stopText(exit, policy)), NO_DEADLINE])
  // Stopped on request, and wanted again meanwhile: that is a restart by the operator.
  if (fault === null) return start(forgiven(instance), policy, now)
  // Up from ready until it ended: what the rest of its group took to end does not count.
  const upMs = readyAt === null ? 0 : (endedAt ?? now) - readyAt
  const decision = isUnknown(exit, fault, policy)
    ? ({ type: 'give-up', history: instance.history, reason: 'whether it succeeded is not known' } as const)
    : decideRestart(policy.restart, instance.history, fault, upMs, policy.dice)
  const next = { ...instance, history: decision.history }
  const what = fault.reason
  switch (decision.type) {
    case 'restart': {
      const again = { ...next, restarts: next.restarts + 1 }
      const pause = decision.delayMs > 0 ? ` in ${Math.round(decision.delayMs)} ms` : ''
      const verb = isRun(policy.restart) ? 'trying again' : 'restarting'
      const told = record('restarting', joined(what, `; ${verb}${pause} (${decision.reason})`), what)
      if (decision.delayMs <= 0) return withEffects([told], start(again, policy, now))
      const until = now + Math.round(decision.delayMs)
      return move(again, { name: 'backoff', until, reason: what }, [told, { type: 'set-deadline', at: until }])
    }
    case 'leave': {
      const left = isRun(policy.restart) ? what : joined(what, `; left as it is (${decision.reason})`)
      return move(next, { name: 'exited' }, [record('left', left, what), NO_DEADLINE])
    }
    case 'give-up': {
      const reason = joined(what, `: ${decision.reason}`)
      return move(next, { name: 'failed', reason }, [record('failed', `failed: ${reason}`, reason), NO_DEADLINE])
    }
    default:
      return unreachable(decision)
  }
}

/** What a hook printed stands below the first line of a reason, and stays there. */
function joined(reason: string, more: string): string {
  const [first, ...printed] = reason.split('\n')
  return [`${first}${more}`, ...printed].join('\n')
}

/** A run that nobody saw end may have done its work: it is not for eco to do it again. */
function isUnknown(exit: Exit | null, fault: Fault, { restart }: LifePolicy): boolean {
  return exit?.kind === 'unknown' && fault.reason === describeExit(exit) && isRun(restart)
}

export const NO_DEADLINE: Effect = { type: 'set-deadline', at: null }
export const CANCEL_HOOK: Effect = { type: 'cancel-hook' }

/** The end of a start that never had a process. */
export function nothingRan(now: EpochMs, exit: Exit | null, fault: Fault | null): Stopping {
  const times = { since: now, readyAt: null, deadline: null, endedAt: now }
  return { name: 'stopping', step: 'post_stop', pid: null, killed: false, exit, fault, ...times }
}

export function faultOf(exit: Exit, { restart }: LifePolicy): Fault {
  return {
    reason: describeExit(exit),
    clean: isOneOf(exit, restart.successExitCodes),
    final: isOneOf(exit, restart.stopExitCodes),
    serves: false,
  }
}

export function tooLate(reason: string): Fault {
  return { reason, clean: false, final: false, serves: false }
}

/** An end by the stop signal, or with success, goes without saying; so does that of an adopted process, not known. */
function stopText(exit: Exit | null, { stop, restart }: LifePolicy): string {
  if (exit === null || exit.kind === 'unknown' || isOneOf(exit, [stop.signal, ...restart.successExitCodes]))
    return 'stopped'
  return `stopped; it ${describeExit(exit)}`
}

export function forgiven(instance: Instance): Instance {
  return { ...instance, history: NO_RESTARTS, restarts: 0 }
}

export function record(event: InstanceEventName, message: string, reason: string | null = null): Effect {
  return { type: 'record', event, message, reason }
}

export function withEffects(first: readonly Effect[], { instance, effects }: Transition): Transition {
  return { instance, effects: [...first, ...effects] }
}

export function move(instance: Instance, phase: Phase, effects: readonly Effect[]): Transition {
  return { instance: { ...instance, phase }, effects }
}

export function stay(instance: Instance): Transition {
  return { instance, effects: [] }
}
