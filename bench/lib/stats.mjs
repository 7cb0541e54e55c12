/** The few numbers the bench prints: medians of samples, and ratios taken pair by pair. */

export function median(samples) {
  const sorted = samples.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Round i of `a` against round i of `b`: what slows the machine down in a round slows both. */
export function ratios(a, b) {
  return a.map((value, round) => value / b[round])
}

/** Round i of `a` less round i of `b`. */
export function differences(a, b) {
  return a.map((value, round) => value - b[round])
}

/**
 * One line of the result table.
 *
 * @param {string} label what was measured
 * @param {'ms' | 'x' | 'MB' | '%' | 'apps' | 'failed' | 'lines' | 'req/s'} unit
 * @param {number[]} samples one figure a round
 * @param {{ atMost?: number, below?: number, atLeast?: number, note?: string, details?: object }} [options] target of
 *   the median, remark beside it, and what only the JSON file shows
 */
export function row(label, unit, samples, options = {}) {
  const { note = '', details } = options
  const middle = median(samples)
  const { target, met } = judge(middle, options)
  return {
    label,
    unit,
    median: middle,
    min: Math.min(...samples),
    max: Math.max(...samples),
    samples,
    target,
    verdict: target === null ? null : met ? 'ok' : options.atLeast === undefined ? 'over' : 'under',
    note,
    ...(details ? { details } : {}),
  }
}

function judge(middle, { atMost, below, atLeast }) {
  if (atMost !== undefined) return { target: `<= ${atMost}`, met: middle <= atMost }
  if (below !== undefined) return { target: `< ${below}`, met: middle < below }
  if (atLeast !== undefined) return { target: `>= ${atLeast}`, met: middle >= atLeast }
  return { target: null, met: true }
}

/** A line for something that could not be measured: said, never silently left out. */
export function skipped(label, reason) {
  return { label, skipped: reason }
}
