/** How lines are printed. Pure. */

/** Of which instance, on which of its outputs. */
export interface Source {
  readonly app: string
  readonly instance: string
  readonly stream: 'stdout' | 'stderr'
}

const NEWLINE = Buffer.from('\n')
/** Not red, which is for what went wrong; not black or white, which may be the background. */
const COLORS = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94]

/** The log files of instances are named so by the daemon. */
export function sourceOfLog(path: string): Source {
  const match = /([^/]+)-(\d+)\.(out|err)\.log$/.exec(path)
  if (match === null) throw new Error(`Internal error: ${path} is no log of an instance`)
  const [, app = '', slot, stream] = match
  return { app, instance: `${app}#${slot}`, stream: stream === 'out' ? 'stdout' : 'stderr' }
}

/** `api#0  | `, the app in a colour of its own. */
export function prefixOf(name: string, width: number, color: number | null): Buffer {
  const text = `${name.padEnd(width)} |`
  return Buffer.from(color === null ? `${text} ` : `\u001b[${color}m${text}\u001b[0m `)
}

/** The same for an app whenever it runs among the same others. */
export function colorOf(app: string, apps: readonly string[]): number {
  const index = Math.max(0, apps.indexOf(app))
  return COLORS[index % COLORS.length] ?? 36
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
