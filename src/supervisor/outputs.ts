import { constants, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'

/** Where the output of processes goes, each stream named by its log file. */
export interface Outputs {
  /** @returns a descriptor that a process inherits; whoever asked for it closes it after the spawn */
  open(log: string): number
  /** A process that wrote to it has ended: from now on all that it wrote is found in the file. */
  settle(log: string): void
}

/** Straight into the files: nothing of it passes through the daemon, which may end at any time. */
export const LOG_FILES: Outputs = { open: openLog, settle: () => {} }

/** Never follows a symlink: a log path must not become a way to write elsewhere. */
export function openLog(path: string): number {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants
  const flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW
  try {
    return openSync(path, flags, 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    return openSync(path, flags, 0o600)
  }
}
