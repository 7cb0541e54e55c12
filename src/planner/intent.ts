/** What the caller of plan() wants. */

import type { Verb } from '../model/plan.ts'

/** `eco apply`: make the scope what the file says. */
export interface ApplyIntent {
  readonly kind: 'apply'
  /** Names of apps; null: the whole scope. */
  readonly only: readonly string[] | null
  readonly allowEmpty: boolean
  readonly takeOver: boolean
  /** Holds stay in force: how the daemon brings back what was applied. */
  readonly keepHolds?: boolean
  /** What is wanted is not the file's: it is the revision with this serial. */
  readonly rollbackTo?: number
}

/** An operator's verb: an edit of what was applied. */
export interface VerbIntent {
  readonly kind: 'verb'
  readonly verb: Verb
  readonly apps: readonly VerbTarget[]
  /** For `scale`; null for the others, and with `delta`. */
  readonly instances: number | null
  /** For `scale`: so many more or less than each app wants now. */
  readonly delta?: number
  /** For `stop` and `scale`: the hold ends by itself after this long. */
  readonly forMs?: number
  /** Who, for the hold: `deploy@tty1`. */
  readonly by: string
  /** Lets `delete` leave an empty scope. */
  readonly allowEmpty?: boolean
}

export interface VerbTarget {
  readonly app: string
  /** For `restart`; null: all. */
  readonly slots: readonly number[] | null
  /** Why, when it is not an operator who asks: `src/server.js changed`. */
  readonly cause?: string
}

export type Intent = ApplyIntent | VerbIntent
