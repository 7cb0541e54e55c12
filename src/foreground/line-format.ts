/** How lines are printed. Pure. */

/** Of which instance, on which of its outputs. */
export interface Source {
  readonly app: string
  readonly instance: string
  readonly stream: 'stdout' | 'stderr'
}

const NEWLINE = Buffer.from('\n')

/** The log files of instances are named so by the daemon. */
export function sourceOfLog(path: string): Source {
  const match = /([^/]+)-(\d+)\.(out|err)\.log$/.exec(path)
  if (match === null) throw new Error(`Internal error: ${path} is no log of an instance`)
  const [, app = '', slot, stream] = match
  return { app, instance: `${app}#${slot}`, stream: stream === 'out' ? 'stdout' : 'stderr' }
}

export function plainLines(lines: readonly Buffer[], prefix: Buffer | null = null): Buffer {
  const pieces: Buffer[] = []
  for (const line of lines) {
    if (prefix !== null) pieces.push(prefix)
    pieces.push(line, NEWLINE)
  }
  return Buffer.concat(pieces)
}

/** One object a line. What is no UTF-8 comes as replacement characters. */
export function jsonLines(lines: readonly Buffer[], { app, instance, stream }: Source, at: number): Buffer {
  const time = new Date(at).toISOString()
  const text = lines.map((line) => {
    const message = line.toString('utf8').replace(/\r$/, '')
    return `${JSON.stringify({ time, app, instance, stream, message })}\n`
  })
  return Buffer.from(text.join(''))
}
