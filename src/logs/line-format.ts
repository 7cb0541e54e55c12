/** How lines are written where eco writes them: into log files of `format: time` and `json`, and by `eco run --json`. Pure. */

import type { EpochMs } from '../model/ids.ts'
import type { Output } from '../model/spec.ts'

/** Of which instance, on which of its outputs. */
export interface Source {
  readonly app: string
  readonly instance: string
  readonly stream: 'stdout' | 'stderr'
}

const NEWLINE = Buffer.from('\n')
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /
const TIME_LENGTH = '2026-01-31T18:04:05.123Z '.length

/** One object a line. What is no UTF-8 comes as replacement characters. */
export function jsonLines(lines: readonly Buffer[], { app, instance, stream }: Source, at: EpochMs): Buffer {
  // Put together by hand around the message: half the time.
  const head = `${JSON.stringify({ time: new Date(at).toISOString(), app, instance, stream }).slice(0, -1)},"message":`
  const text = lines.map((line) => `${head}${JSON.stringify(line.toString('utf8').replace(/\r$/, ''))}}\n`)
  return Buffer.from(text.join(''))
}

/** `2026-01-31T18:04:05.123Z <line>`, the line byte for byte. */
export function timedLines(lines: readonly Buffer[], at: EpochMs): Buffer {
  const head = Buffer.from(`${new Date(at).toISOString()} `)
  return Buffer.concat(lines.flatMap((line) => [head, line, NEWLINE]))
}

/** The line behind the time that `format: time` puts before it. null: it has none. */
export function withoutTime(line: string): string | null {
  return TIME.test(line) ? line.slice(TIME_LENGTH) : null
}

/** What the app wrote, of a line of a log file. */
export function messageOf(line: string, format: Output['format']): string {
  if (format === 'time') return withoutTime(line) ?? line
  if (format !== 'json') return line
  try {
    const { message } = JSON.parse(line) as { readonly message?: unknown }
    return typeof message === 'string' ? message : line
  } catch {
    return line // cut, or somebody else's
  }
}
