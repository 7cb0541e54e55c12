/** What a line of an app's log says about itself. */

import type { EpochMs } from '../../model/ids.ts'
import { withoutTime } from '../line-format.ts'
import { levelOf, parseObject, timeOf, wrappedLine, type Fields } from './json-line.ts'
import type { Level } from './level.ts'
import { factsOfText } from './text-line.ts'

export type { Level } from './level.ts'

export interface ParsedLine {
  /** Null when it says none, or none that can be true. */
  readonly at: EpochMs | null
  readonly level: Level | null
  /** The object, when the whole line is one. */
  readonly json: Record<string, unknown> | null
  /** What the app wrote: the line without what a format of eco's, or Docker, has put around it. */
  readonly message: string
}

type Facts = Pick<ParsedLine, 'at' | 'level'>

/**
 * Never throws, and looks at the first few hundred characters only, unless the line is JSON.
 *
 * @param now what is later than a day after it is no time of a log
 */
export function parseLine(text: string, now: EpochMs = Date.now()): ParsedLine {
  const json = parseObject(text)
  const message = json === null ? withoutTime(text) : wrappedLine(json)
  const { at, level } = json === null ? factsOfText(text, now) : factsOfJson(json, now)
  if (message === null) return { at, level, json, message: text }
  if (at !== null && level !== null) return { at, level, json, message }
  const inner = factsOf(message, now)
  return { at: at ?? inner.at, level: level ?? inner.level, json, message }
}

const MAY_BE_WRAPPED = /^(?:\{"(?:time|log)":"|\d{4}-\d\d-\d\dT)/

/** `message` of a line, without the cost of parsing when nothing is around it. */
export function messageOf(text: string, parsed: () => ParsedLine): string {
  return MAY_BE_WRAPPED.test(text) ? parsed().message : text
}

function factsOf(text: string, now: EpochMs): Facts {
  const json = parseObject(text)
  return json === null ? factsOfText(text, now) : factsOfJson(json, now)
}

function factsOfJson(fields: Fields, now: EpochMs): Facts {
  return { at: timeOf(fields, now)?.value ?? null, level: levelOf(fields)?.value ?? null }
}
