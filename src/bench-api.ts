/** What `bench/` measures in process. Not part of the public API. */

export { plan } from './planner/plan.ts'
export { NOTHING_APPLIED } from './model/applied.ts'
export { appendPoints } from './logs/time-index.ts'
