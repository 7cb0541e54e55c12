import type { Limits } from '../model/spec.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { AppNode } from './app-node.ts'
import type { Report } from './problem.ts'
import { parseSize } from './size.ts'

/** Less than any program needs: `512K` where `512M` was meant. */
const LEAST_MEMORY = 2 ** 20

/** What the processes of one instance may use together. */
export function buildLimits(app: AppNode, report: Report): Limits {
  const { limits } = app.data
  if (!limits) return SPEC_DEFAULTS.limits
  const memoryBytes = limits.memory ? parseSize(limits.memory) : null
  if (limits.memory && (memoryBytes === null || memoryBytes < LEAST_MEMORY)) {
    const limit = memoryBytes === null ? 'is more than eco can count' : 'must be at least 1M'
    report(app.at('limits', 'memory'), `${app.label}.limits.memory ${limit}, but was ${JSON.stringify(limits.memory)}`)
  }
  return { memoryBytes, cpu: limits.cpu ?? null }
}
