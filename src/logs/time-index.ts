/**
 * When what was written: beside the ledger of a log file, a file of points of 16 bytes, oldest first. A point says that at
 * `at` everything before `address` had been written, and nothing from there on. So the time of a line is known to lie
 * between two points, about a second apart while an app writes, and a time is found by binary search.
 */

import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import type { EpochMs } from '../model/ids.ts'
import { writeFileAtomic } from '../state/atomic-file.ts'
import { logIndexDir } from '../state/paths.ts'
import { indexFile } from './layout.ts'

export interface TimePoint {
  readonly at: EpochMs
  /** See logs/ledger.ts. */
  readonly address: number
  /** `start` and `end` of a run, at the very moment; `seen`: the file had grown. */
  readonly kind: 'seen' | 'start' | 'end'
}

export const POINT_BYTES = 16
const KINDS = ['seen', 'start', 'end'] as const
const KIND_AT = 12
const POINTS_AT_ONCE = 256
/** Fewer are not worth the while. */
const LEAST_FORGOTTEN = 4096
const POINTS_IN_A_SCAN = 16 * 1024

export function encodePoints(points: readonly TimePoint[]): Buffer {
  const bytes = Buffer.alloc(points.length * POINT_BYTES)
  for (const [index, { at, address, kind }] of points.entries()) {
    bytes.writeUIntLE(at, index * POINT_BYTES, 6)
    bytes.writeUIntLE(address, index * POINT_BYTES + 6, 6)
    bytes.writeUInt8(KINDS.indexOf(kind), index * POINT_BYTES + KIND_AT)
  }
  return bytes
}

export function decodePoint(bytes: Buffer, offset: number): TimePoint {
  const kind = KINDS[bytes.readUInt8(offset + KIND_AT)] ?? 'seen'
  return { at: bytes.readUIntLE(offset, 6), address: bytes.readUIntLE(offset + 6, 6), kind }
}

/** @throws the error of the file system */
export function appendPoints(home: string, path: string, points: readonly TimePoint[]): void {
  const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW } = constants
  const file = indexFile(home, path, 'idx')
  const open = (): number => openSync(file, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600)
  let fd: number
  try {
    fd = open()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    mkdirSync(logIndexDir(home), { recursive: true, mode: 0o700 })
    fd = open()
  }
  try {
    // After a write that a full disk cut short, the next ones would stand askew.
    const askew = fstatSync(fd).size % POINT_BYTES
    writeSync(
      fd,
      askew === 0 ? encodePoints(points) : Buffer.concat([Buffer.alloc(POINT_BYTES - askew), encodePoints(points)]),
    )
  } finally {
    closeSync(fd)
  }
}

/**
 * Drops the points of output that is not there any more, once they are the larger part of the file. Readers go on with the
 * file that they have open.
 *
 * @param oldest address that is still there
 */
export function forgetPoints(home: string, path: string, oldest: number): void {
  const index = new TimeIndex(home, path)
  // The last one before it tells when it began.
  const gone = index.countWhile((point) => point.address <= oldest) - 1
  const count = index.length
  index.close()
  if (gone < LEAST_FORGOTTEN || gone * 2 < count) return
  const file = indexFile(home, path, 'idx')
  writeFileAtomic(file, readFileSync(file).subarray(gone * POINT_BYTES, count * POINT_BYTES), false)
}

/** The points of one log file, read as far as they are asked for. */
export class TimeIndex {
  readonly #fd: number | null
  readonly length: number
  /** The part of the file that was read last: who looks at one point looks at its neighbours next. */
  #block = Buffer.alloc(0)
  /** Number of the first point in it. */
  #first = 0

  constructor(home: string, path: string) {
    try {
      this.#fd = openSync(indexFile(home, path, 'idx'), 'r')
      this.length = Math.floor(fstatSync(this.#fd).size / POINT_BYTES)
    } catch {
      this.#fd = null
      this.length = 0
    }
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd)
  }

  at(index: number): TimePoint | null {
    if (this.#fd === null || index < 0 || index >= this.length) return null
    if (!this.#holds(index)) this.#read(index - (index % POINTS_AT_ONCE), POINTS_AT_ONCE)
    return this.#holds(index) ? decodePoint(this.#block, (index - this.#first) * POINT_BYTES) : null
  }

  /** The number of the last start or end of a run before a point; -1: there is none. */
  edgeBefore(index: number): number {
    for (let end = Math.min(index, this.length); end > 0; end = this.#first) {
      if (!this.#holds(end - 1)) {
        const start = Math.max(0, end - POINTS_IN_A_SCAN)
        this.#read(start, end - start)
        if (!this.#holds(end - 1)) return -1 // cut short meanwhile
      }
      for (let i = end - 1; i >= this.#first; i--) {
        if (this.#block[(i - this.#first) * POINT_BYTES + KIND_AT] !== 0) return i
      }
    }
    return -1
  }

  #holds(index: number): boolean {
    const offset = (index - this.#first) * POINT_BYTES
    return offset >= 0 && offset < this.#block.length
  }

  #read(first: number, count: number): void {
    const bytes = Buffer.allocUnsafe(count * POINT_BYTES)
    const length = this.#fd === null ? 0 : readSync(this.#fd, bytes, 0, bytes.length, first * POINT_BYTES)
    this.#first = first
    this.#block = bytes.subarray(0, length - (length % POINT_BYTES))
  }

  /** The last point at or before a moment. null: there is none. */
  before(at: EpochMs): TimePoint | null {
    return this.at(this.countWhile((point) => point.at <= at) - 1)
  }

  /** The last point at or before an address, and the first one behind it. */
  around(address: number): { readonly before: TimePoint | null; readonly after: TimePoint | null } {
    const count = this.countWhile((point) => point.address <= address)
    return { before: this.at(count - 1), after: this.at(count) }
  }

  /** How many points, from the oldest on, fulfil what holds for a beginning of them. */
  countWhile(holds: (point: TimePoint) => boolean): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const point = this.at(middle)
      if (point !== null && holds(point)) low = middle + 1
      else high = middle
    }
    return low
  }
}
