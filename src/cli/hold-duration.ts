import { formatDuration, parseDuration } from '../config/duration.ts'
import { EcoError } from '../errors.ts'

/** Longer than anybody means, and within what a date can say. */
const LONGEST_MS = 3650 * 86_400_000

/**
 * How long a hold lasts: `30m`, `2h`, as durations are written in the file.
 *
 * @throws EcoError USAGE
 */
export function parseHoldDuration(text: string): number {
  const ms = parseDuration(text)
  if (ms !== null && ms > 0 && ms <= LONGEST_MS) return ms
  if (/^\d+(\.\d+)?$/.test(text)) {
    throw new EcoError('USAGE', `--for ${text} has no unit.`, { hint: `write --for ${text}m or --for ${text}h` })
  }
  const problem =
    ms === null
      ? 'is no duration'
      : ms > 0
        ? `is longer than ${formatDuration(LONGEST_MS)}`
        : 'would be over before it begins'
  throw new EcoError('USAGE', `--for ${text} ${problem}.`, { hint: '--for 30m, --for 2h or --for 1d' })
}
