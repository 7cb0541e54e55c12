import { isDone } from '../current-place.ts'
import type { Ledger } from '../ledger.ts'

/** Where the bytes of a log lie. */
export type Layout = Pick<Ledger, 'base' | 'filler' | 'archives'>

/** Also in a rotation that stands still in its middle: the file itself tells whether its head is gone already. */
export function layoutNow(ledger: Ledger): Layout {
  const { path, base, archives, pending } = ledger
  if (pending === null) return ledger
  const all = [...archives, pending.archive]
  if (isDone(path, pending)) return { base: pending.base, filler: pending.filler, archives: all }
  // What is in the archive is overwritten already, maybe.
  return { base, filler: pending.archive.end - base, archives: all }
}
