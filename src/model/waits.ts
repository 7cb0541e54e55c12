import type { DependencyCondition } from './spec.ts'

/** `waits for db being ready: db#0 is starting`; a reason that is itself a wait is joined to it, and so on down a chain. */
export function waitsFor(app: string, condition: DependencyCondition | null, why: string): string {
  const what = condition === null ? app : `${app} being ${condition}`
  return `waits for ${what}${why.startsWith('waits for ') ? ', which ' : ': '}${why}`
}
