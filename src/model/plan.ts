/**
 * A plan: drift, changes and steps, never mixed (DESIGN §5). It is data: it can be printed, saved, compared and refused.
 */

import type { ScopeId } from './ids.ts'
import type { Impact } from './impact.ts'
import type { AppliedApp, Hold } from './applied.ts'
import type { Source } from './spec.ts'

/** Observed differs from applied. */
export interface DriftItem {
  readonly app: string
  /** An instance (`api#1`) or null for the whole app. */
  readonly instance: string | null
  readonly kind: 'failed' | 'missing' | 'crashing' | 'held' | 'extra' | 'outdated' | 'foreign-port'
  readonly cause: string
  /** `step`: this plan repairs it; `supervisor`: already being repaired; `none`: left as it is; `blocked`: stops the plan. */
  readonly heal: 'step' | 'supervisor' | 'none' | 'blocked'
}

/** A field of an app whose value differs. Secrets carry fingerprints, never values. */
export interface FieldChange {
  /** Dotted path in the spec: `env.LOG_LEVEL`, `stop.timeoutMs`. */
  readonly path: string
  readonly impact: Impact
  /** JSON value before; null when absent. Both sides are null as soon as one of them is secret. */
  readonly before: unknown
  readonly after: unknown
  readonly sensitive: boolean
  /** Fingerprints before and after of a secret; null where that side is absent or plain. */
  readonly fingerprints: readonly [string | null, string | null] | null
  /** Where a secret comes from (`env:DATABASE_URL`), before and after; `plain` for a plain value, null when absent. */
  readonly sources: readonly [string | null, string | null] | null
}

export interface AppChange {
  readonly app: string
  readonly kind: 'create' | 'update' | 'destroy'
  /** Worst impact of the fields; `restart` where a roll is not possible. */
  readonly impact: Impact
  /** An update: all that differ. A creation: those that say what the app is (never its policies). A destruction: none. */
  readonly fields: readonly FieldChange[]
  readonly fromVersion: number | null
  readonly toVersion: number | null
}

/**
 * `start`: starts the slots that do not run · `run`: runs a job once · `schedule`: arms a cron app · `update`: no process is
 * touched · `scale`: starts the slots below `to` and stops the others · `roll`: replaces slot by slot, the new instance
 * ready before the old one stops · `restart`: stops before it starts · `stop`: stops, the app stays · `remove`: stops, the
 * app goes. Each of them also brings the app's other instances to its version in `PlannedChange.next`: a version that
 * differs only in live fields is taken over without touching the process.
 */
export type StepAction = 'start' | 'run' | 'schedule' | 'update' | 'scale' | 'roll' | 'restart' | 'stop' | 'remove'

/** What a step goes back to: the file, reality, the operator, or a job with `run: always`. */
export type StepTrigger = 'change' | 'drift' | 'verb' | 'always'

/** What an operator can ask for besides an apply. */
export type Verb = 'start' | 'stop' | 'restart' | 'reload' | 'scale' | 'delete'

/** One thing that happens to one instance: what the rollout of a step expands to. */
export interface Operation {
  readonly op: 'start' | 'wait_ready' | 'wait_exit' | 'stop'
  readonly instance: string
  readonly version: number
}

/** One action on one app. */
export interface Step {
  readonly id: number
  readonly app: string
  readonly action: StepAction
  readonly cause: string
  readonly trigger: StepTrigger
  readonly impact: Impact
  /** Steps that must succeed first; what brings an app up again that this plan took down only waits for their end. */
  readonly after: readonly number[]
  /** What the step waits for before it counts as done: `ready: http :3000/healthz within 30s`. Null: nothing. */
  readonly gate: string | null
  /** Instances that run before, and those wanted after; for `run` 0 and 1. */
  readonly from: number
  readonly to: number
  /** The slots it acts on, in order. */
  readonly slots: readonly number[]
  readonly operations: readonly Operation[]
}

/** A reason why this plan may not be applied as it stands. */
export interface Guard {
  readonly id: 'empty-scope' | 'other-source' | 'foreign-port' | 'port-conflict'
  /** The app it is about; null for the scope. */
  readonly app: string | null
  readonly message: string
  /** What to type to go on; null when the flag was given or nothing would help. */
  readonly remedy: string | null
}

export interface Plan {
  /** `p-<serial>-<digest>`: equal plans have equal ids, so an id names exactly what was shown. */
  readonly id: string
  readonly scope: ScopeId
  readonly source: Source
  /** The operator's verb; null for an apply. */
  readonly verb: Verb | null
  /** Serial of the revision whose apps are wanted; left out: those of the file, or of the verb. */
  readonly rollbackTo?: number
  /** The apps an apply or verb is limited to; null: all. What is not named is neither looked at nor listed. */
  readonly only: readonly string[] | null
  /** Serial of the applied state this plan starts from. */
  readonly base: number
  readonly drift: readonly DriftItem[]
  readonly changes: readonly AppChange[]
  readonly steps: readonly Step[]
  readonly guards: readonly Guard[]
  /** Apps without a change and without a step. */
  readonly unchanged: readonly string[]
  /** Apps and service instances wanted after the plan. */
  readonly totals: { readonly apps: number; readonly instances: number }
  /** Holds this plan ends. */
  readonly endsHolds: readonly string[]
}

/** A plan with the applied state it leads to; the executor needs both. */
export interface PlannedChange {
  readonly plan: Plan
  readonly next: Readonly<Record<string, AppliedApp>>
  readonly nextHolds: Readonly<Record<string, Hold>>
}

/** True when there is something to execute. A plan without steps may still carry drift and guards. */
export function hasWork(plan: Plan): boolean {
  return plan.steps.length > 0
}
