import { EXIT } from '../errors.ts'
import type { Plan } from '../model/plan.ts'

/** Exit code of `eco diff --exit-code`: a guard outweighs changes, changes outweigh drift. */
export function diffExitCode(plan: Plan): 0 | 2 | 3 | 5 {
  if (plan.guards.length > 0) return EXIT.refused
  if (plan.changes.length > 0 || plan.steps.some((step) => step.trigger !== 'drift')) return EXIT.changes
  return plan.drift.length > 0 || plan.steps.length > 0 ? EXIT.drift : EXIT.ok
}
