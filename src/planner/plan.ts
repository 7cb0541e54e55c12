import type { AppliedApp, AppliedState, Hold } from '../model/applied.ts'
import type { EpochMs } from '../model/ids.ts'
import type { ObservedState } from '../model/observed.ts'
import type { Guard, Plan, PlannedChange, Step, StepTrigger, Verb } from '../model/plan.ts'
import type { AppSpec, DesiredState } from '../model/spec.ts'
import { ACTION_IMPACT, leavesNothing } from './action.ts'
import { cascade } from './cascade.ts'
import { describeCause } from './cause.ts'
import { editApp, wantedInstances } from './edit.ts'
import { describeGate } from './gate.ts'
import type { Intent, VerbTarget } from './intent.ts'
import { expandOperations } from './operations.ts'
import { compareNames, orderSteps } from './order.ts'
import { planApp } from './plan-app.ts'
import type { AppOutcome } from './plan-app.ts'
import { planId } from './plan-id.ts'
import { restartHalves } from './restart-halves.ts'
import { scopeGuards } from './guards.ts'

export type { ApplyIntent, Intent, VerbIntent, VerbTarget } from './intent.ts'

export interface PlanInput {
  readonly desired: DesiredState
  readonly applied: AppliedState
  readonly observed: ObservedState
  readonly intent: Intent
  /** Recorded in the holds a verb begins, and ends those whose time is over; nothing else depends on it. */
  readonly now: EpochMs
}

const NO_DEPENDENCIES: AppSpec['dependsOn'] = {}
const NO_VERB = { verb: null, apps: [] as readonly VerbTarget[] }
const NOTHING_RUNS: ReadonlyMap<number, number> = new Map()

/**
 * Plans the way from what was applied and what runs to what the file (or the operator) wants.
 *
 * Pure: it has no way to act, no clock and no memory. Equal inputs give equal plans with equal ids.
 */
export function plan(input: PlanInput): PlannedChange {
  const { desired, applied, intent } = input
  const outcomes = planApps(input)
  const next: Record<string, AppliedApp> = {}
  const nextHolds: Record<string, Hold> = {}
  const looked = new Set<string>()
  let instances = 0
  let apps = 0
  const endsHolds: string[] = []
  for (const { outcome, hold } of outcomes) {
    const { app } = outcome
    looked.add(app)
    if (Object.hasOwn(applied.holds, app) && hold !== applied.holds[app]) endsHolds.push(app)
    if (outcome.next === null) continue
    apps++
    instances += wantedInstances(outcome.next.spec, hold)
    set(next, app, outcome.next)
    if (hold !== null) set(nextHolds, app, hold)
  }
  for (const [app, record] of Object.entries(applied.apps)) if (!looked.has(app)) set(next, app, record)
  for (const [app, hold] of Object.entries(applied.holds)) {
    if (!looked.has(app) && Object.hasOwn(next, app)) set(nextHolds, app, hold)
  }
  const only = intent.kind === 'verb' ? intent.apps.map(({ app }) => app) : intent.only
  const content: Omit<Plan, 'id'> = {
    scope: desired.scope,
    source: desired.source,
    verb: intent.kind === 'verb' ? intent.verb : null,
    ...(intent.kind === 'apply' && intent.rollbackTo !== undefined ? { rollbackTo: intent.rollbackTo } : {}),
    only: only === null ? null : [...only].toSorted(compareNames),
    base: applied.serial,
    drift: outcomes.flatMap(({ outcome }) => outcome.drift),
    changes: outcomes.flatMap(({ outcome }) => outcome.change ?? []),
    steps: buildSteps(input, outcomes),
    guards: [...scopeGuards(input, next), ...outcomes.flatMap(({ outcome }): readonly Guard[] => outcome.guards)],
    unchanged: outcomes.filter(({ outcome }) => isUnchanged(outcome)).map(({ outcome }) => outcome.app),
    totals: { apps, instances },
    endsHolds,
  }
  return { plan: { id: planId(content, createdSpecs(outcomes)), ...content }, next, nextHolds }
}

interface Planned {
  readonly outcome: AppOutcome
  readonly hold: Hold | null
  readonly verb: Verb | null
}

/** Plans each app the intent is about, and those that restart with one of them; by name. */
function planApps(input: PlanInput): readonly Planned[] {
  const { desired, applied, observed, intent, now } = input
  const foreignPorts = new Map(observed.foreignPorts.map((holder) => [holder.port, holder]))
  const targets = intent.kind === 'verb' ? new Map(intent.apps.map((target) => [target.app, target])) : null
  const names = appNames(desired, applied, intent)
  const asked = new Set(names)
  const planOne = (app: string, renewed: readonly string[]): Planned => {
    const current = {
      desired: get(desired.apps, app),
      applied: get(applied.apps, app),
      hold: get(applied.holds, app),
    }
    const { hold } = current
    const edit = asked.has(app)
      ? editApp(intent, targets?.get(app) ?? null, current, now)
      : { after: current.applied?.spec ?? null, hold, verb: null, slots: null }
    const seen = get(observed.apps, app)
    const outcome = planApp({
      app,
      applied: current.applied,
      hold,
      edit,
      instances: seen?.instances ?? [],
      foreignPorts,
      socketsLost: seen?.socketsLost === true,
      renewed,
    })
    return { outcome, hold: edit.hold, verb: edit.verb }
  }
  const planned = new Map(names.map((app) => [app, planOne(app, [])]))
  cascade(planned, applied.apps, planOne)
  return [...planned.values()].toSorted((a, b) => compareNames(a.outcome.app, b.outcome.app))
}

function appNames(desired: DesiredState, applied: AppliedState, intent: Intent): readonly string[] {
  const isKnown = (app: string) =>
    Object.hasOwn(applied.apps, app) || (intent.kind === 'apply' && Object.hasOwn(desired.apps, app))
  const asked = intent.kind === 'verb' ? intent.apps.map(({ app }) => app) : intent.only
  const unknown = asked?.find((app) => !isKnown(app))
  if (unknown !== undefined) throw new Error(`Internal error: asked to plan the unknown app ${unknown}`)
  const names = asked ?? [...Object.keys(desired.apps), ...Object.keys(applied.apps)]
  return [...new Set(names)].toSorted(compareNames)
}

function buildSteps({ applied, intent }: PlanInput, outcomes: readonly Planned[]): readonly Step[] {
  const actions = new Map(outcomes.map(({ outcome }) => [outcome.app, outcome.action]))
  const pending = outcomes.flatMap(({ outcome, verb }) => {
    const { app, action, next, survey } = outcome
    if (action === null) return []
    const before = get(applied.apps, app)?.spec
    const dependsOn = next?.spec.dependsOn ?? NO_DEPENDENCIES
    const dependedOn = before?.dependsOn ?? NO_DEPENDENCIES
    const halves = verb === 'restart' ? restartHalves(action, dependsOn, survey, actions) : [action]
    return halves.map((half, index) => {
      // Once the first half is through, nothing runs.
      const running = index === 0 ? survey.running : NOTHING_RUNS
      return { app, down: leavesNothing(half), dependsOn, dependedOn, outcome, action: half, running }
    })
  })
  const { verb, apps } = intent.kind === 'verb' ? intent : NO_VERB
  const causes = new Map(apps.map(({ app, cause }) => [app, cause]))
  return orderSteps(pending).map(({ step: { app, action, outcome, running }, after }, index): Step => {
    const { change, drift, next, restartsWith } = outcome
    const spec = next?.spec ?? get(applied.apps, app)?.spec
    if (spec === undefined) throw new Error(`Internal error: a step for the unknown app ${app}`)
    const trigger = triggerOf(verb, outcome)
    return {
      id: index + 1,
      app,
      action: action.action,
      cause:
        trigger === 'always'
          ? 'run: always'
          : describeCause(intent, change, drift, restartsWith, causes.get(app) ?? null),
      trigger,
      impact: ACTION_IMPACT[action.action],
      after: after.map((position) => position + 1),
      gate: describeGate(action, spec),
      from: action.from,
      to: action.to,
      slots: action.slots,
      operations: expandOperations({
        app,
        action: action.action,
        slots: action.slots,
        to: action.to,
        version: next?.version ?? 0,
        running,
        rollout: spec.rollout,
        until: spec.kind === 'job' ? 'wait_exit' : 'wait_ready',
      }),
    }
  })
}

function triggerOf(verb: Verb | null, { change, drift, restartsWith }: AppOutcome): StepTrigger {
  if (verb !== null) return 'verb'
  if (change !== null || restartsWith.length > 0) return 'change'
  return drift.some(({ heal }) => heal === 'step') ? 'drift' : 'always'
}

function isUnchanged(outcome: AppOutcome): boolean {
  return outcome.change === null && outcome.action === null
}

function createdSpecs(outcomes: readonly Planned[]): Readonly<Record<string, AppSpec>> {
  const created: Record<string, AppSpec> = {}
  for (const { outcome } of outcomes) {
    if (outcome.change?.kind !== 'create' || outcome.next === null) continue
    set(created, outcome.app, { ...outcome.next.spec, ambient: {} })
  }
  return created
}

/** App names are user input: `constructor` is one. */
function get<T>(record: Readonly<Record<string, T>>, key: string): T | null {
  const value = Object.hasOwn(record, key) ? record[key] : undefined
  return value ?? null
}

function set<T>(record: Record<string, T>, key: string, value: T): void {
  record[key] = value
}
