import type { Hold } from '../model/applied.ts'
import { instanceName } from '../model/ids.ts'
import { describeExit } from '../model/observed.ts'
import type { ObservedInstance } from '../model/observed.ts'
import type { DriftItem } from '../model/plan.ts'
import type { AppSpec } from '../model/spec.ts'
import { runningFrom } from './action.ts'
import type { Action } from './action.ts'
import { runStatus } from './run-action.ts'
import type { Survey } from './survey.ts'

/** What drift is told from: what was applied and what runs; `action` says what the plan does about it. */
export interface DriftInput {
  readonly app: string
  readonly spec: AppSpec
  readonly version: number
  readonly hold: Hold | null
  /** The hold does not outlive this plan. */
  readonly holdEnds: boolean
  readonly wanted: number
  readonly survey: Survey
  readonly action: Action | null
}

/** Where the observed instances of an app differ from what was applied. */
export function findDrift(input: DriftInput): readonly DriftItem[] {
  const { spec, hold, survey } = input
  if (hold === null && spec.kind === 'service' && isAsApplied(input)) return NO_DRIFT
  const items: DriftItem[] = []
  if (hold !== null) items.push(held(input, hold))
  if (spec.kind === 'job') pushJobDrift(input, items)
  if (spec.kind !== 'service') return items
  const isDown = survey.bySlot.size === 0 && input.wanted > 1
  if (isDown) items.push(item(input, null, 'missing', `none of ${input.wanted} instances runs`))
  else for (let slot = 0; slot < input.wanted; slot++) pushSlotDrift(input, slot, items)
  for (const slot of runningFrom(survey, input.wanted).toReversed()) {
    items.push(item(input, slot, 'extra', `runs, but ${count(input.wanted)} wanted`))
  }
  return items
}

const NO_DRIFT: readonly DriftItem[] = []

function isAsApplied({ survey, wanted, version }: DriftInput): boolean {
  if (survey.bySlot.size !== wanted || survey.running.size !== wanted) return false
  for (const [slot, instance] of survey.bySlot) {
    if (slot >= wanted || instance.state === 'backoff' || instance.version !== version) return false
  }
  return true
}

function pushSlotDrift(input: DriftInput, slot: number, items: DriftItem[]): void {
  const { survey, spec, version } = input
  const instance = survey.bySlot.get(slot)
  if (survey.finished.has(slot) && spec.restart.policy !== 'always') return
  if (instance === undefined) {
    items.push(item(input, slot, 'missing', 'not running'))
  } else if (!survey.running.has(slot)) {
    const kind = instance.state === 'failed' || instance.state === 'exited' ? 'failed' : 'missing'
    items.push(item(input, slot, kind, reason(instance)))
  } else if (instance.version !== version) {
    items.push(item(input, slot, 'outdated', `runs v${instance.version}, v${version} was applied`))
  } else if (instance.state === 'backoff') {
    const cause = `${reason(instance)}, ${instance.restarts} restart${instance.restarts === 1 ? '' : 's'}`
    items.push({ ...item(input, slot, 'crashing', cause), heal: 'supervisor' })
  }
}

function pushJobDrift(input: DriftInput, items: DriftItem[]): void {
  if (input.hold !== null) return
  const status = runStatus(input.survey, input.version)
  const run = input.survey.bySlot.get(0)
  if (status === 'missing') items.push(item(input, null, 'missing', `never ran as v${input.version}`))
  if (status === 'failed' && run !== undefined) items.push(item(input, null, 'failed', `last run: ${reason(run)}`))
  if (status === 'running' && run?.state === 'backoff') {
    items.push({ ...item(input, null, 'crashing', reason(run)), heal: 'supervisor' })
  }
}

function held(input: DriftInput, hold: Hold): DriftItem {
  const verb = hold.verb === 'stop' ? `eco stop ${input.app}` : `eco scale ${input.app} ${hold.instances}`
  const until = hold.until === undefined ? '' : ` until ${new Date(hold.until).toISOString()}`
  const cause = `${verb} by ${hold.by} at ${new Date(hold.at).toISOString()}${until}`
  return { app: input.app, instance: null, kind: 'held', cause, heal: input.holdEnds ? 'step' : 'none' }
}

function item(input: DriftInput, slot: number | null, kind: DriftItem['kind'], cause: string): DriftItem {
  const instance = slot === null ? null : instanceName(input.app, slot)
  return { app: input.app, instance, kind, cause, heal: isHealed(input.action, slot, kind) ? 'step' : 'none' }
}

/** The step repairs it when it starts the slot, or stops what is too much. */
function isHealed(action: Action | null, slot: number | null, kind: DriftItem['kind']): boolean {
  if (action === null) return false
  if (slot === null) return action.to > 0 && action.slots.length > 0
  if (kind !== 'extra') return slot < action.to && action.slots.includes(slot)
  return slot < action.to || action.slots.includes(slot)
}

function reason(instance: ObservedInstance): string {
  if (instance.reason !== null) return instance.reason
  return instance.lastExit === null ? instance.state : describeExit(instance.lastExit)
}

function count(wanted: number): string {
  return wanted === 1 ? '1 instance is' : `${wanted} instances are`
}
