/** How lines are printed. Pure. */

const NEWLINE = Buffer.from('\n')

export function plainLines(lines: readonly Buffer[], prefix: Buffer | null = null): Buffer {
  const pieces: Buffer[] = []
  for (const line of lines) {
    if (prefix !== null) pieces.push(prefix)
    pieces.push(line, NEWLINE)
  }
  return Buffer.concat(pieces)
}
