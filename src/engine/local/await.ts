import { startHint } from './start-hint.ts'
import { describeExit } from '../../model/observed.ts'
import type { InstanceRunner } from '../../supervisor/instance-runner.ts'

/** null: it is so. Otherwise why it will not be. */
export type Verdict = { readonly reason: string } | null

/**
 * A start that ends this often before it was ever ready is given up: the supervisor may go on trying, but whoever waits
 * for the start learns the truth now and not at the deadline.
 */
export const STARTS_BEFORE_GIVING_UP = 3

/** Waits until the instance is ready, has plainly failed, or its time is over. */
export async function whenReady(runner: InstanceRunner): Promise<Verdict> {
  const verdict = await whenStarted(runner)
  const hint = verdict && startHint(runner)
  return hint ? { reason: `${verdict.reason}; ${hint}` } : verdict
}

function whenStarted(runner: InstanceRunner): Promise<Verdict> {
  const { timeoutMs } = runner.spec.ready
  const startedAt = runner.instance.restarts
  // A run that is ending already is not the one that is waited for.
  const ending = runner.instance.phase.name === 'stopping' ? runner.instance.incarnation : null
  return settle(runner, timeoutMs, `was not ready within ${timeoutMs / 1000}s`, () => {
    const { phase, restarts, lastExit } = runner.instance
    const ended = lastExit === null ? '' : describeExit(lastExit)
    switch (phase.name) {
      case 'running':
        return phase.unready === null ? null : undefined
      case 'failed':
        return { reason: phase.reason }
      case 'exited':
        return { reason: `${ended} before it was ready` }
      case 'stopped':
        return { reason: 'was stopped' }
      case 'backoff':
      case 'starting':
      case 'stopping':
        // The supervisor's own deadline is over; told now, because its next run has other logs and other reasons.
        const timedOut = phase.name === 'stopping' && phase.fault !== null && phase.exit === null
        if (timedOut && runner.instance.incarnation !== ending) {
          const { reason } = phase.fault
          return { reason: reason.startsWith('not ') ? `was ${reason}` : `was stopped: ${reason}` }
        }
        // A hook is the operator's own word.
        if (lastExit?.kind === 'hook' && restarts > startedAt) return { reason: ended }
        if (restarts - startedAt < STARTS_BEFORE_GIVING_UP) return undefined
        return { reason: `${ended}, ${restarts - startedAt} times in a row before it was ready` }
    }
  })
}

/** Waits until the process group of an instance that was told to stop is gone. The supervisor sees to that. */
export function whenStopped(runner: InstanceRunner): Promise<Verdict> {
  return settle(runner, null, '', () => {
    const { name } = runner.instance.phase
    return name === 'stopped' || name === 'failed' || name === 'exited' ? null : undefined
  })
}

/** Waits for a job to end; any time it takes. */
export function whenCompleted(runner: InstanceRunner): Promise<Verdict> {
  return settle(runner, null, '', () => {
    const { phase, lastExit } = runner.instance
    if (phase.name === 'stopped') return { reason: 'was stopped' }
    if (phase.name !== 'exited' && phase.name !== 'failed') return undefined
    if (runner.hasSucceeded) return null
    if (phase.name === 'failed') return { reason: phase.reason }
    return { reason: lastExit ? describeExit(lastExit) : 'did not run' }
  })
}

function withWaiting({ waitingFor }: InstanceRunner, reason: string): string {
  return waitingFor === null ? reason : `${reason}: ${waitingFor}`
}

/** @param look undefined: not decided yet, look again after the next change */
function settle(
  runner: InstanceRunner,
  timeoutMs: number | null,
  timeoutReason: string,
  look: () => Verdict | undefined,
): Promise<Verdict> {
  return new Promise((resolve) => {
    const finish = (verdict: Verdict): void => {
      clearTimeout(timer)
      off()
      resolve(verdict)
    }
    const check = (): void => {
      const verdict = look()
      if (verdict !== undefined) finish(verdict)
    }
    const off = runner.onChange(check)
    const late = (): void => finish({ reason: withWaiting(runner, timeoutReason) })
    const timer = timeoutMs === null ? undefined : setTimeout(late, timeoutMs)
    check()
  })
}
