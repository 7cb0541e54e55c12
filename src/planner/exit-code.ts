import { EXIT } from '../errors.ts'
import type { Plan } from '../model/plan.ts'

/**
 * Exit code of `eco diff --exit-code`: a guard outweighs changes, changes outweigh drift. A job with `run: always` is
 * neither.
 */
export function diffExitCode(plan: Plan): 0 | 2 | 3 | 5 {
  if (plan.guards.length > 0) return EXIT.refused
  const triggers = plan.steps.map(({ trigger }) => trigger)
  if (plan.changes.length > 0 || triggers.some((it) => it === 'change' || it === 'verb')) return EXIT.changes
  return plan.drift.length > 0 || triggers.includes('drift') ? EXIT.drift : EXIT.ok
}
