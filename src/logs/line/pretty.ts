/** A JSON line for people, in one line where it can be: `18:04:05.123 WARN  slow query  ms=812 table=orders`. */

import type { EpochMs } from '../../model/ids.ts'
import { levelOf, messageOf, timeOf, type Fields } from './json-line.ts'
import type { Level } from './level.ts'
import { neutraliseLine } from './neutralise-line.ts'
import { parseLine, type ParsedLine } from './parse-line.ts'
import { errorParts } from './pretty-error.ts'
import { requestText } from './pretty-request.ts'
import { painter, valueText, type Paint } from './pretty-value.ts'

/** Of the process, which eco has named already, and of the format. */
const LEFT_OUT = new Set(['pid', 'hostname', 'v', '_logMeta', '@version', 'ecs.version', 'levelId', 'level_value'])

const COLOURS: Readonly<Record<Level, number>> = { trace: 90, debug: 36, info: 32, warn: 33, error: 31, fatal: 35 }
const INDENT = '    '

interface PrettyOptions {
  readonly color: boolean
}

/**
 * @param text the line that `parsed` was made of
 * @returns one or several lines without a newline at the end, safe for a terminal. Lines that are no JSON, and objects
 *   that no logger has written, come back as they were
 */
export function prettyLine(parsed: ParsedLine, text: string, options: PrettyOptions): string {
  try {
    return (parsed.message === text ? pretty(parsed, options) : prettyWrapped(parsed, options)) ?? neutraliseLine(text)
  } catch {
    // JSON.parse reads what is nested deeper than JSON.stringify writes.
    return neutraliseLine(text)
  }
}

function prettyWrapped({ message, json, at, level }: ParsedLine, options: PrettyOptions): string | null {
  const inner = parseLine(message)
  if (json === null && inner.json === null) return null
  const whole = { ...inner, at: inner.at ?? at, level: inner.level ?? level }
  if (json === null) return pretty(whole, options)
  const text = prettyLine(whole, message, options)
  // A line of text that says no time itself gets that of its wrapper.
  if (inner.json !== null || inner.at !== null) return text
  return [clock(json, new Map(), at, painter(options.color)), text].filter((part) => part !== '').join(' ')
}

function pretty(parsed: ParsedLine, options: PrettyOptions): string | null {
  const fields = parsed.json
  if (fields === null) return null
  const message = messageOf(fields) ?? nestedMessage(fields)
  if (message === null && parsed.level === null) return null
  const paint = painter(options.color)
  const rest = new Map(Object.entries(fields).filter(([key]) => !LEFT_OUT.has(key)))
  const head = [clock(fields, rest, parsed.at, paint), levelName(fields, rest, parsed.level, paint)]
  const name = rest.get('name')
  if (typeof name === 'string' && name !== '') {
    rest.delete('name')
    head.push(paint(2, `(${name})`))
  }
  if (message !== null) takeMessage(rest, message.key)
  const [first = '', ...further] = message === null ? [] : message.value.split(/\r?\n/)
  head.push(first, requestText(rest))
  const errors = errorParts(rest, message?.value ?? '')
  for (const [key, value] of [...rest, ...errors.fields]) head.push(`${paint(2, `${key}=`)}${valueText(value)}`)
  const lines = [head.filter((part) => part !== '').join(' '), ...further.map((line) => INDENT + line)]
  lines.push(...errors.lines.map((line) => INDENT + line))
  return lines.map(neutraliseLine).join('\n')
}

function clock(fields: Fields, rest: Map<string, unknown>, at: EpochMs | null, paint: Paint): string {
  if (at === null) return ''
  const own = timeOf(fields, Number.MAX_SAFE_INTEGER)
  if (own?.value === at) rest.delete(own.key)
  const date = new Date(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return paint(2, `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`)
}

/** In the logger's own words when it has words, in ours when it has numbers. */
function levelName(fields: Fields, rest: Map<string, unknown>, level: Level | null, paint: Paint): string {
  if (level === null) return ''
  const found = levelOf(fields)
  const own = found === null ? undefined : fields[found.key]
  // Of objects (`log: { level, file }`) the other fields are worth something.
  if (found !== null && typeof own !== 'object') rest.delete(found.key)
  const name = typeof own === 'string' && own.length > 1 ? own.trim().toUpperCase() : level.toUpperCase()
  const number = typeof own === 'number' && own > 10 && own % 10 !== 0 ? `(${own})` : ''
  return paint(COLOURS[level], `${name}${number}`.padEnd(5))
}

/** Rust's tracing: `fields: { message, … }`. */
function nestedMessage(fields: Fields): { key: string; value: string } | null {
  const nested = fields['fields']
  if (typeof nested !== 'object' || nested === null || !('message' in nested)) return null
  return typeof nested.message === 'string' ? { key: 'fields', value: nested.message } : null
}

function takeMessage(rest: Map<string, unknown>, key: string): void {
  const value = rest.get(key)
  rest.delete(key)
  if (typeof value !== 'object' || value === null) return
  for (const [name, field] of Object.entries(value))
    if (name !== 'message') rest.set(rest.has(name) ? `${key}.${name}` : name, field)
}
