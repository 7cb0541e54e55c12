import { unreachable } from '../../errors.ts'
import type { Listen, ProbeCheck, ProcessAttributes } from '../../model/spec.ts'
import { attemptConnection } from './attempt-connection.ts'
import { attemptExec } from './attempt-exec.ts'

/**
 * What one attempt says about an instance; `reason` is for people. `inconclusive` says nothing about it, neither good nor
 * bad: somebody it shares its socket with answered, or eco itself could not ask.
 */
export type AttemptResult =
  | { readonly type: 'success' }
  | { readonly type: 'failure'; readonly reason: string }
  | { readonly type: 'inconclusive'; readonly reason: string }

/** The instance that is asked. */
export interface ProbeSubject {
  readonly pid: number
  readonly slot: number
  /** Others may still serve its port: an old version, a sibling. */
  readonly isStarting: boolean
  readonly cwd: string
  /** What it serves, in the order of its private sockets. */
  readonly listen: readonly Listen[]
  /** The folder of its private sockets (probe-sockets.ts); null: it has none. */
  readonly privateFolder: string | null
  /** As whom its commands run, and with which limits. */
  readonly attributes: ProcessAttributes
  /** The environment of its commands. Asked for when there is one to run: it holds secrets. */
  environment(): Record<string, string>
}

/**
 * Asks once. When it is over, or aborted, nothing of it is left: no socket, no timer, no process.
 *
 * @param timeoutMs without an answer for this long the attempt has failed
 * @param signal ends the attempt early; its result means nothing then
 */
export function attempt(
  check: ProbeCheck,
  subject: ProbeSubject,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<AttemptResult> {
  switch (check.type) {
    case 'http':
    case 'tcp':
      return attemptConnection(check, subject, timeoutMs, signal)
    case 'exec':
      return attemptExec(check, subject, timeoutMs, signal)
    default:
      return unreachable(check)
  }
}
