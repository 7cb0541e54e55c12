import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { Ledger } from './ledger.ts'

/** Where the output stands in the file: `base` and `filler` of the ledger, or those of a rotation that has just been. */
export function currentPlace(ledger: Ledger): Pick<Ledger, 'base' | 'filler'> {
  const { pending, path } = ledger
  return pending !== null && isDone(path, pending) ? pending : ledger
}

/** Whether its bytes have gone from the head of the file. */
export function isDone(path: string, { mark, size }: NonNullable<Ledger['pending']>): boolean {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return false
  }
  try {
    if (mark === null) return fstatSync(fd).size < size
    const expected = Buffer.from(mark)
    const head = Buffer.alloc(expected.length)
    readSync(fd, head, 0, head.length, 0)
    return !head.equals(expected)
  } finally {
    closeSync(fd)
  }
}
