import type { Source } from '../logs/line-format.ts'
import { explainLog, isForWantOfRoom, openLog } from '../logs/open-log.ts'
import type { Output } from '../model/spec.ts'

/** One output of a process: whose it is, and the log it belongs in. */
export interface Destination extends Source {
  /** Of the log file. */
  readonly path: string
  readonly format: Output['format']
  /** By which its writers are known; see Outputs.over. */
  readonly run: string
}

/** A descriptor that a process inherits; whoever asked for it closes it after the spawn. Or why its output is discarded. */
export type OpenedOutput = { readonly fd: number; readonly note: null } | { readonly fd: null; readonly note: string }

/** Where the output of processes goes. */
export interface Outputs {
  /** @throws Error with a reason for people: the process must not be started */
  open(destination: Destination): OpenedOutput
  /** The process that wrote to this log has ended; what is at hand of its output is brought into the file. */
  settle(path: string): void
  /**
   * Nothing of a run lives any more. Resolves when all that it wrote is in its files, or soon after in any case; null:
   * there is nothing to wait for.
   */
  over(run: string): Promise<void> | null
  /** What of `logs` counts here. */
  inForce(output: Output): Output
  /** Logs whose output waits elsewhere because they cannot be written now, and why, by path. */
  readonly blocked: Readonly<Record<string, string>>
}

/** Straight into the files: nothing of it passes through any process of ours, which may end at any time. */
export const LOG_FILES: Outputs = {
  open({ path }) {
    try {
      return { fd: openLog(path), note: null }
    } catch (error) {
      return discarded(path, error)
    }
  },
  settle: () => {},
  over: () => null,
  inForce: (output) => output,
  blocked: {},
}

/**
 * An app does not stay down because its log has no room.
 *
 * @throws Error with the reason for people, where the log needs an operator
 */
export function discarded(path: string, error: unknown): OpenedOutput {
  const reason = explainLog(path, error)
  if (!isForWantOfRoom(error)) throw new Error(reason, { cause: error })
  return { fd: null, note: `its output is discarded until it is started again: ${reason}` }
}
