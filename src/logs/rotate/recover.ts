/** What a daemon makes of a rotation that it finds half done: it is finished, or taken back, without a line's loss. */

import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { removeFile } from '../../state/atomic-file.ts'
import { archivePath } from '../by-address.ts'
import { isDone } from '../current-place.ts'
import { type Ledger, type PendingRotation, readLedger } from '../ledger.ts'
import { unfinishedArchive } from './archive-copy.ts'
import { collapseNow, endOthers, takeBack, takenBytes, writeFiller } from './collapse.ts'
import { pause } from '../pause.ts'
import { openPlain } from './plain-file.ts'
import { settled } from './settled.ts'
import { putTail, removeSavedTails, savedTail } from './stop-and-cut.ts'
import { isThere, letGoOn } from './writers.ts'

/** The helper of a stopped copy needs some milliseconds; the machine may be busy. */
const HELPER_MS = 3000

/** @returns the ledger without a pending rotation, still to be written */
export function recover(home: string, found: Ledger): Ledger {
  const ledger = afterHelper(home, found)
  const { pending, path } = ledger
  if (pending === null) return ledger
  let fd: number | null = null
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW)
    const isSame = fstatSync(fd).ino === ledger.inode
    // Removed or replaced since: what it was is in the archive, as far as that goes.
    if (!isSame) return settled(ledger, pending, Math.max(0, pending.size - (pending.base - ledger.base)))
    const isDoneNow = pending.method === 'stopped-copy' ? finishCut(fd, ledger, pending) : finish(fd, ledger, pending)
    if (isDoneNow) return settled(ledger, pending, fstatSync(fd).size)
    removeFile(archivePath(ledger, pending.archive))
    return { ...ledger, pending: null }
  } catch {
    // Somebody else has been at it too: the file as it is counts.
    const isGone = fd === null || isDone(path, pending)
    return isGone
      ? settled(ledger, pending, Math.max(0, pending.size - (pending.base - ledger.base)))
      : { ...ledger, pending: null }
  } finally {
    if (fd !== null) closeSync(fd)
    letGoOn(pending.stopped)
    removeFile(unfinishedArchive(path))
  }
}

/** @returns false: it was taken back */
function finish(fd: number, ledger: Ledger, pending: PendingRotation): boolean {
  const { path } = ledger
  if (pending.method === 'copytruncate') return isDone(path, pending)
  const taken = takenBytes(ledger, pending)
  if (!pending.isMarked) {
    // The mark may be there, and nothing else.
    const isMarked = taken > 0 && !isDone(path, { ...pending, isMarked: true })
    if (isMarked) takeBack(fd, ledger, pending)
    return false
  }
  if (taken === 0) {
    writeFiller(fd, ledger, pending)
    return true
  }
  endOthers(fd)
  if (isDone(path, pending)) return true
  writeFiller(fd, ledger, pending)
  if (collapseNow(fd, taken) === null || isDone(path, pending)) return true
  takeBack(fd, ledger, pending)
  return false
}

/** Those that write to it still stand, unless somebody else has let them go on. */
function finishCut(fd: number, { path, base }: Ledger, { archive }: PendingRotation): boolean {
  try {
    const tail = readOr(savedTail(path, 'saved'))
    if (tail === null) return readOr(savedTail(path, 'done')) !== null
    const { size } = fstatSync(fd)
    if (size >= archive.end - base + tail.length) return false
    const now = readFileSync(`/proc/self/fd/${fd}`)
    if (!now.subarray(0, tail.length).equals(tail)) {
      // What it holds is a beginning of that, or was written behind the cut.
      putTail(fd, tail.subarray(0, now.length).equals(now) ? tail : Buffer.concat([tail, now]))
    }
    return true
  } finally {
    removeSavedTails(path)
  }
}

function readOr(path: string): Buffer | null {
  let fd: number
  try {
    fd = openPlain(path)
  } catch {
    return null
  }
  try {
    return readFileSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** It goes on after its daemon's end, and is not to be disturbed. */
function afterHelper(home: string, found: Ledger): Ledger {
  const helper = found.pending?.helper
  if (!helper) return found
  const deadline = performance.now() + HELPER_MS
  while (isThere(helper) && performance.now() < deadline) {
    pause(2)
  }
  return readLedger(home, found.path)
}
