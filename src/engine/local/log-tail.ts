import type { InstanceRunner } from '../../supervisor/instance-runner.ts'

const LINES = 10

/** The last words of an instance's current run: what it wrote to stderr, or to stdout when stderr is empty. */
export function logTail(runner: InstanceRunner): string[] {
  for (const log of runner.logOffsets.toReversed()) {
    const lines = runner.host.logs.lastLines(log, LINES)
    if (lines.length > 0) return lines
  }
  return []
}
