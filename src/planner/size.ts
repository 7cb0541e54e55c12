const UNITS = [
  ['T', 2 ** 40],
  ['G', 2 ** 30],
  ['M', 2 ** 20],
  ['K', 2 ** 10],
] as const

/** `512M`, `1536M`, `10B`: the largest unit that loses nothing, as one writes it in the file. */
export function formatSize(bytes: number): string {
  for (const [unit, size] of UNITS) if (bytes !== 0 && bytes % size === 0) return `${bytes / size}${unit}`
  return bytes === 0 ? '0' : `${bytes}B`
}
