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
  const digest = createHash('sha256')
  digest.update(canonical([plan.scope, plan.base, plan.guards.map((guard) => [guard.id, guard.app])]))
  for (const { app, instance, kind, heal } of plan.drift) {
    if (heal === 'step' || heal === 'blocked') digest.update(canonical([app, instance, kind, heal]))
  }
  for (const { app, kind, impact, fromVersion, toVersion, fields } of plan.changes) {
    const content = kind === 'create' ? created[app] : fields
    digest.update(canonical([app, kind, impact, fromVersion, toVersion, content]))
  }
  for (const { app, action, impact, after, gate, from, to, slots } of plan.steps) {
    digest.update(canonical([app, action, impact, after, gate, from, to, slots]))
  }
  return `p-${plan.base}-${digest.digest('hex').slice(0, 8)}`
}

/** A text that is equal for equal values, whatever the order of their keys. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) {
    let list = '['
    for (const item of value) list += `${canonical(item)},`
    return `${list}]`
  }
  if (!isMap(value)) return JSON.stringify(value) ?? 'null'
  // Variables are most of a spec: each is one word here, and a secret comes without its seal.
  if (value['type'] === 'plain') return `p${JSON.stringify(value['value'])}`
  if (value['type'] === 'secret') return `s${JSON.stringify([value['source'], value['fingerprint']])}`
  let map = '{'
  for (const key of sortedKeys(value)) {
    map += `${JSON.stringify(key)}:${canonical(value[key])},`
  }
  return `${map}}`
}

/** Most maps come sorted, or small: looking first is cheaper than a copy. */
function sortedKeys(map: Readonly<Record<string, unknown>>): readonly string[] {
  const keys = Object.keys(map)
  for (let index = 1; index < keys.length; index++) {
    if ((keys[index - 1] ?? '') > (keys[index] ?? '')) return keys.toSorted()
  }
  return keys
}
