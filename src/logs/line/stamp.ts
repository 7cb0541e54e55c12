/** Time stamps as loggers write them. */

import type { EpochMs } from '../../model/ids.ts'

/** Before this no log was written that a file of today holds. */
const EARLIEST = Date.UTC(2000, 0, 1)
const DAY_MS = 86_400_000

/** `at` is null for a time stamp that says too little (no date, or day and month in unknown order) or cannot be true. */
export interface Stamp {
  readonly at: EpochMs | null
  /** Behind its last character. */
  readonly end: number
  /** A host name follows. */
  readonly syslog: boolean
}

const TIME = String.raw`(?<h>\d\d?):(?<m>\d\d)(?::(?<s>\d\d)(?:[.,](?<f>\d{1,9}))?)?(?: ?(?<half>[AaPp][Mm])(?![A-Za-z]))?`
const ZONE = String.raw`(?: ?(?<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)(?![\w:]))?`
const MONTH = '(?<name>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)'
const WEEKDAY = '(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?'
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'

const sticky = (source: string): RegExp => new RegExp(`(?:${source})(?![\\d:])`, 'y')

/** Chosen by the first character, so that most lines cost one or two attempts. */
const STARTING_WITH_DIGIT = [
  sticky(String.raw`(?<y>\d{4})[-/](?<mo>\d\d)[-/](?<d>\d\d)[T _]${TIME}${ZONE}`),
  sticky(`(?<d>\\d\\d?)[/ -]${MONTH}[/ -](?<y>\\d{4})[: ]${TIME}${ZONE}`),
  sticky(String.raw`(?<d>\d\d?)\.(?<mo>\d\d?)\.(?<y>\d{4}),? ${TIME}${ZONE}`),
  sticky(String.raw`(?<a>\d\d?)/(?<b>\d\d?)/(?<y>\d{4}),? ${TIME}${ZONE}`),
  sticky(String.raw`\d\d:\d\d:\d\d(?:[.,]\d{1,9})?|\d\d?:\d\d(?::\d\d)?[AP]M`),
]
const STARTING_WITH_LETTER = [
  sticky(`${WEEKDAY}${MONTH} {1,2}(?<d>\\d\\d?) ${TIME}(?: (?<y>\\d{4}))?${ZONE}`),
  sticky(`${WEEKDAY}(?<d>\\d\\d?) ${MONTH} (?<y>\\d{4}) ${TIME}${ZONE}`),
]
const EPOCH = /(\d{10})(?:\.(\d{1,9}))?(?![\d.\w-])|(\d{13}|\d{16}|\d{19})(?![\d.\w-])/y

/** The time stamp that begins at `from`; null when there is none. */
export function stampAt(text: string, from: number, now: EpochMs): Stamp | null {
  const code = text.charCodeAt(from)
  const digit = code >= 48 && code <= 57
  if (!digit && !(code >= 65 && code <= 87)) return null
  for (const pattern of digit ? STARTING_WITH_DIGIT : STARTING_WITH_LETTER) {
    pattern.lastIndex = from
    const found = pattern.exec(text)
    if (found === null) continue
    const groups = found.groups ?? {}
    return { at: timeOf(groups, now), end: pattern.lastIndex, syslog: !digit && groups['y'] === undefined }
  }
  return digit ? epochAt(text, from, now) : null
}

function epochAt(text: string, from: number, now: EpochMs): Stamp | null {
  EPOCH.lastIndex = from
  const found = EPOCH.exec(text)
  if (found === null) return null
  const at = epochTime(Number(found[0]), now)
  // Digits that are no time are a number of the message.
  return at === null || at < Date.UTC(2015, 0, 1) ? null : { at, end: EPOCH.lastIndex, syslog: false }
}

/** @param value seconds, milliseconds, microseconds or nanoseconds: only one of them is plausible */
export function epochTime(value: number, now: EpochMs): EpochMs | null {
  const ms = value < 1e11 ? value * 1000 : value < 1e14 ? value : value < 1e17 ? value / 1e3 : value / 1e6
  return plausible(Math.round(ms), now)
}

/** The whole text is a time stamp, as in a field of a JSON line. */
export function stampOf(text: string, now: EpochMs): EpochMs | null {
  if (text.length > 64) return null
  return stampAt(text, 0, now)?.at ?? null
}

type Groups = Readonly<Record<string, string | undefined>>

function timeOf(groups: Groups, now: EpochMs): EpochMs | null {
  const date = dateOf(groups)
  if (date === null) return null
  const { day, month } = date
  const hour = hourOf(Number(groups['h']), groups['half'])
  const [minute, second] = [Number(groups['m']), Number(groups['s'] ?? 0)]
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return null
  const ms = Number(`0.${groups['f'] ?? 0}`) * 1000
  const build = (year: number): EpochMs => {
    if (groups['zone'] === undefined) return new Date(year, month - 1, day, hour, minute, second, ms).getTime()
    return Date.UTC(year, month - 1, day, hour, minute, second, ms) - zoneMs(groups['zone'])
  }
  if (date.year !== null) return plausible(build(date.year), now)
  // Of the year before, when it would be in the future.
  const year = new Date(now).getFullYear()
  return plausible(build(year), now) ?? plausible(build(year - 1), now)
}

function dateOf(groups: Groups): { year: number | null; month: number; day: number } | null {
  const year = groups['y'] === undefined ? null : Number(groups['y'])
  if (groups['name'] !== undefined)
    return { year, month: MONTHS.indexOf(groups['name']) / 3 + 1, day: Number(groups['d']) }
  if (groups['mo'] !== undefined) return { year, month: Number(groups['mo']), day: Number(groups['d']) }
  if (groups['a'] === undefined) return null
  const [first, second] = [Number(groups['a']), Number(groups['b'])]
  // Who writes am and pm writes the month first; otherwise nobody knows, unless one of them can be no month.
  if (groups['half'] !== undefined || second > 12) return { year, month: first, day: second }
  return first > 12 || first === second ? { year, month: second, day: first } : null
}

function hourOf(hour: number, half: string | undefined): number {
  if (half === undefined) return hour
  return (hour % 12) + (half.toLowerCase() === 'pm' ? 12 : 0)
}

function zoneMs(zone: string): number {
  if (!/^[+-]/.test(zone)) return 0
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000
}

/** Clocks of containers and zones may be off by a day, not by more. */
function plausible(at: number, now: EpochMs): EpochMs | null {
  return at >= EARLIEST && at <= now + DAY_MS ? at : null
}
