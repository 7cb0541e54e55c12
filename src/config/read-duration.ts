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
 * @param max what a timer can count, unless no timer counts it
 */
export function readDuration<T extends number | null>(
  app: AppNode,
  path: Path,
  fallback: T,
  report: Report,
  { min = 0, max = LONGEST_MS }: { readonly min?: number; readonly max?: number } = {},
): number | T {
  const node = entryAt(app.node, path)?.value
  if (node?.kind !== 'scalar' || node.value === null) return fallback
  const ms = parseDuration(String(node.value))
  if (ms !== null && ms >= min && ms <= max) return ms
  const limit = ms !== null && ms < min ? `at least ${formatDuration(min)}` : `at most ${formatDuration(max)}`
  report(node.at, `${app.label}.${path.join('.')} must be ${limit}, but was ${JSON.stringify(node.value)}`)
  return fallback
}
