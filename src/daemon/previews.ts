import type { Plan } from '../model/plan.ts'

/** Plans that are remembered: of a person who thinks about one for long, at most the last of these count. */
const MOST = 32

/**
 * Plans that were shown while something was going on. What runs changes from moment to moment then, and with it the id of
 * the plan; what somebody agreed to are its changes.
 */
export class Previews {
  readonly #shown = new Map<string, ReadonlySet<string>>()

  remember(plan: Plan): void {
    this.#shown.set(plan.id, changesOf(plan))
    const [oldest] = this.#shown.keys()
    if (this.#shown.size > MOST && oldest !== undefined) this.#shown.delete(oldest)
  }

  /** Whether a plan changes nothing but what was shown under that id; part of it may have been done meanwhile. */
  isAsShown(id: string, plan: Plan): boolean {
    if (plan.id === id) return true
    const shown = this.#shown.get(id)
    return shown !== undefined && [...changesOf(plan)].every((change) => shown.has(change))
  }
}

/** The versions of a change depend on what is going on; who it is about and what it changes do not. */
function changesOf({ changes }: Plan): Set<string> {
  return new Set(changes.map(({ app, kind, fields }) => JSON.stringify([app, kind, fields])))
}
