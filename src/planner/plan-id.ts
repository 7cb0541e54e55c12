import { createHash } from 'node:crypto'
import type { Plan } from '../model/plan.ts'
import type { AppSpec } from '../model/spec.ts'
import { isMap } from './diff.ts'

/**
 * Names a plan by what it does: `p-<serial>-<8 hex>`.
 *
 * Independent of key order, of the clock, of pids and of causes: a crash that the supervisor repairs while someone reads
 * the plan does not make it stale. Another set of steps does, and so does another spec of a new app, of which a plan
 * shows only the outline. Seals are left out: they differ at every load of the same file.
 */
export function planId(plan: Omit<Plan, 'id'>, created: Readonly<Record<string, AppSpec>>): string {
  const essence = {
    scope: plan.scope,
    base: plan.base,
    drift: plan.drift
      .filter((item) => item.heal === 'step' || item.heal === 'blocked')
      .map((item) => [item.app, item.instance, item.kind, item.heal]),
    changes: plan.changes,
    created,
    steps: plan.steps.map((step) => [
      step.app,
      step.action,
      step.impact,
      step.after,
      step.gate,
      step.from,
      step.to,
      step.slots,
    ]),
    guards: plan.guards.map((guard) => [guard.id, guard.app]),
  }
  const digest = createHash('sha256').update(canonicalJson(essence)).digest('hex')
  return `p-${plan.base}-${digest.slice(0, 8)}`
}

/** JSON with sorted keys, without what a seal adds to a secret. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (!isMap(value)) return JSON.stringify(value) ?? 'null'
  const isSecret = value['type'] === 'secret' && typeof value['fingerprint'] === 'string'
  let text = ''
  for (const key of Object.keys(value).toSorted()) {
    if (isSecret && key === 'sealed') continue
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(value[key])}`
  }
  return `{${text}}`
}
