import type { AppNode } from './app-node.ts'
import { formatDuration, parseDuration } from './duration.ts'
import type { Report } from './problem.ts'
import { entryAt } from './tree.ts'
import type { Path } from './tree.ts'

/** What a timer of Node.js can count: 2^31-1 ms, in whole days. A longer one would fire at once. */
const LONGEST_MS = 24 * 86_400_000

/**
 * The length of time at a path of an app, in milliseconds.
 *
 * @param fallback when there is none
 */
export function readDuration<T extends number | null>(
  app: AppNode,
  path: Path,
  fallback: T,
  report: Report,
  { min = 0 }: { readonly min?: number } = {},
): number | T {
  const node = entryAt(app.node, path)?.value
  if (node?.kind !== 'scalar' || node.value === null) return fallback
  const ms = parseDuration(String(node.value))
  if (ms !== null && ms >= min && ms <= LONGEST_MS) return ms
  const limit = ms !== null && ms < min ? `at least ${formatDuration(min)}` : `at most ${formatDuration(LONGEST_MS)}`
  report(node.at, `${app.label}.${path.join('.')} must be ${limit}, but was ${JSON.stringify(node.value)}`)
  return fallback
}
