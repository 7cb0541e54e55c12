/** The small reader of the daemon itself, which must not wait: what stands in the file, or in an archive as it is. */

import { dirname, join } from 'node:path'
import { currentPlace } from './current-place.ts'
import { type Archive, type Ledger, readLedger } from './ledger.ts'
import type { LogAddress, LogTail } from './run-logs.ts'
import { lastLines, readNewLines, type TailPosition } from './tail.ts'

/** The last lines of a log from an address on, oldest first. */
export function lastLinesFrom(home: string, path: string, count: number, address: number): string[] {
  return lastLinesOf(readLedger(home, path), count, address)
}

export function lastLinesOf(ledger: Ledger, count: number, address: number): string[] {
  const { base, filler } = currentPlace(ledger)
  const lines = lastLines(ledger.path, count, Math.max(filler, address - base))
  const archive = ledger.archives.at(-1)
  if (lines.length >= count || archive?.compression !== 'none' || archive.end <= address) return lines
  const before = lastLines(archivePath(ledger, archive), count - lines.length, Math.max(0, address - archive.start))
  return [...before, ...lines]
}

/** @param ledger as it is now, whenever it is asked for */
export function tailFrom({ path, offset }: LogAddress, ledger: () => Ledger): LogTail {
  let address = offset
  let rest = ''
  const read = (file: string, start: number): string[] | null => {
    const position: TailPosition = { path: file, offset: address - start, rest }
    const lines = readNewLines(position)
    const isNew = position.offset + start !== address
    address = position.offset + start
    rest = position.rest
    return isNew ? [...lines, rest] : null
  }
  return {
    read: () => {
      const now = ledger()
      // For some milliseconds the bytes are on the move.
      if (now.pending !== null) return null
      const archive = now.archives.find(({ start, end }) => start <= address && address < end)
      if (archive?.compression === 'none') {
        const lines = read(archivePath(now, archive), archive.start)
        if (lines !== null) return lines
        address = archive.end
      }
      const first = now.base + now.filler
      if (address < first) {
        address = first
        rest = ''
      }
      return read(path, now.base)
    },
  }
}

export function archivePath({ path }: Pick<Ledger, 'path'>, { name }: Pick<Archive, 'name'>): string {
  return join(dirname(path), name)
}
