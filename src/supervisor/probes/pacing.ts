/** Attempts of all instances start at least this far apart: a hundred that became ready at once do not ask at once. */
const SPACING_MS = 2

let lastStart = 0

/**
 * Takes the next free moment for an attempt that is due now. Who was pushed back once stays apart from the others,
 * since its next attempt is counted from there.
 *
 * @returns the moment, in milliseconds of performance.now()
 */
export function reserveStart(): number {
  lastStart = Math.max(performance.now(), lastStart + SPACING_MS)
  return lastStart
}
