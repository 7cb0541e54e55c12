import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { type Ledger, type PendingRotation, readLedger } from './ledger.ts'
import { pause } from './pause.ts'
import { sizeOf } from './tail.ts'

/** Where the output stands in the file: `base` and `filler` of the ledger, or those of a rotation that has just been. */
export function currentPlace(ledger: Ledger): Pick<Ledger, 'base' | 'filler'> {
  const { pending, path } = ledger
  return pending !== null && isDone(path, pending) ? pending : ledger
}

/** Whether its bytes have gone from the head of the file. */
export function isDone(path: string, { method, mark, isMarked, size }: PendingRotation): boolean {
  if (method === 'collapse' && !isMarked) return false
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return false
  }
  try {
    if (method !== 'collapse') return fstatSync(fd).size < size
    const expected = Buffer.from(mark)
    const head = Buffer.alloc(expected.length)
    readSync(fd, head, 0, head.length, 0)
    return !head.equals(expected)
  } finally {
    closeSync(fd)
  }
}

/** For at most so long; a stopped copy takes some milliseconds, of which the file is empty for one. */
const MOVING_MS = 500

/** Address behind the last byte of a file whose rotation another process carries out just now. */
export function addressOfEnd(home: string, ledger: Ledger): number {
  const { path, pending } = ledger
  const deadline = performance.now() + MOVING_MS
  for (;;) {
    const now = pending?.helper && performance.now() < deadline ? readLedger(home, path) : ledger
    // Its helper has set to work, and says when it is done.
    const isMoving = now.pending !== null && now.pending.stopped.length > 0
    const before = currentPlace(now).base
    const size = sizeOf(path)
    const isSteady = !isMoving && currentPlace(now).base === before
    if (isSteady || performance.now() > deadline) return before + size
    pause(1)
  }
}
