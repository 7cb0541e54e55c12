import { parseDuration } from '../config/duration.ts'
import { EcoError } from '../errors.ts'
import type { EpochMs } from '../model/ids.ts'

/**
 * `10m`: that long ago; `18:04` or `18:04:05`: when it was that late last; otherwise a date as JavaScript reads it, in
 * local time unless it says otherwise.
 */
export function parseMoment(text: string | undefined, now: EpochMs, option: string): EpochMs | null {
  if (text === undefined) return null
  const ago = parseDuration(text)
  if (ago !== null) return now - ago
  const clock = /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?$/.exec(text)
  if (clock) {
    const [, hours = '', minutes = '', seconds = '0'] = clock
    const date = new Date(now)
    date.setHours(Number(hours), Number(minutes), 0, Number(seconds) * 1000)
    if (date.getTime() > now) date.setDate(date.getDate() - 1)
    return date.getTime()
  }
  const at = parseDate(text)
  if (at !== null) return at
  throw new EcoError('USAGE', `${option} ${text} is neither a duration nor a time.`, {
    hint: `${option} 10m, ${option} 2h or ${option} 2026-01-31T18:00:00`,
  })
}

function parseDate(text: string): EpochMs | null {
  const day = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)
  // JavaScript takes a day without a time for one of UTC.
  const date = new Date(day ? `${text}T00:00` : text)
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(date.getTime())) return null
  return day && date.getDate() !== Number(day[3]) ? null : date.getTime()
}
