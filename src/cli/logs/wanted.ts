/** Which lines are shown. Pure. */

import { atLeast, type Level } from '../../logs/line/level.ts'
import type { ReadLine } from '../../logs/read/log-source.ts'
import type { LogStream } from './log-files.ts'
import type { LogQuery } from './query.ts'

type Wants = (line: ReadLine<LogStream>) => boolean

/**
 * @param isFound the first line is one that was looked for, and found
 * @returns for one pass over the lines of one file; null: all are
 */
export function wanted(
  { grep, level }: Pick<LogQuery, 'grep' | 'level'>,
  stream: LogStream,
  isFound = false,
): Wants | null {
  const hasText = grep === null ? null : (line: ReadLine<LogStream>) => grep(line.text, line.message)
  if (level === null) return hasText
  const hasLevel = levelFilter(level, stream, isFound)
  return (line) => hasLevel(line) && (hasText === null || hasText(line))
}

/** Lines that belong to the one before: of a stack trace, of an object over several lines. */
const CONTINUATION = /^(?:\s|[\])}]|Caused by|\.\.\. \d+ more|$)/

function levelFilter(least: Level, stream: LogStream, isFound: boolean): Wants {
  // What says nothing about itself: on stderr it is a complaint.
  const untold = atLeast(stream.stream === 'err' ? 'error' : 'info', least)
  let before = untold || isFound
  return (line) => {
    const { level } = line.parsed
    if (level !== null) before = atLeast(level, least)
    else if (!CONTINUATION.test(line.message)) before = untold
    return before
  }
}
