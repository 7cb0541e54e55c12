import { describeExit } from '../../model/observed.ts'
import type { InstanceRunner } from '../../supervisor/instance-runner.ts'
import type { RunEnd } from './run-journal.ts'

export interface RunEvents {
  /** An attempt has begun; the first one is 1. */
  attempt(number: number): void
  ended(end: RunEnd): void
}

/** Follows the one run of a runner through its attempts to its end. */
export function watchRun(runner: InstanceRunner, events: RunEvents): void {
  let attempt = runner.instance.incarnation
  /** Why its last attempt was made to end, or how it ended. */
  let cause: string | null = null
  const end = (outcome: RunEnd['outcome'], reason: string | null): void => {
    off()
    events.ended({ outcome, reason, exit: runner.instance.lastExit })
  }
  const look = (): void => {
    const { phase, incarnation, lastExit } = runner.instance
    switch (phase.name) {
      case 'starting':
        if (incarnation === attempt) return
        attempt = incarnation
        cause = null
        return events.attempt(incarnation)
      case 'stopping':
        cause = phase.fault?.reason ?? cause
        return
      case 'exited':
        return end('completed', null)
      case 'stopped':
        return end('stopped', null)
      case 'failed':
        if (cause?.startsWith(TIMED_OUT)) return end('timed-out', cause)
        return end(
          lastExit?.kind === 'unknown' ? 'unknown' : 'failed',
          cause ?? (lastExit ? describeExit(lastExit) : phase.reason),
        )
      case 'running':
      case 'backoff':
    }
  }
  const off = runner.onChange(look)
}

/** Its run has not ended: it has a process, or waits for its next attempt. */
export function isGoingOn({ instance: { phase } }: InstanceRunner): boolean {
  return phase.name !== 'stopped' && phase.name !== 'exited' && phase.name !== 'failed'
}

/** How the fault of a run begins that took longer than its timeout. */
const TIMED_OUT = 'did not end within'
