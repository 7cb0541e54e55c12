import type { Impact } from '../model/impact.ts'
import type { StepAction } from '../model/plan.ts'
import type { AppSpec } from '../model/spec.ts'
import type { Edit } from './edit.ts'
import type { Survey } from './survey.ts'

/** What a step does to an app, before it has a place in the plan. */
export interface Action {
  readonly action: StepAction
  readonly from: number
  readonly to: number
  readonly slots: readonly number[]
}

/** All that the choice of an action depends on. */
export interface Situation {
  /** What was applied; null: a new app. */
  readonly before: AppSpec | null
  readonly after: AppSpec
  readonly edit: Edit
  readonly survey: Survey
  /** Version that was applied; instances of another one are left over from an interrupted rollout. */
  readonly version: number
  /** Worst impact of the changed fields. */
  readonly impact: Impact
  /** Instances wanted up to now, and from now on. */
  readonly wanted: number
  readonly target: number
  /** A hold begins or ends. */
  readonly holdChanges: boolean
  /** New instances cannot share the ports of the running ones. */
  readonly socketsLost: boolean
  /** It is replaced because of others that are. */
  readonly cascades: boolean
}

/** Impact of a step that no change of the file explains. */
export const ACTION_IMPACT: Readonly<Record<StepAction, Impact>> = {
  start: 'scale',
  run: 'scale',
  schedule: 'live',
  update: 'live',
  scale: 'scale',
  roll: 'roll',
  restart: 'restart',
  stop: 'scale',
  remove: 'destroy',
}

/** `roll`, `restart` and what is worse replace instances. */
export function replacesInstances(impact: Impact): boolean {
  return impact === 'roll' || impact === 'restart' || impact === 'destroy'
}

/** An action that leaves no instance behind: whatever depended on the app has to go first. */
export function leavesNothing(action: Action): boolean {
  if (action.action === 'remove') return true
  return action.to === 0 && (action.action === 'stop' || action.action === 'scale')
}

/** Slots that run at or above `from`, highest first. */
export function runningFrom(survey: Survey, from: number): number[] {
  const slots: number[] = []
  for (const slot of survey.running.keys()) if (slot >= from) slots.push(slot)
  return slots.toSorted((a, b) => b - a)
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, slot) => slot)
}
