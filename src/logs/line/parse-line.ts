/** What a line of an app's log says about itself. */

import type { EpochMs } from '../../model/ids.ts'
import { factsOfJson, parseObject } from './json-line.ts'
import type { Level } from './level.ts'
import { factsOfText } from './text-line.ts'

export type { Level } from './level.ts'

export interface ParsedLine {
  /** Null when it says none, or none that can be true. */
  readonly at: EpochMs | null
  readonly level: Level | null
  /** The object, when the whole line is one. */
  readonly json: Record<string, unknown> | null
}

/**
 * Never throws, and looks at the first few hundred characters only, unless the line is JSON.
 *
 * @param now what is later than a day after it is no time of a log
 */
export function parseLine(text: string, now: EpochMs = Date.now()): ParsedLine {
  const json = parseObject(text)
  if (json === null) return { ...factsOfText(text, now), json }
  return { ...factsOfJson(json, now), json }
}
