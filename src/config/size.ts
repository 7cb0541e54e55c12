const FACTOR: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }
const PATTERN = /^(\d+(?:\.\d+)?)([KMGT]?)(?:B|iB)?$/i

/**
 * Reads a size such as `512K`, `1.5G` or `300MiB`. K, M, G and T are powers of 1024, with or without `B` or `iB`.
 *
 * @returns whole bytes, or null when it is not one (a bare number has no unit and is not one)
 */
export function parseSize(text: string): number | null {
  const [, amount, unit] = PATTERN.exec(text) ?? []
  if (amount === undefined || unit === undefined || /\d$/.test(text)) return null
  const factor = FACTOR[unit.toUpperCase()]
  if (factor === undefined || (unit === '' && /iB$/i.test(text))) return null
  const bytes = Math.round(Number(amount) * factor)
  return Number.isSafeInteger(bytes) ? bytes : null
}
