import type { Ledger, PendingRotation } from '../ledger.ts'

/** The ledger after a rotation. @param size of the file then */
export function settled(ledger: Ledger, { archive, base, filler }: PendingRotation, size: number): Ledger {
  return { ...ledger, base, filler, size, archives: [...ledger.archives, archive], pending: null }
}
