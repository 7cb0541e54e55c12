/** What a line of a log says about itself. Pure. */

import type { EpochMs } from '../../model/ids.ts'

export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

export interface ParsedLine {
  readonly at: EpochMs | null
  readonly level: Level | null
  readonly json: Record<string, unknown> | null
}

const NUMBERS: Readonly<Record<number, Level>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}
const WORD = /\b(trace|debug|info|warn|error|fatal)(?:ing)?\b/i
const TIME = /\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?/

export function parseLine(text: string): ParsedLine {
  if (text.startsWith('{')) {
    try {
      const json = JSON.parse(text) as Record<string, unknown>
      const { time = json['timestamp'], level } = json
      const at = typeof time === 'number' ? time : typeof time === 'string' ? Date.parse(time) : Number.NaN
      const known = typeof level === 'number' ? NUMBERS[level] : levelOf(String(level))
      return { at: Number.isNaN(at) ? null : at, level: known ?? null, json }
    } catch {
      // A line that only begins like an object.
    }
  }
  const head = text.slice(0, 80)
  const at = Date.parse(TIME.exec(head)?.[0].replace(',', '.') ?? '')
  return { at: Number.isNaN(at) ? null : at, level: levelOf(head), json: null }
}

function levelOf(text: string): Level | null {
  return (WORD.exec(text)?.[1]?.toLowerCase() as Level | undefined) ?? null
}
