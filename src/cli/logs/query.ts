/** What `eco logs` is asked for. */

import { parseDuration } from '../../config/duration.ts'
import { EcoError } from '../../errors.ts'
import { type Level, LEVELS } from '../../logs/line/level.ts'
import type { EpochMs } from '../../model/ids.ts'
import { parseMoment } from '../parse-moment.ts'

/** As they stand on the command line. */
export interface LogsOptions {
  readonly lines?: string
  readonly follow?: boolean
  readonly since?: string
  readonly until?: string
  readonly around?: string
  readonly window?: string
  readonly previous?: boolean
  readonly grep?: string
  readonly invert?: boolean
  readonly level?: string
  readonly err?: boolean
  readonly out?: boolean
  readonly json?: boolean
  readonly raw?: boolean
  readonly time?: boolean
  readonly markers?: boolean
}

export interface LogQuery {
  /** The last ones of each instance; null: all. */
  readonly lines: number | null
  readonly follow: boolean
  readonly since: EpochMs | null
  readonly until: EpochMs | null
  readonly around: string | null
  readonly windowMs: number
  readonly previous: boolean
  /** Gets a line as it stands in the file, and as the app wrote it. */
  readonly grep: ((...texts: readonly string[]) => boolean) | null
  readonly level: Level | null
  readonly stream: 'out' | 'err' | null
  readonly form: 'text' | 'json' | 'raw'
  readonly time: boolean
  readonly markers: boolean
}

const SHOWN = 20
const SHOWN_OF_A_RUN = 100
const WINDOW_MS = 10_000

/** @throws EcoError USAGE */
export function parseQuery(options: LogsOptions, now: EpochMs): LogQuery {
  const { around = null, previous = false, follow, raw = false, json = false } = options
  const [since, until] = [parseMoment(options.since, now, '--since'), parseMoment(options.until, now, '--until')]
  if (raw && json) throw new EcoError('USAGE', '--raw and --json exclude each other.')
  const ends = (['until', 'previous', 'around'] as const).find((name) => options[name] !== undefined)
  if (follow === true && ends) throw new EcoError('USAGE', `--follow has no end, and --${ends} names one.`)
  if (around !== null && (previous || since !== null || until !== null)) {
    throw new EcoError('USAGE', '--around names a time; --since, --until and --previous do, too.', {
      hint: '--around with --window 1m shows more before and after it',
    })
  }
  if (since !== null && until !== null && since > until) {
    throw new EcoError('USAGE', `--since ${options.since} is later than --until ${options.until}.`)
  }
  if (around === null && options.window !== undefined) throw new EcoError('USAGE', '--window is for --around.')
  if (options.invert === true && options.grep === undefined) throw new EcoError('USAGE', '--invert is for --grep.')
  return {
    lines: options.lines === undefined ? defaultLines(options) : parseLines(options.lines),
    follow: follow ?? ends === undefined,
    since,
    until,
    around,
    windowMs: options.window === undefined ? WINDOW_MS : parseWindow(options.window),
    previous,
    grep: options.grep === undefined ? null : parsePattern(options.grep, options.invert === true),
    level: options.level === undefined ? null : parseLevel(options.level),
    stream: options.err === options.out ? null : options.err === true ? 'err' : 'out',
    form: raw ? 'raw' : json ? 'json' : 'text',
    time: options.time === true,
    // Whoever looks for a text wants what has it.
    markers: options.markers !== false && !raw && options.grep === undefined,
  }
}

function defaultLines({ since, around, previous }: LogsOptions): number | null {
  if (since !== undefined || around !== undefined) return null
  return previous === true ? SHOWN_OF_A_RUN : SHOWN
}

function parseLines(text: string): number | null {
  if (text === 'all') return null
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new EcoError('USAGE', `--lines ${text} is no number of lines.`, { hint: '--lines 100, or --lines all' })
}

function parseWindow(text: string): number {
  const ms = parseDuration(text)
  if (ms !== null) return ms
  throw new EcoError('USAGE', `--window ${text} is no length of time.`, { hint: '--window 30s or --window 2m' })
}

/** `/regex/i`, or a regular expression without the slashes. */
function parsePattern(pattern: string, invert: boolean): NonNullable<LogQuery['grep']> {
  const [, source = pattern, flags = ''] = /^\/(.+)\/([dgimsuvy]*)$/s.exec(pattern) ?? []
  let regex: RegExp
  try {
    regex = new RegExp(source, flags.replaceAll(/[dgy]/g, ''))
  } catch (error) {
    throw new EcoError('USAGE', `--grep ${pattern} is no regular expression: ${(error as Error).message}.`, {
      hint: 'a character that means something there needs a \\ before it: --grep "\\("',
      cause: error,
    })
  }
  return (...texts) => texts.some((text) => regex.test(text)) !== invert
}

function parseLevel(text: string): Level {
  const name = ALIASES[text.toLowerCase()] ?? text.toLowerCase()
  const level = LEVELS.find((it) => it === name)
  if (level !== undefined) return level
  throw new EcoError('USAGE', `--level ${text} is no level.`, { hint: `one of ${LEVELS.join(', ')}` })
}

const ALIASES: Readonly<Record<string, Level>> = { warning: 'warn', err: 'error', critical: 'fatal' }
