const UNIT_MS: ReadonlyArray<readonly [unit: string, ms: number]> = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]
const PATTERN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/**
 * Reads a length of time such as `150ms`, `10s`, `1.5m`, `1h` or `7d`.
 *
 * @returns whole milliseconds, or null when it is not one (a bare number has no unit and is not one)
 */
export function parseDuration(text: string): number | null {
  const [, amount, unit] = PATTERN.exec(text) ?? []
  const factor = UNIT_MS.find(([name]) => name === unit)?.[1]
  if (amount === undefined || factor === undefined) return null
  const ms = Math.round(Number(amount) * factor)
  return Number.isSafeInteger(ms) ? ms : null
}

/** Writes milliseconds in the largest unit that divides them: 90000 is `90s`, 60000 is `1m`, 0 is `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  for (const [unit, factor] of UNIT_MS) {
    if (ms % factor === 0) return `${ms / factor}${unit}`
  }
  return `${ms}ms`
}
