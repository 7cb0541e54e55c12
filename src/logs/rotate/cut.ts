/** Where a log file is cut in two. Pure. */

import { createHash } from 'node:crypto'

export interface Cut {
  /** Offset up to which the output goes into the archive: behind a newline, unless `isTorn`. */
  readonly end: number
  /** Bytes that are taken off the head of the file, whole blocks; between it and `end` there is filler. */
  readonly taken: number
  /** A line of which no end was in sight goes on behind it. */
  readonly isTorn: boolean
}

const NEWLINE = 10
const TAB = 9
/** Block boundaries among which the best one is chosen; in a small file, those of a quarter of it. */
const BOUNDARIES = 32
/** Shorter filler is like that of other files: to whoever tells files apart by their first line, they would be one. */
const LEAST_FILLER = 64
/** Of a file that grows, so much is left: the last words of an app are found in one place. */
const LEFT_BYTES = 64 * 1024

/** The part of a file that has to be read for `cutInWindow`. */
export function windowOf(filler: number, size: number, blockSize: number): { start: number; end: number } {
  const end = size - Math.min(LEFT_BYTES, Math.floor((size - filler) / 8))
  const most = Math.max(2 * blockSize, Math.min(BOUNDARIES * blockSize, Math.floor((size - filler) / 4)))
  return { start: Math.max(filler, end - most), end }
}

/**
 * The cut with the least filler in a window of a file; among equals the latest.
 *
 * @param window bytes of the file from offset `start` on
 * @returns null: no line ends in it within a block behind a boundary
 */
export function cutInWindow(window: Buffer, start: number, size: number, blockSize: number): Cut | null {
  let best: Cut | null = null
  const last = Math.min(start + window.length, size - 1)
  const first = Math.max(Math.ceil((start + 1) / blockSize), 1) * blockSize
  for (let taken = Math.floor(last / blockSize) * blockSize; taken >= first; taken -= blockSize) {
    const end = behindNewline(window, taken, start)
    if (end === null) continue
    if (end - taken <= blockSize && (best === null || end - taken < best.end - best.taken)) {
      best = { end, taken, isTorn: false }
    }
    if (best !== null && best.end === best.taken) break
  }
  return best
}

/** The first line end at a boundary, or far enough behind it. */
function behindNewline(window: Buffer, taken: number, start: number): number | null {
  const at = taken - start
  if (window[at - 1] === NEWLINE) return taken
  const newline = window.indexOf(NEWLINE, at + LEAST_FILLER - 1)
  return newline < 0 ? null : start + newline + 1
}

/** The cut behind a line end, wherever that is in the file. @param end offset behind a newline, at most `size` */
export function cutAt(end: number, size: number, blockSize: number): Cut {
  const taken = Math.floor(Math.min(end, size - 1) / blockSize) * blockSize
  const isShort = end > taken && end - taken < LEAST_FILLER && taken > 0
  return { end, taken: isShort ? taken - blockSize : taken, isTorn: false }
}

/** In the middle of a line that does not end. null: the file is too short for that. */
export function tornCut(filler: number, size: number, blockSize: number): Cut | null {
  const { end } = windowOf(filler, size, blockSize)
  const taken = Math.floor(Math.min(end, size - 1) / blockSize) * blockSize
  return taken <= filler ? null : { end: taken, taken, isTorn: true }
}

/**
 * What stands where the output has gone to an archive: an empty line, however long. Its spaces and tabs are like those of no
 * other file, as far as there is room.
 *
 * @param path of the file, and the address at its head
 */
export function fillerOf(length: number, path: string, base: number): Buffer {
  const filler = Buffer.alloc(length, ' ')
  const digest = createHash('sha256').update(`${path} ${base}`).digest()
  for (let at = 0; at < Math.min(length, LEAST_FILLER); at++) {
    if (((digest[at >> 3] ?? 0) >> (at & 7)) & 1) filler[at] = TAB
  }
  if (length > 0) filler[length - 1] = NEWLINE
  return filler
}
