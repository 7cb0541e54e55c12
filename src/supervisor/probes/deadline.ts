import type { AttemptResult } from './attempt.ts'

/** A deadline noticed this much too late was missed by eco itself. Milliseconds. */
const LATE_MS = 500

/**
 * Calls back when the time is over, after what has arrived by then was read.
 *
 * @param callback gets by how many milliseconds it is called too late: the daemon was stopped, or the machine slept
 * @returns a function that ends the wait
 */
export function onDeadline(timeoutMs: number, callback: (lateMs: number) => void): () => void {
  const at = performance.now() + timeoutMs
  let immediate: NodeJS.Immediate | undefined
  const timer = setTimeout(() => {
    const lateMs = performance.now() - at
    immediate = setImmediate(() => callback(lateMs))
  }, timeoutMs)
  return () => {
    clearTimeout(timer)
    if (immediate) clearImmediate(immediate)
  }
}

/** What an attempt that ran into such a late deadline says: nothing. null when it was in time. */
export function isLate(lateMs: number): AttemptResult | null {
  if (lateMs < LATE_MS) return null
  return { type: 'inconclusive', reason: `eco itself was held up for ${(lateMs / 1000).toFixed(1)}s` }
}
