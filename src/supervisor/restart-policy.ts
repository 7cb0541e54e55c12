import type { Backoff, RestartPolicy } from '../model/spec.ts'

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
 * @param clean whether it ended as if its work were done: exit code 0
 * @param upMs how long it was up in this run, from ready to its end, milliseconds; 0 when it was never ready
 * @returns a decision with the reason shown to the user; never throws
 *
 * Source: OTP's restart intensity and period; reasons as in Nomad's restart tracker.
 */
export function decideRestart(
  policy: RestartPolicy,
  history: RestartHistory,
  clean: boolean,
  upMs: number,
): RestartDecision {
  const upClock = history.upClock + Math.max(0, upMs)
  const marks = history.marks.filter((mark) => mark > upClock - policy.windowMs)
  const inARow = upMs >= STABLE_MS ? 0 : history.inARow
  if (policy.policy === 'never' || (policy.policy === 'on_failure' && clean)) {
    const reason = `restart policy is ${policy.policy}`
    return { type: clean ? 'leave' : 'give-up', history: { upClock, marks, inARow }, reason }
  }
  if (marks.length >= policy.max) {
    const reason = `${marks.length} restarts within ${policy.windowMs / 1000}s of running`
    return { type: 'give-up', history: { upClock, marks, inARow }, reason }
  }
  const attempt = marks.length + 1
  return {
    type: 'restart',
    delayMs: backoffDelay(policy.backoff, inARow),
    history: { upClock, marks: [...marks, upClock], inARow: inARow + 1 },
    reason: `restart ${attempt} of ${policy.max}`,
  }
}

/** 0 for the first crash after a stable run, then initial, initial × factor … up to max. Milliseconds. */
export function backoffDelay(backoff: Backoff, inARow: number): number {
  if (inARow === 0) return 0
  return Math.min(backoff.initialMs * backoff.factor ** (inARow - 1), backoff.maxMs)
}
