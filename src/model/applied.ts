/** What was last applied to a scope: the memory against which desired and observed are compared. */

import type { EpochMs } from './ids.ts'
import type { AppSpec, Source } from './spec.ts'

/** Format of stored specs. A newer eco migrates older ones before it compares them. */
export const SPEC_FORMAT = 2

export interface AppliedApp {
  /** Counts up with every change of this app; instances name the version they run. */
  readonly version: number
  readonly spec: AppSpec
}

/** An operator's `eco stop` or `eco scale`: remembered, shown, ended by the next apply or when its time is over. */
export interface Hold {
  /** Instances wanted while the hold lasts; 0 for `eco stop`. */
  readonly instances: number
  readonly verb: 'stop' | 'scale'
  readonly by: string
  readonly at: EpochMs
  /** When it ends by itself; left out: never. */
  readonly until?: EpochMs
}

/** Its time is over: it is none any more, even while nobody has taken note of that. */
export function isOver({ until }: Hold, now: EpochMs): boolean {
  return until !== undefined && until <= now
}

export interface AppliedState {
  /** 0: nothing was ever applied. */
  readonly serial: number
  readonly source: Source | null
  readonly apps: Readonly<Record<string, AppliedApp>>
  readonly holds: Readonly<Record<string, Hold>>
}

/** Whether the same is applied: what did not change is the same object, however many plans it went through. */
export function sameApps(before: AppliedState['apps'], after: AppliedState['apps']): boolean {
  const names = Object.keys(after)
  if (names.length !== Object.keys(before).length) return false
  return names.every((app) => Object.hasOwn(before, app) && before[app]?.spec === after[app]?.spec)
}

export const NOTHING_APPLIED: AppliedState = { serial: 0, source: null, apps: {}, holds: {} }
