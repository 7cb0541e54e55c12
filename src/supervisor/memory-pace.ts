/** How often a process tree with a memory limit must be looked at. */

const MB = 2 ** 20

/** As fast as a process is taken to grow that has not grown so far, bytes a second. */
const LIKELY_GROWTH = 300 * MB
/** By the next look it must not be larger than this share of its limit: there must be time to end it below twice that. */
const REACH = 1.25
/** Beyond this share there is no time to ask it to end. */
const URGENT = 1.5

export const SLOWEST_MS = 1000
export const FASTEST_MS = 25

/**
 * The pause until the next look, milliseconds: the time in which the tree could come to a quarter above its limit.
 *
 * @param growth bytes a second, as last seen
 */
export function nextLookMs(limitBytes: number, usedBytes: number, growth: number): number {
  const rate = Math.max(LIKELY_GROWTH, 1.5 * growth)
  const pause = ((limitBytes * REACH - usedBytes) / rate) * 1000
  return Math.round(Math.min(SLOWEST_MS, Math.max(FASTEST_MS, pause)))
}

/** Whether it has to be killed at once. */
export function isUrgent(limitBytes: number, usedBytes: number): boolean {
  return usedBytes > limitBytes * URGENT
}
