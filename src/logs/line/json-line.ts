/** Where loggers that write JSON put the time, the level and the message. */

import type { EpochMs } from '../../model/ids.ts'
import { levelOfNumber, levelOfWord, type Level } from './level.ts'
import { epochTime, stampOf } from './stamp.ts'

export type Fields = Readonly<Record<string, unknown>>

/** A fact and the field it came from. */
export interface Found<T> {
  readonly key: string
  readonly value: T
}

/** In UTF-16 units; longer ones are taken for text. */
const MAX_JSON = 256 * 1024

const words = (...lines: readonly string[]): string[] => lines.join(' ').split(' ')

const TIME_KEYS = words(
  'time timestamp @timestamp ts asctime datetime date t @t timeMillis eventTime instant',
  'Timestamp TimeStamp Time',
)
const LEVEL_KEYS = words(
  'level severity log.level levelname lvl loglevel log_level logLevel level_name severityText SeverityText @l',
  'Level LogLevel log @fields s',
)
const MESSAGE_KEYS = words(
  'msg message @message short_message event @m @mt Message MESSAGE RenderedMessage body textPayload',
)

export function timeOf(fields: Fields, now: EpochMs): Found<EpochMs> | null {
  return find(fields, TIME_KEYS, (value) => {
    if (typeof value === 'number') return epochTime(value, now)
    if (typeof value === 'string') return stampOf(value, now)
    if (!isFields(value)) return null
    // log4j's JsonLayout and MongoDB.
    if (typeof value['epochSecond'] === 'number') {
      const nanos = typeof value['nanoOfSecond'] === 'number' ? value['nanoOfSecond'] : 0
      return epochTime(value['epochSecond'] * 1000 + Math.floor(nanos / 1e6), now)
    }
    // Of Google's Cloud Logging.
    if (typeof value['seconds'] === 'number') return epochTime(value['seconds'] * 1000, now)
    return typeof value['$date'] === 'string' ? stampOf(value['$date'], now) : null
  })
}

export function levelOf(fields: Fields): Found<Level> | null {
  return find(fields, LEVEL_KEYS, (value, key) => {
    if (typeof value === 'number') return levelOfNumber(value)
    // MongoDB: one letter, D1 to D5.
    if (key === 's') return typeof value === 'string' && isFields(fields['t']) ? ofLetter(value) : null
    if (typeof value === 'string') return key === 'log' ? null : levelOfWord(value)
    return isFields(value) && typeof value['level'] === 'string' ? levelOfWord(value['level']) : null
  })
}

export function messageOf(fields: Fields): Found<string> | null {
  return find(fields, MESSAGE_KEYS, (value) => (typeof value === 'string' ? value : null))
}

/** The line that a format of eco's own, or Docker, has wrapped; it may be of any format itself. */
export function wrappedLine(fields: Fields): string | null {
  if (typeof fields['stream'] !== 'string' || typeof fields['time'] !== 'string') return null
  if (typeof fields['log'] === 'string') return fields['log'].replace(/\r?\n$/, '')
  return 'instance' in fields && 'app' in fields && typeof fields['message'] === 'string' ? fields['message'] : null
}

/** @returns null when the line is not one JSON object */
export function parseObject(line: string): Record<string, unknown> | null {
  if (line.charCodeAt(0) !== 0x7b || line.length > MAX_JSON) return null
  const end = line.trimEnd()
  if (!end.endsWith('}')) return null
  try {
    return JSON.parse(end) as Record<string, unknown>
  } catch {
    return null
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function ofLetter(letter: string): Level | null {
  const levels: Readonly<Record<string, Level>> = { F: 'fatal', E: 'error', W: 'warn', I: 'info', D: 'debug' }
  return levels[letter.charAt(0)] ?? null
}

function find<T>(
  fields: Fields,
  keys: readonly string[],
  read: (value: unknown, key: string) => T | null,
): Found<T> | null {
  for (const key of keys) {
    const raw = fields[key]
    if (raw === undefined || raw === null) continue
    const value = read(raw, key)
    if (value !== null) return { key, value }
  }
  return null
}
