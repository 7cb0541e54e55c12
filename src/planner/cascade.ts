import type { AppliedApp } from '../model/applied.ts'
import type { AppSpec } from '../model/spec.ts'
import type { AppOutcome } from './plan-app.ts'
import { compareNames } from './order.ts'

/**
 * Adds what restarts with others: an app of which an instance runs, and that asks for it (`restart: true` of a
 * dependency), is replaced when the processes of that dependency are; and so on along a chain.
 *
 * @param planned the apps planned so far; those that cascade are put in, or replaced by what `plan` makes of them
 */
export function cascade<T extends { readonly outcome: AppOutcome }>(
  planned: Map<string, T>,
  applied: Readonly<Record<string, AppliedApp>>,
  plan: (app: string, renewed: readonly string[]) => T,
): void {
  const specOf = (app: string): AppSpec | null => {
    const known = planned.get(app)
    if (known) return known.outcome.next?.spec ?? null
    return Object.hasOwn(applied, app) ? (applied[app]?.spec ?? null) : null
  }
  const visited = new Set<string>()
  const visit = (app: string): void => {
    const spec = specOf(app)
    if (spec === null || spec.restartsWith.length === 0 || visited.has(app)) return
    visited.add(app)
    // Dependencies first: one of them may itself restart with another.
    for (const name of spec.restartsWith) visit(name)
    const own = planned.get(app)?.outcome.action?.action
    if (own === 'roll' || own === 'restart') return
    const renewed = spec.restartsWith.filter((name) => isRenewed(planned.get(name)?.outcome, applied))
    if (renewed.length === 0) return
    const again = plan(app, renewed.toSorted(compareNames))
    const action = again.outcome.action?.action
    if (action === 'roll' || action === 'restart') planned.set(app, again)
  }
  for (const app of new Set([...planned.keys(), ...Object.keys(applied)])) visit(app)
}

/** An app that is there already gets new processes. */
function isRenewed(outcome: AppOutcome | undefined, applied: Readonly<Record<string, AppliedApp>>): boolean {
  if (!outcome?.action || !Object.hasOwn(applied, outcome.app)) return false
  const { action, slots, to } = outcome.action
  const brings = action === 'roll' || action === 'restart' || action === 'start' || action === 'run'
  return brings && slots.some((slot) => slot < to)
}
