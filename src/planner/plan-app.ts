import { unreachable } from '../errors.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import { worstImpact } from '../model/impact.ts'
import type { Impact } from '../model/impact.ts'
import type { AppliedApp, Hold } from '../model/applied.ts'
import type { ObservedInstance, PortHolder } from '../model/observed.ts'
import type { AppChange, DriftItem, FieldChange, Guard } from '../model/plan.ts'
import type { AppSpec } from '../model/spec.ts'
import { runningFrom } from './action.ts'
import type { Action, Situation } from './action.ts'
import { createdFields, diffSpecs } from './diff.ts'
import { findDrift } from './drift.ts'
import { wantedInstances } from './edit.ts'
import type { Edit } from './edit.ts'
import { findHolders, foreignPortDrift, foreignPortGuard } from './foreign-port.ts'
import { cronAction, jobAction, kindChangeAction } from './run-action.ts'
import { serviceAction } from './service-action.ts'
import { survey } from './survey.ts'
import type { Survey } from './survey.ts'

/** Everything that is known of one app. */
export interface AppInput {
  readonly app: string
  readonly applied: AppliedApp | null
  readonly hold: Hold | null
  readonly edit: Edit
  readonly instances: readonly ObservedInstance[]
  readonly foreignPorts: ReadonlyMap<number, PortHolder>
  readonly socketsLost: boolean
  /** Apps it restarts with and that this plan replaces or starts again. */
  readonly renewed: readonly string[]
}

/** What a plan says of one app. */
export interface AppOutcome {
  readonly app: string
  readonly change: AppChange | null
  readonly action: Action | null
  readonly drift: readonly DriftItem[]
  readonly guards: readonly Guard[]
  /** Null: the app goes. */
  readonly next: AppliedApp | null
  readonly survey: Survey
  /** The apps because of which its instances are replaced. */
  readonly restartsWith: readonly string[]
}

/** Plans one app by itself; it knows nothing of the others. */
export function planApp(input: AppInput): AppOutcome {
  const { app, applied, edit } = input
  const wanted = applied === null ? 0 : wantedInstances(applied.spec, input.hold)
  const { after } = edit
  const { successExitCodes } = (applied?.spec ?? after)?.restart ?? SPEC_DEFAULTS.restart
  const seen = survey(input.instances, wanted, successExitCodes)
  if (after === null) return removal(input, seen)

  const fields = applied === null ? createdFields(after) : diffSpecs(applied.spec, after)
  const next = nextRecord(applied, after, fields, input.instances)
  const situation: Situation = {
    before: applied?.spec ?? null,
    after,
    edit,
    survey: seen,
    version: applied?.version ?? next.version,
    impact: applied === null ? 'none' : impactOf(fields),
    wanted,
    target: wantedInstances(after, edit.hold),
    holdChanges: input.hold !== edit.hold,
    socketsLost: input.socketsLost,
    cascades: input.renewed.length > 0,
  }
  const action = chooseAction(situation)
  const change = describeChange(input, fields, next, action)
  const drift: DriftItem[] = []
  if (applied !== null) {
    const holdEnds = input.hold !== null && edit.hold !== input.hold
    const { spec, version } = applied
    drift.push(...findDrift({ app, spec, version, hold: input.hold, holdEnds, wanted, survey: seen, action }))
  }
  if (input.socketsLost && action?.action === 'restart') {
    const cause = 'instances from before the daemon was restarted hold its port; new ones cannot share it'
    drift.push({ app, instance: null, kind: 'outdated', cause, heal: 'step' })
  }
  const guards: Guard[] = []
  if (!seen.hasProcess && input.foreignPorts.size > 0 && (action !== null || situation.target > 0)) {
    const starts = action !== null && startsSomething(action)
    for (const holder of findHolders(after, input.foreignPorts)) {
      drift.push(foreignPortDrift(app, holder, starts))
      if (starts) guards.push(foreignPortGuard(app, holder))
    }
  }
  return { app, change, action, drift, guards, next, survey: seen, restartsWith: input.renewed }
}

function removal(input: AppInput, seen: Survey): AppOutcome {
  const { app, applied } = input
  const slots = runningFrom(seen, 0)
  const action: Action = { action: 'remove', from: slots.length, to: 0, slots }
  const fromVersion = applied?.version ?? null
  const change: AppChange = { app, kind: 'destroy', impact: 'destroy', fields: [], fromVersion, toVersion: null }
  return { app, change, action, drift: [], guards: [], next: null, survey: seen, restartsWith: [] }
}

/**
 * The applied record stays as it is when nothing is reported, even if the ambient variables differ: they are taken
 * along with the next change.
 */
function nextRecord(
  applied: AppliedApp | null,
  spec: AppSpec,
  fields: readonly FieldChange[],
  instances: readonly ObservedInstance[],
): AppliedApp {
  if (applied !== null && fields.length === 0) return applied
  // Left over from a rollout that was cut short, or from an app of this name that is not quite gone: these must not pass
  // for the new ones.
  let version = applied?.version ?? 0
  for (const instance of instances) version = Math.max(version, instance.version)
  return { version: version + 1, spec }
}

function chooseAction(situation: Situation): Action | null {
  const { before, after } = situation
  if (before !== null && before.kind !== after.kind) return kindChangeAction(situation)
  switch (after.kind) {
    case 'service':
      return serviceAction(situation)
    case 'job':
      return jobAction(situation)
    case 'cron':
      return cronAction(situation)
    default:
      return unreachable(after.kind)
  }
}

function describeChange(
  input: AppInput,
  fields: readonly FieldChange[],
  next: AppliedApp,
  action: Action | null,
): AppChange | null {
  const { app, applied } = input
  if (applied === null) {
    return { app, kind: 'create', impact: 'scale', fields, fromVersion: null, toVersion: next.version }
  }
  if (fields.length === 0) return null
  const worst = impactOf(fields)
  const impact = worst === 'roll' && action?.action === 'restart' ? 'restart' : worst
  return { app, kind: 'update', impact, fields, fromVersion: applied.version, toVersion: next.version }
}

function impactOf(fields: readonly FieldChange[]): Impact {
  if (fields.length === 0) return 'none'
  return worstImpact(fields.map((field) => field.impact))
}

function startsSomething(action: Action): boolean {
  return action.action !== 'remove' && action.slots.some((slot) => slot < action.to)
}
