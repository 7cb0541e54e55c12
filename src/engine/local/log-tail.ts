import { messageOf } from '../../logs/line-format.ts'
import type { InstanceRunner } from '../../supervisor/instance-runner.ts'
import { lastLines } from '../../logs/tail.ts'

const LINES = 10

/** The last words of an instance's current run: what it wrote to stderr, or to stdout when stderr is empty. */
export function logTail(runner: InstanceRunner): string[] {
  for (const log of runner.logOffsets.toReversed()) {
    const lines = lastLines(log.path, LINES, log.offset)
    if (lines.length > 0) return lines.map((line) => messageOf(line, runner.logFormat))
  }
  return []
}
