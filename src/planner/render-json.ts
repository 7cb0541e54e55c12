import type { AppChange, FieldChange, Plan, Step } from '../model/plan.ts'
import { hasWork } from '../model/plan.ts'
import { type ScopeId, scopeName } from '../model/ids.ts'
import { fieldName } from './field-name.ts'
import { jsonValue, shortFingerprint } from './field-value.ts'
import { availability, summarize } from './summary.ts'

/** Version of the form below. It is a contract: fields are added, never renamed, removed or given another meaning. */
export const PLAN_FORMAT = '1.0'

const ACTIONS = { create: ['create'], update: ['update'], destroy: ['delete'] } as const

/** A plan for programs: snake_case, fields by their name in the file, values never shortened, secrets never shown. */
export function renderJson(plan: Plan, options: { ecoVersion: string; exitCode: number }): object {
  const { scope, source } = plan
  const address = (app: string, instance: string | null = null) => `${scopeName(scope)}/${instance ?? app}`
  const notes = availability(plan)
  return {
    format_version: PLAN_FORMAT,
    eco_version: options.ecoVersion,
    plan_id: plan.id,
    verb: plan.verb,
    rollback_to: plan.rollbackTo ?? null,
    only: plan.only,
    base: { serial: plan.base },
    desired: {
      project: scope.project,
      environment: scope.environment,
      file: source.file,
      git: source.git === null ? null : { sha: source.git.commit, dirty: source.git.dirty },
    },
    applyable: hasWork(plan) && plan.guards.length === 0,
    complete: plan.only === null,
    errored: false,
    summary: summarize(plan),
    totals: plan.totals,
    drift: plan.drift.map((item) => ({ address: address(item.app, item.instance), ...item })),
    changes: plan.changes.map((change) => renderChange(scope, change)),
    steps: plan.steps.map((step) => ({
      id: step.id,
      address: address(step.app),
      app: step.app,
      action: step.action,
      cause: step.cause,
      trigger: step.trigger,
      impact: step.impact,
      after: step.after,
      gate: step.gate,
      from: step.from,
      to: step.to,
      slots: step.slots,
    })),
    operations: flattenOperations(plan.steps),
    guards: plan.guards,
    unchanged: plan.unchanged,
    ends_holds: plan.endsHolds,
    availability: notes
      .filter(({ level }) => level === 'info')
      .map(({ action, apps, effect }) => ({ action, apps, effect })),
    warnings: notes
      .filter(({ level }) => level === 'warning')
      .map(({ action, apps, effect }) => `${action} ${apps.join(', ')}: ${effect}`),
    exit_code: options.exitCode,
  }
}

/** One app's change, in the form that plans and the history share. */
export function renderChange(scope: ScopeId, change: AppChange): object {
  return {
    address: `${scopeName(scope)}/${change.app}`,
    app: change.app,
    kind: change.kind,
    // As in Terraform, a replacement is two actions, so that a scanner can look for "delete".
    actions: replaces(change.impact) && change.kind === 'update' ? ['create', 'delete'] : ACTIONS[change.kind],
    impact: change.impact,
    from_version: change.fromVersion,
    to_version: change.toVersion,
    fields: change.fields.map(renderField),
  }
}

function renderField(field: FieldChange): object {
  const { path, impact, sensitive } = field
  const shown = { path: fieldName(path), impact, sensitive }
  if (!sensitive) return { ...shown, before: jsonValue(path, field.before), after: jsonValue(path, field.after) }
  const fingerprints = field.fingerprints?.map((digest) => (digest === null ? null : shortFingerprint(digest)))
  return { ...shown, before: null, after: null, fingerprints, sources: field.sources }
}

/** One list for all steps: an operation waits for the one before it, the first of a step for the last of those before. */
function flattenOperations(steps: readonly Step[]): readonly object[] {
  const flat: object[] = []
  // The operations a step's dependents wait for: its last, or what it waits for itself when it has none.
  const lastOf = new Map<number, readonly number[]>()
  for (const step of steps) {
    let deps: readonly number[] = [...new Set(step.after.flatMap((id) => lastOf.get(id) ?? []))]
    for (const { op, instance, version } of step.operations) {
      const id = flat.length + 1
      flat.push({ id, step: step.id, op, target: instance, version, deps })
      deps = [id]
    }
    lastOf.set(step.id, deps)
  }
  return flat
}

function replaces(impact: string): boolean {
  return impact === 'roll' || impact === 'restart'
}
