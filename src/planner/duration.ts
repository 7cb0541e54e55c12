const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** `150ms`, `10s`, `90s`, `5m`: the largest unit that loses nothing, as one writes it in the file. */
export function formatDuration(ms: number): string {
  for (const [unit, size] of UNITS) if (ms !== 0 && ms % size === 0) return `${ms / size}${unit}`
  return `${ms}ms`
}
