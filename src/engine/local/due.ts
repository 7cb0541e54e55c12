import type { EpochMs } from '../../model/ids.ts'

/** A run this late is still the run of its time: the daemon was busy, or the machine asleep for a moment. */
export const ON_TIME_MS = 60_000
/**
 * A clock that goes back by less stands still for the schedule, so that no run comes twice; after more it was wrong
 * before, and the schedule follows it. The limit is that of cron(8).
 */
const CLOCK_SET_BACK_MS = 3 * 3_600_000
/** Missed runs are counted up to here: nobody needs to know whether it was 86 399 or 86 400 seconds. */
export const COUNTED = 500

/** What the clock makes of a schedule. */
export interface Due {
  /** The run to start now was due at; null: none. */
  readonly at: EpochMs | null
  /** Runs that were due and never came, this many (up to `COUNTED`), the first and the last of them; null: none. */
  readonly missed: { readonly count: number; readonly first: EpochMs; readonly last: EpochMs } | null
  /** From here on is looked next time. */
  readonly consideredUntil: EpochMs
  /** The clock went back by so much that the schedule begins again at the new time. */
  readonly clockSetBack: boolean
}

/**
 * What has become due since a schedule was last looked at. Pure.
 *
 * @param next the first run after a time; null: never again
 * @param consideredUntil up to this time, included, everything has been seen to
 * @param onTimeMs how late a run may be that is started all the same; 0: whatever is due was missed
 */
export function whatIsDue(
  next: (after: EpochMs) => EpochMs | null,
  consideredUntil: EpochMs,
  now: EpochMs,
  onTimeMs: number,
): Due {
  if (now < consideredUntil - CLOCK_SET_BACK_MS) {
    return { at: null, missed: null, consideredUntil: now, clockSetBack: true }
  }
  let at: EpochMs | null = null
  const timely = Math.max(consideredUntil, now - onTimeMs)
  for (let run = next(timely); run !== null && run <= now; run = next(run)) at = run
  let count = 0
  let first: EpochMs | null = null
  let last: EpochMs = consideredUntil
  const end = at ?? now + 1
  for (let run = next(consideredUntil); run !== null && run < end && count < COUNTED; run = next(run)) {
    first ??= run
    last = run
    count++
  }
  return {
    at,
    missed: first === null ? null : { count, first, last },
    consideredUntil: at ?? (first === null ? consideredUntil : Math.max(last, now)),
    clockSetBack: false,
  }
}

/** `3 runs`, `at least 500 runs` */
export function countRuns(count: number): string {
  if (count >= COUNTED) return `at least ${COUNTED} runs`
  return count === 1 ? '1 run' : `${count} runs`
}
