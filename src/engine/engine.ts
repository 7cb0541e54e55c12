/** What executes a plan. `local` is the daemon's supervisor; other engines can stand behind the same interface. */

import type { AppliedApp } from '../model/applied.ts'
import type { ScopeId } from '../model/ids.ts'
import type { ObservedState } from '../model/observed.ts'
import type { PlannedChange, Step } from '../model/plan.ts'
import type { DesiredState } from '../model/spec.ts'

/** One step with all the engine needs to know about its app. */
export interface StepOrder {
  readonly scope: ScopeId
  readonly step: Step
  /** The app as applied before this plan; null when it is new. */
  readonly before: AppliedApp | null
  /** The app after this plan; null when it is removed. */
  readonly after: AppliedApp | null
}

export type StepOutcome =
  | { readonly status: 'done' }
  /**
   * `failed`: neither the new version runs as it should nor the old one, or there was none. `kept`: what there is of both
   * versions stays, as `on_failure: keep` asks for.
   */
  | { readonly status: 'failed' | 'kept'; readonly reason: string; readonly log: readonly string[] }
  /** The old version is back. `isDown`: and does not serve, as it did not before. */
  | {
      readonly status: 'rolled-back'
      readonly reason: string
      readonly log: readonly string[]
      readonly isDown?: true
    }
  | { readonly status: 'skipped'; readonly reason: string }

/** An instance that is wanted and that does not get ready. */
export interface NotReady {
  readonly app: string
  readonly instance: string
  readonly reason: string
  readonly log: readonly string[]
}

export interface Engine {
  /** @param desired names the ports whose holders the planner wants to know; null: none */
  observe(scope: ScopeId, desired: DesiredState | null): ObservedState
  /**
   * Takes what the plan needs before anything is touched (sockets above all).
   *
   * @throws EcoError GUARD; then nothing was changed
   */
  prepare(scope: ScopeId, change: PlannedChange): void
  /** The step waits for these others before it is performed; the returned function ends that. */
  queue(order: StepOrder, behind: readonly Step[]): () => void
  /**
   * Carries out one step and waits for its gate. Expected failures are outcomes; a throw is a bug.
   *
   * @param signal ends a step that brings something up: what it has begun is stopped, and its outcome is `skipped`, with
   *   the signal's reason (a sentence)
   */
  perform(
    order: StepOrder,
    progress: (message: string, status?: 'progress' | 'paused') => void,
    signal: AbortSignal,
  ): Promise<StepOutcome>
}
