import type { FileHandle } from 'node:fs/promises'
import { type Cut, cutAt, cutInWindow, tornCut, windowOf } from './cut.ts'

const CHUNK_BYTES = 256 * 1024
const NEWLINE = 10

export interface CutWish {
  readonly filler: number
  readonly size: number
  readonly blockSize: number
  /** As much as possible, or what makes the smallest mess and leaves the last words where they are. */
  readonly all: boolean
  /** In the middle of a line, when no line ends where a cut is of use. */
  readonly mayTear: boolean
}

/** @returns null: there is no line that has ended, or not where a cut would be of use */
export async function findCut(file: FileHandle, wish: CutWish): Promise<Cut | null> {
  const { filler, size, blockSize, all, mayTear } = wish
  if (!all) {
    const { start, end } = windowOf(filler, size, blockSize)
    const window = await readRange(file, start, end)
    const found = cutInWindow(window, start, size, blockSize)
    if (found !== null) return found
  }
  const end = await lastLineEnd(file, filler, size)
  if (end !== null && (all || end - filler >= (size - filler) / 4)) return cutAt(end, size, blockSize)
  return mayTear ? tornCut(filler, size, blockSize) : null
}

/** Offset behind the last newline. */
async function lastLineEnd(file: FileHandle, start: number, size: number): Promise<number | null> {
  for (let end = size; end > start; end -= CHUNK_BYTES) {
    const from = Math.max(start, end - CHUNK_BYTES)
    const newline = (await readRange(file, from, end)).lastIndexOf(NEWLINE)
    if (newline >= 0) return from + newline + 1
  }
  return null
}

/** Less when the file is shorter. */
export async function readRange(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(Math.max(0, end - start))
  let length = 0
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, start + length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return bytes.subarray(0, length)
}
