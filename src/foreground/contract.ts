/** What `eco run` asks of the part that supervises: the CLI knows only this of it. */

import type { DesiredState } from '../model/spec.ts'

/** How the lines of the apps are printed. `raw`: the bytes as they come, not even gathered to lines. */
export type LineStyle = 'prefix' | 'plain' | 'raw' | 'json'

export interface RunOptions {
  /** null: prefixed when there is more than one instance, else plain. */
  readonly style: LineStyle | null
  /** Of stdout and of stderr. */
  readonly color: { readonly out: boolean; readonly err: boolean }
  /** An app that fails for good does not end the others. */
  readonly keepGoing: boolean
  readonly by: string
  /** It is all there is in its container, or is started by what is. */
  readonly isInit: boolean
}

/** `eco run` while it runs. */
export interface ForegroundRun {
  /** ECO_HOME of this run. */
  readonly home: string
  /**
   * Brings the apps up and stays, until all have ended, one has failed for good, or a signal asks for the end.
   *
   * @returns the exit code, once everything has ended and all output is written
   * @throws EcoError when it is refused; then nothing was started
   */
  carryOut(desired: DesiredState): Promise<number>
  /** Nothing is left behind. */
  close(): Promise<void>
}

export interface Foreground {
  /**
   * Takes the signals of this process from now on, and makes the private folder.
   *
   * @throws EcoError STATE_UNWRITABLE
   */
  open(options: RunOptions): Promise<ForegroundRun>
}
