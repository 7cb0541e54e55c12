/** Runs of jobs and cron apps: what is remembered of them. */

import type { EpochMs } from './ids.ts'
import type { Exit } from './observed.ts'

/**
 * `failed`: every attempt did. `stopped`: somebody, or the next run, ended it. `skipped`: it was due while another one
 * ran, or without what it depends on. `missed`: it was due while no daemon ran, or the machine slept. `unknown`: it ended while no daemon watched.
 */
export type RunOutcome = 'completed' | 'failed' | 'timed-out' | 'stopped' | 'skipped' | 'missed' | 'unknown'

export function outcomeText(outcome: RunOutcome | null): string {
  if (outcome === null) return 'running'
  return outcome === 'timed-out' ? 'timed out' : outcome
}

/** Why there is a run: it was due, it makes up for missed ones, an apply said so, or an operator. */
export type RunTrigger = 'schedule' | 'missed' | 'apply' | 'operator'

export interface Run {
  readonly trigger: RunTrigger
  /** Version of the app that ran. */
  readonly version: number
  /** When it was due; null: it was not on a schedule. */
  readonly scheduledAt: EpochMs | null
  /** Null: it never started (skipped, missed). */
  readonly startedAt: EpochMs | null
  /** Null: it goes on. */
  readonly endedAt: EpochMs | null
  /** Null: it goes on. */
  readonly outcome: RunOutcome | null
  /** Why it has this outcome: "exited with code 1". Null: nothing to say. */
  readonly reason: string | null
  /** How its last attempt ended. */
  readonly exit: Exit | null
  /** Attempts begun so far. */
  readonly attempts: number
  /** Due times it stands for: skipped and missed runs in a row are one entry. */
  readonly count: number
}

/** The runs of one app. */
export interface RunHistory {
  /** Up to this time every due run has been seen to; null: never armed. */
  readonly consideredUntil: EpochMs | null
  /** A run that waits for the one before it to end was due at; null: none waits. */
  readonly queuedAt: EpochMs | null
  /** Oldest first. */
  readonly runs: readonly Run[]
}

export const NO_RUNS: RunHistory = { consideredUntil: null, queuedAt: null, runs: [] }

/** The run that speaks for an app: the last one that started and ended. */
export function lastRun({ runs }: RunHistory): Run | null {
  return runs.findLast(({ startedAt, outcome }) => startedAt !== null && outcome !== null) ?? null
}

/** The due runs that were left out since the last one ended, for want of a dependency; null: none. */
export function skippedSince(history: RunHistory): Run | null {
  const latest = history.runs.at(-1)
  if (latest?.outcome !== 'skipped') return null
  // One that was due while a run went on ended before that run did.
  return (latest.endedAt ?? 0) > (lastRun(history)?.endedAt ?? 0) ? latest : null
}

/** The run that goes on. */
export function openRun({ runs }: RunHistory): Run | null {
  return runs.findLast(({ outcome }) => outcome === null) ?? null
}

/** Adds a run that never started; runs of the same fate in a row are one entry with a count. */
export function withoutStart(history: RunHistory, run: Run, limit: number): RunHistory {
  const last = history.runs.at(-1)
  if (last?.startedAt !== null || last.outcome !== run.outcome || last.version !== run.version) {
    return withRun(history, run, limit)
  }
  const both = { ...last, endedAt: run.endedAt, reason: run.reason, count: last.count + run.count }
  return { ...history, runs: [...history.runs.slice(0, -1), both] }
}

/** Adds a run, and forgets the oldest ones above the limit; never the one that goes on, or the last that ended. */
export function withRun(history: RunHistory, run: Run, limit: number): RunHistory {
  const runs = [...history.runs, run]
  const surplus = runs.length - limit
  if (surplus <= 0) return { ...history, runs }
  const last = lastRun({ ...history, runs })
  return { ...history, runs: runs.filter((it, i) => i >= surplus || it.outcome === null || it === last) }
}

/** Changes the run that goes on; nothing when none does. */
export function withOpen(history: RunHistory, change: Partial<Run>): RunHistory {
  const open = openRun(history)
  if (open === null) return history
  return { ...history, runs: history.runs.map((run) => (run === open ? { ...run, ...change } : run)) }
}
