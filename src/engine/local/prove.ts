import { describeExit } from '../../model/observed.ts'
import { isOneOf } from '../../model/exit.ts'
import type { Hook } from '../../model/spec.ts'
import type { InstanceRunner } from '../../supervisor/instance-runner.ts'
import { logTail } from './log-tail.ts'
import { type Verdict, whenReady } from './await.ts'

/** Failures in a row of the ready check after which a soaked instance is not fit. */
const ATTEMPTS = 3

/** @param status `paused`: it waits for an operator */
export type Progress = (message: string, status?: 'progress' | 'paused') => void

export interface Failure {
  readonly reason: string
  readonly log: readonly string[]
}

export interface Proof {
  /** How long it must stay ready, milliseconds. */
  readonly soakMs: number
  /** What judges it in the end; null: nothing. */
  readonly check: Hook | null
}

/** Of a version that has proved itself before. */
export const AT_ONCE: Proof = { soakMs: 0, check: null }

/**
 * Waits until a new instance has shown what a rollout asks for: it gets ready, stays so, still passes its ready check,
 * and the operator's check.
 *
 * @returns why it has not; null: it is fit to serve
 */
export async function prove(runner: InstanceRunner, { soakMs, check }: Proof, tell: Progress): Promise<Failure | null> {
  const late = await readyOrFailure(runner)
  if (late !== null) return late
  if (soakMs > 0) {
    tell(`${runner.name} is ready; it must stay so for ${soakMs / 1000}s`)
    const unfit = (await whenSoaked(runner, soakMs)) ?? (await stillReady(runner))
    if (unfit !== null) return failureOf(runner, unfit.reason)
  }
  if (check === null) return null
  tell(`${runner.name}: its rollout check runs`)
  const failure = await runner.runCheck(check)
  return failure === null ? null : failureOf(runner, `failed its rollout check, which ${failure}`)
}

export async function readyOrFailure(runner: InstanceRunner): Promise<Failure | null> {
  const verdict = await whenReady(runner)
  return verdict && failureOf(runner, verdict.reason)
}

function failureOf(runner: InstanceRunner, reason: string): Failure {
  return { reason: `${runner.name} ${reason}`, log: logTail(runner) }
}

/** Waits until the instance has been ready for that long without a break. An end of its process is no break: it is over. */
export function whenSoaked(runner: InstanceRunner, soakMs: number): Promise<Verdict> {
  const { incarnation } = runner.instance
  const startedAt = performance.now()
  let timer: NodeJS.Timeout | null = null
  return new Promise((resolve) => {
    const finish = (verdict: Verdict): void => {
      if (timer !== null) clearTimeout(timer)
      off()
      resolve(verdict)
    }
    const look = (): void => {
      const ended = endOf(runner, incarnation, performance.now() - startedAt)
      if (ended !== undefined) return finish(ended)
      const { phase } = runner.instance
      const isReady = phase.name === 'running' && phase.unready === null
      if (isReady) timer ??= setTimeout(() => finish(null), soakMs)
      else if (timer !== null) {
        clearTimeout(timer)
        timer = null
      }
    }
    const off = runner.onChange(look)
    look()
  })
}

/** How the run ended; undefined: it goes on. */
function endOf({ instance, spec }: InstanceRunner, incarnation: number, afterMs: number): Verdict | undefined {
  const { phase, lastExit } = instance
  if (instance.incarnation === incarnation && phase.name === 'running') return undefined
  if (instance.wanted === 'down') return { reason: 'was stopped' }
  const after = `${(afterMs / 1000).toFixed(1)}s after it was ready`
  const exit = phase.name === 'stopping' ? phase.exit : lastExit
  if (phase.name === 'stopping' && exit === null)
    return { reason: `was stopped ${after}: ${phase.fault?.reason ?? ''}` }
  const isLeft = spec.restart.policy !== 'always' && isOneOf(exit, spec.restart.successExitCodes)
  if (isLeft) return null
  return { reason: `${exit === null ? 'ended' : describeExit(exit)} ${after}` }
}

/** Asks its ready check once more: a process that hangs now was ready before. */
async function stillReady(runner: InstanceRunner): Promise<Verdict> {
  const { incarnation } = runner.instance
  let reason: string | null = null
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    reason = await runner.askReady()
    const ended = endOf(runner, incarnation, 0)
    if (reason === null || ended !== undefined) return ended ?? null
    await new Promise((done) => setTimeout(done, runner.spec.ready.intervalMs))
  }
  return { reason: `is not ready any more: ${reason}` }
}
