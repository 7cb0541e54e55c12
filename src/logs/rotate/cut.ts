/** Where a log file is cut in two. Pure. */

export interface Cut {
  /** Offset up to which the output goes into the archive: behind a newline, unless `isTorn`. */
  readonly end: number
  /** Bytes that are taken off the head of the file, whole blocks; between it and `end` there is filler. */
  readonly taken: number
  /** A line of which no end was in sight goes on behind it. */
  readonly isTorn: boolean
}

const NEWLINE = 10
/** Block boundaries among which the one is chosen that has a line end nearest behind it. */
const BOUNDARIES = 64
/** Of a file that grows, so much is left: the last words of an app are found in one place. */
const LEFT_BYTES = 64 * 1024

/** The part of a file that has to be read for `cutInWindow`. */
export function windowOf(filler: number, size: number, blockSize: number): { start: number; end: number } {
  const end = size - Math.min(LEFT_BYTES, Math.floor((size - filler) / 8))
  return { start: Math.max(filler, end - BOUNDARIES * blockSize), end }
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
    const newline = window.indexOf(NEWLINE, taken - 1 - start)
    if (newline < 0) continue
    const end = start + newline + 1
    if (end - taken <= blockSize && (best === null || end - taken < best.end - best.taken)) {
      best = { end, taken, isTorn: false }
    }
    if (best?.end === best?.taken) break
  }
  return best
}

/** The cut behind a line end, wherever that is in the file. @param end offset behind a newline, at most `size` */
export function cutAt(end: number, size: number, blockSize: number): Cut {
  return { end, taken: Math.floor(Math.min(end, size - 1) / blockSize) * blockSize, isTorn: false }
}

/** In the middle of a line that does not end. null: the file is too short for that. */
export function tornCut(filler: number, size: number, blockSize: number): Cut | null {
  const { end } = windowOf(filler, size, blockSize)
  const taken = Math.floor(Math.min(end, size - 1) / blockSize) * blockSize
  return taken <= filler ? null : { end: taken, taken, isTorn: true }
}

/** What stands where the output has gone to an archive: an empty line, however long. */
export function fillerOf(length: number): Buffer {
  const filler = Buffer.alloc(length, ' ')
  if (length > 0) filler[length - 1] = NEWLINE
  return filler
}
