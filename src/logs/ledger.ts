/**
 * What became of a log file: one small file for each, in ECO_HOME/log-index.
 *
 * Everything that was ever written to a log has an address: the number of bytes written before it. It stays the same when
 * the file is rotated, so whoever knows one (the time index, the start of a run, a reader that follows) need not know
 * about rotations. The byte at address A stands at A - base in the file, or in the archive with start <= A < end.
 */

import type { EpochMs } from '../model/ids.ts'
import type { Rotation } from '../model/spec.ts'
import { readJson, writeFileAtomic } from '../state/atomic-file.ts'
import { indexFile } from './layout.ts'

export interface Ledger {
  readonly format: 1
  /** Of the log file. */
  readonly path: string
  /** Address of the first byte of the file. */
  readonly base: number
  /** Bytes at the head of the file that are no output: what stood there is in an archive. */
  readonly filler: number
  /** Inode of the file when somebody last looked; null: it was not there yet. Another one: it was replaced. */
  readonly inode: number | null
  /** Its size at that time. Smaller now: it was cut short by somebody else. */
  readonly size: number
  /** Oldest first; without gaps unless archives or output were removed. */
  readonly archives: readonly Archive[]
  /** A rotation that has begun: `base` is about to change. A reader waits, the next daemon finishes it. null: none. */
  readonly pending: PendingRotation | null
}

export interface Archive {
  /** In the folder of the log file. */
  readonly name: string
  readonly start: number
  readonly end: number
  /** When its first and its last line were written, as far as known. */
  readonly firstAt: EpochMs | null
  readonly lastAt: EpochMs
  /** On the disk. */
  readonly bytes: number
  readonly compression: Rotation['compress']
}

export interface PendingRotation {
  readonly method: 'collapse' | 'stopped-copy' | 'copytruncate'
  /** It is complete on the disk. */
  readonly archive: Archive
  /** `base` and `filler` once it is done. */
  readonly base: number
  readonly filler: number
  /** Of the file, when the rotation was decided on. */
  readonly size: number
  /**
   * Stands at the head of the file from before this was written until its bytes are gone. null: none is there yet, or the
   * method has none; then the size tells.
   */
  readonly mark: string | null
  /** Processes that are stopped for it, and that whoever finds it goes on with. */
  readonly stopped: readonly StoppedProcess[]
}

export interface StoppedProcess {
  readonly pid: number
  /** In clock ticks since boot: with the pid it names the process. */
  readonly startTime: number
}

export function newLedger(path: string): Ledger {
  return { format: 1, path, base: 0, filler: 0, inode: null, size: 0, archives: [], pending: null }
}

/** A ledger that is missing or damaged costs the knowledge of archives, not the log. */
export function readLedger(home: string, path: string): Ledger {
  const result = readJson(indexFile(home, path, 'json'), (value) => checkLedger(value, path))
  return result.type === 'value' ? result.value : newLedger(path)
}

/** Replaced as a whole: a reader sees another inode, and so that something changed. */
export function writeLedger(home: string, ledger: Ledger): void {
  writeFileAtomic(indexFile(home, ledger.path, 'json'), JSON.stringify(ledger), false)
}

function checkLedger(value: unknown, path: string): Ledger {
  const ledger = value as Partial<Ledger> | null
  if (typeof ledger !== 'object' || ledger === null || ledger.format !== 1) throw new Error('it is no ledger')
  if (ledger.path !== path) throw new Error('it is of another file')
  return { ...newLedger(path), ...ledger }
}
