/**
 * What became of a log file: one small file for each, in ECO_HOME/log-index.
 *
 * Everything that was ever written to a log has an address: the number of bytes written before it. It stays the same when
 * the file is rotated, so whoever knows one (the time index, the start of a run, a reader that follows) need not know
 * about rotations. The byte at address A stands at A - base in the file, or in the archive with start <= A < end.
 */

import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { EpochMs } from '../model/ids.ts'
import type { Rotation } from '../model/spec.ts'
import { readJson, writeFileAtomic } from '../state/atomic-file.ts'
import { indexFile } from './layout.ts'

export interface Ledger {
  readonly format: 1
  /** Of the log file. */
  readonly path: string
  /** Address of the first byte of the file. Below 0 when it begins with more filler than was ever written. */
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
  /** collapse: stands at the head of the file from `isMarked` on until the bytes are gone. '' : it has none. */
  readonly mark: string
  readonly isMarked: boolean
  /** stopped-copy: the process that does it, and those it has stopped; whoever finds it gone lets these go on. */
  readonly helper: StoppedProcess | null
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

/** Survives a power cut too. */
export async function writeLedgerDurably(home: string, ledger: Ledger): Promise<void> {
  const path = indexFile(home, ledger.path, 'json')
  const temporary = `${path}.${process.pid}.tmp`
  await writeSynced(temporary, JSON.stringify(ledger))
  await rename(temporary, path)
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

function checkLedger(value: unknown, path: string): Ledger {
  if (!isObject(value) || value['format'] !== 1) throw new Error('it is no ledger')
  if (value['path'] !== path) throw new Error('it is of another file')
  const ledger = { ...newLedger(path), ...value }
  const isSound =
    Number.isSafeInteger(ledger.base) &&
    [ledger.filler, ledger.size].every(isCount) &&
    Array.isArray(ledger.archives) &&
    ledger.archives.every(isArchive) &&
    (ledger.pending === null || isPending(ledger.pending))
  if (!isSound) throw new Error('it is damaged')
  return ledger
}

function isArchive(value: unknown): boolean {
  return isObject(value) && typeof value['name'] === 'string' && isCount(value['start']) && isCount(value['end'])
}

function isPending(value: unknown): boolean {
  if (!isObject(value) || !isArchive(value['archive'])) return false
  const { base, filler, size, mark, stopped } = value
  return (
    [base, filler, size].every(isCount) && typeof mark === 'string' && Array.isArray(stopped) && stopped.every(isObject)
  )
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
