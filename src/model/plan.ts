/**
 * A plan: drift, changes and steps, never mixed (DESIGN §5). It is data: it can be printed, saved, compared and refused.
 */

import type { ScopeId } from './ids.ts'
import type { Impact } from './impact.ts'
import type { AppliedApp } from './applied.ts'
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
  /** JSON value before; null when absent or secret. */
  readonly before: unknown
  readonly after: unknown
  readonly sensitive: boolean
  /** Fingerprints before and after of a secret; null where that side is absent or plain. */
  readonly fingerprints: readonly [string | null, string | null] | null
}

export interface AppChange {
  readonly app: string
  readonly kind: 'create' | 'update' | 'destroy'
  readonly impact: Impact
  readonly fields: readonly FieldChange[]
  readonly fromVersion: number | null
  readonly toVersion: number | null
}

export type StepAction = 'start' | 'run' | 'schedule' | 'update' | 'scale' | 'roll' | 'restart' | 'stop' | 'remove'

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
  readonly impact: Impact
  /** Steps that must succeed first. */
  readonly after: readonly number[]
  /** What the step waits for before it counts as done: `ready: http :3000/healthz within 30s`. Null: nothing. */
  readonly gate: string | null
  /** Instances before and after. */
  readonly from: number
  readonly to: number
  /** The slots it acts on, in order. */
  readonly slots: readonly number[]
  readonly operations: readonly Operation[]
}

/** A reason why this plan may not be applied as it stands. */
export interface Guard {
  readonly id: 'empty-scope' | 'other-source' | 'foreign-port' | 'port-conflict'
  readonly message: string
  /** What to type to go on; null when the flag was given or nothing would help. */
  readonly remedy: string | null
}

export interface Plan {
  /** `p-<serial>-<digest>`: equal plans have equal ids, so an id names exactly what was shown. */
  readonly id: string
  readonly scope: ScopeId
  readonly source: Source
  /** Serial of the applied state this plan starts from. */
  readonly base: number
  readonly drift: readonly DriftItem[]
  readonly changes: readonly AppChange[]
  readonly steps: readonly Step[]
  readonly guards: readonly Guard[]
  readonly unchanged: readonly string[]
  /** Holds this plan ends. */
  readonly endsHolds: readonly string[]
}

/** A plan with the applied state it leads to; the executor needs both. */
export interface PlannedChange {
  readonly plan: Plan
  readonly next: Readonly<Record<string, AppliedApp>>
}

/** Changes or drift that a plan would act on. */
export function hasWork(plan: Plan): boolean {
  return plan.steps.length > 0
}
