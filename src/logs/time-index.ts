/**
 * When what was written: beside the ledger of a log file, a file of points of 16 bytes, oldest first. A point says that at
 * `at` everything before `address` had been written, and nothing from there on. So the time of a line is known to lie
 * between two points, about a second apart while an app writes, and a time is found by binary search.
 */

import { closeSync, constants, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import type { EpochMs } from '../model/ids.ts'
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

export function encodePoints(points: readonly TimePoint[]): Buffer {
  const bytes = Buffer.alloc(points.length * POINT_BYTES)
  for (const [index, { at, address, kind }] of points.entries()) {
    bytes.writeUIntLE(at, index * POINT_BYTES, 6)
    bytes.writeUIntLE(address, index * POINT_BYTES + 6, 6)
    bytes.writeUInt8(KINDS.indexOf(kind), index * POINT_BYTES + 12)
  }
  return bytes
}

export function decodePoint(bytes: Buffer, offset: number): TimePoint {
  const kind = KINDS[bytes.readUInt8(offset + 12)] ?? 'seen'
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

/** The points of one log file, read as far as they are asked for. */
export class TimeIndex {
  readonly #fd: number | null
  readonly length: number
  readonly #bytes = Buffer.alloc(POINT_BYTES)

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
    readSync(this.#fd, this.#bytes, 0, POINT_BYTES, index * POINT_BYTES)
    return decodePoint(this.#bytes, 0)
  }

  /** The last point at or before a moment. null: there is none. */
  before(at: EpochMs): TimePoint | null {
    return this.at(this.#count((point) => point.at <= at) - 1)
  }

  /** The last point at or before an address, and the first one behind it. */
  around(address: number): { readonly before: TimePoint | null; readonly after: TimePoint | null } {
    const count = this.#count((point) => point.address <= address)
    return { before: this.at(count - 1), after: this.at(count) }
  }

  /** How many points, from the oldest on, fulfil what holds for a beginning of them. */
  #count(holds: (point: TimePoint) => boolean): number {
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
