import type { Backoff, RestartPolicy } from '../model/spec.ts'
import type { Fault } from './instance-state.ts'

/**
 * The crashes an instance is remembered for. `upClock` adds up the time it was up, back-off pauses left out: measured
 * by the wall, a growing back-off would stretch every crash loop beyond the window and no loop would ever end.
 */
export interface RestartHistory {
  /** Milliseconds the instance has been up so far. */
  readonly upClock: number
  /** `upClock` at each restart within the window, oldest first. */
  readonly marks: readonly number[]
  /** Restarts in a row without a stable run between them: what the back-off grows with. */
  readonly inARow: number
}

export const NO_RESTARTS: RestartHistory = { upClock: 0, marks: [], inARow: 0 }

/** An instance that was up this long before it ended starts its back-off afresh. */
const STABLE_MS = 10_000

export type RestartDecision =
  | { readonly type: 'restart'; readonly delayMs: number; readonly history: RestartHistory; readonly reason: string }
  | { readonly type: 'leave' | 'give-up'; readonly history: RestartHistory; readonly reason: string }

/**
 * Decides what happens after an instance ended by itself.
 *
 * @param upMs how long it was up in this run, from ready to its end, milliseconds; 0 when it was never ready
 * @param dice chance, from 0 to 1, for the jitter of the pause
 * @returns a decision with the reason shown to the user; never throws
 *
 * Source: OTP's restart intensity and period; reasons as in Nomad's restart tracker.
 */
export function decideRestart(
  policy: RestartPolicy,
  history: RestartHistory,
  { clean, final }: Pick<Fault, 'clean' | 'final'>,
  upMs: number,
  dice: number,
): RestartDecision {
  if (isRun(policy)) return decideRetry(policy, history, clean, dice)
  const upClock = history.upClock + Math.max(0, upMs)
  const marks = history.marks.filter((mark) => mark > upClock - policy.windowMs)
  const inARow = upMs >= STABLE_MS ? 0 : history.inARow
  if (final) {
    return { type: 'leave', history: { upClock, marks, inARow }, reason: 'this is one of its stop_exit_codes' }
  }
  if (policy.policy === 'never' || (policy.policy === 'on_failure' && clean)) {
    const reason = `restart policy is ${policy.policy}`
    return { type: clean ? 'leave' : 'give-up', history: { upClock, marks, inARow }, reason }
  }
  if (marks.length >= policy.max) {
    const reason = `${marks.length} restart${marks.length === 1 ? '' : 's'} within ${policy.windowMs / 1000}s of running`
    return { type: 'give-up', history: { upClock, marks, inARow }, reason }
  }
  const attempt = marks.length + 1
  return {
    type: 'restart',
    delayMs: withJitter(backoffDelay(policy.backoff, inARow), policy.backoff.jitter, dice),
    history: { upClock, marks: [...marks, upClock], inARow: inARow + 1 },
    reason: `restart ${attempt} of ${policy.max}`,
  }
}

/** The policy of a job or a cron run: it ends by design, and what restarts it is a retry. */
export function retryPolicy(policy: RestartPolicy, retries: number): RestartPolicy {
  return { ...policy, policy: 'on_failure', max: retries, windowMs: Number.POSITIVE_INFINITY, stopExitCodes: [] }
}

/** Whether the policy is one of runs. */
export function isRun({ windowMs }: RestartPolicy): boolean {
  return windowMs === Number.POSITIVE_INFINITY
}

/** There is a pause before every retry, however long the attempt before it took. */
function decideRetry(policy: RestartPolicy, history: RestartHistory, clean: boolean, dice: number): RestartDecision {
  const { max, backoff } = policy
  const retry = history.inARow + 1
  if (clean) return { type: 'leave', history, reason: 'its run is over' }
  if (retry > max) {
    return { type: 'give-up', history, reason: max === 0 ? 'it has no retries' : `all ${max + 1} attempts failed` }
  }
  return {
    type: 'restart',
    delayMs: withJitter(backoffDelay(backoff, retry), backoff.jitter, dice),
    history: { ...history, inARow: retry },
    reason: `retry ${retry} of ${max}`,
  }
}

/** 0 for the first crash after a stable run, then initial, initial × factor … up to max. Milliseconds. */
export function backoffDelay(backoff: Backoff, inARow: number): number {
  if (inARow === 0) return 0
  return Math.min(backoff.initialMs * backoff.factor ** (inARow - 1), backoff.maxMs)
}

/** Longer or shorter by up to the share `jitter`, so that instances that failed together do not try again together. */
function withJitter(delayMs: number, jitter: number, dice: number): number {
  return delayMs * (1 + jitter * (2 * dice - 1))
}
