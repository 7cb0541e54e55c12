import type { Probe } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import { buildCheck } from './build-check.ts'
import type { CheckContext } from './build-check.ts'
import { readDuration } from './read-duration.ts'

const CHECKS = ['http', 'tcp', 'exec'] as const

/** Kubernetes' defaults. */
const USUAL = { delayMs: 0, intervalMs: 10_000, timeoutMs: 1000, failures: 3, successes: 1 } as const

/** Attempts that follow each other faster would do nothing but probe. */
const SHORTEST_INTERVAL_MS = 10

/** A check for as long as an instance runs; null when the app declares none. */
export function buildProbe(app: AppNode, key: 'readiness' | 'health', context: CheckContext): Probe | null {
  const map = app.data[key]
  if (!map) return null
  const { report } = context
  // `delay` is no check here, as it is under ready.
  const { delay: _, ...checks } = map
  const given = CHECKS.some((name) => map[name] !== undefined)
  const check = buildCheck(app, key, checks, CHECKS, context)
  if (check === null) {
    if (!given) report(app.keyAt(key), `${app.label}.${key} has no check`, `give one of ${CHECKS.join(', ')}`)
    return null
  }
  const { successes = null } = map
  if (key === 'health' && successes !== null && successes !== 1) {
    const message = `${app.label}.health.successes must be 1, but was ${successes}`
    report(app.at(key, 'successes'), message, 'an instance that failed is restarted, so there is no second success')
  }
  return {
    check,
    delayMs: readDuration(app, [key, 'delay'], USUAL.delayMs, report),
    intervalMs: readDuration(app, [key, 'interval'], USUAL.intervalMs, report, { min: SHORTEST_INTERVAL_MS }),
    timeoutMs: readDuration(app, [key, 'timeout'], USUAL.timeoutMs, report, { min: 1 }),
    failures: map.failures ?? USUAL.failures,
    successes: successes ?? USUAL.successes,
  }
}
