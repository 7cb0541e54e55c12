/** Where the bytes of a log lie: its archives, oldest first, and the file that grows. Pure. */

import type { Archive, Ledger } from '../ledger.ts'

export interface Segment {
  /** Addresses (logs/ledger.ts): from, and up to but without. */
  readonly start: number
  readonly end: number
  /** null: the file that grows. */
  readonly archive: Archive | null
}

/** @param size of the file that grows, in bytes */
export function segmentsOf(ledger: Pick<Ledger, 'archives' | 'base' | 'filler'>, size: number): Segment[] {
  const start = ledger.base + ledger.filler
  const live: Segment = { start, end: Math.max(start, ledger.base + size), archive: null }
  let from = 0
  const archives = ledger.archives.flatMap((archive): Segment[] => {
    const segment = { start: Math.max(from, archive.start), end: Math.min(archive.end, start), archive }
    if (segment.start >= segment.end) return []
    from = segment.end
    return [segment]
  })
  return [...archives, live]
}

/** Where an address lies, or the next one that is still there. null: it is behind the end. */
export function segmentAt(segments: readonly Segment[], address: number): Segment | null {
  return segments.find(({ end }) => address < end) ?? null
}
