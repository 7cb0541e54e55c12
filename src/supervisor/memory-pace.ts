/** How often a process tree with a memory limit must be looked at. */

const MB = 2 ** 20

/** As fast as a process is taken to grow that has not grown so far, bytes a second. */
const LIKELY_GROWTH = 250 * MB
/** By the next look it must not be larger than this share of its limit: there must be time to end it below twice that. */
const REACH = 1.4
/** Beyond this share there is no time to ask it to end. */
const URGENT = 1.5

export const SLOWEST_MS = 1000
export const FASTEST_MS = 25
/** One that does not grow costs next to nothing even when its limit is a few megabytes; 30 MB is what that may cost. */
export const FASTEST_FLAT_MS = 200
/** Growth below this share of the limit a second is none. */
const FLAT = 0.05

/**
 * The pause until the next look, milliseconds: the time in which the tree could come well above its limit, and no further.
 *
 * @param growth bytes a second, as last seen
 */
export function nextLookMs(limitBytes: number, usedBytes: number, growth: number): number {
  const rate = Math.max(LIKELY_GROWTH, 1.5 * growth)
  const pause = ((limitBytes * REACH - usedBytes) / rate) * 1000
  const isFlat = usedBytes <= limitBytes && growth < FLAT * limitBytes
  return Math.round(Math.min(SLOWEST_MS, Math.max(isFlat ? FASTEST_FLAT_MS : FASTEST_MS, pause)))
}

/** Whether it has to be killed at once. */
export function isUrgent(limitBytes: number, usedBytes: number): boolean {
  return usedBytes > limitBytes * URGENT
}
