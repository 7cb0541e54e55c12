import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { jsonLines, timedLines } from '../logs/line-format.ts'
import { LineAssembler, MAX_LINE_BYTES } from '../logs/lines.ts'
import { encodePosition, type Spool, type SpoolOrder, type SpoolPosition } from '../logs/spool.ts'
import type { EpochMs } from '../model/ids.ts'
import type { LogSink, WritePlace } from './log-sink.ts'

/** More than the longest line, so that one always makes headway. */
export const CHUNK_BYTES = 2 * MAX_LINE_BYTES
const NEWLINE = 10

/** `idle`: nothing more to be written; `more`: call again soon; `blocked`: its log cannot be written now. */
export type Progress = 'idle' | 'more' | 'blocked'

/** What is about to be written to the log. */
interface Piece {
  readonly bytes: Buffer
  readonly next: number
  readonly at: EpochMs
  /** Where its first byte went; null: nothing of it is written yet. */
  place: WritePlace | null
  written: number
}

/**
 * Brings what an app writes from its spool to its log. It keeps nothing in memory but what it is just writing: killed at
 * any moment, the next one goes on at the very byte.
 */
export class SpoolReader {
  readonly spool: Spool
  readonly order: SpoolOrder
  readonly sink: LogSink
  readonly #fd: number
  readonly #positionFd: number
  readonly #chunk: Buffer
  #pos: number
  #piece: Piece | null = null
  #isOver = false
  #dropped = 0

  /** @param chunk of CHUNK_BYTES, shared by all: it is used within one call only. @throws the error of the file system */
  constructor(spool: Spool, order: SpoolOrder, sink: LogSink, chunk: Buffer) {
    this.spool = spool
    this.order = order
    this.sink = sink
    this.#chunk = chunk
    // For writing as well: trimming it is a write.
    this.#fd = openSync(spool.path, 'r+')
    this.#positionFd = spool.openPosition()
    const found = spool.position()
    this.#pos = found.pos
    if (found.next > found.pos) this.#resume(found)
  }

  get fd(): number {
    return this.#fd
  }

  /** Everything before is in the log. */
  get pos(): number {
    return this.#pos
  }

  get size(): number {
    return fstatSync(this.#fd).size
  }

  get isOver(): boolean {
    // Where its folder was removed nobody can say so any more.
    return (this.#isOver ||= this.spool.isOver || fstatSync(this.#fd).nlink === 0)
  }

  /** One piece of what is there, as much as is read at a time. */
  step(): Progress {
    if (this.#piece === null) {
      // `echo … > /dev/stdout` truncates it, as it would a log.
      if (this.size < this.#pos) this.#rewind()
      const length = readSync(this.#fd, this.#chunk, 0, CHUNK_BYTES, this.#pos)
      if (length === 0 && this.#dropped === 0) return 'idle'
      const at = Date.now()
      this.#piece = this.#make(length, at, this.#isOver && length < CHUNK_BYTES)
      if (this.#piece === null) return 'idle'
    }
    return this.#write(this.#piece) ? 'more' : 'blocked'
  }

  /** The log cannot be written, and too much waits: the oldest of it is given up, and a line says how much. @param keep bytes */
  drop(keep: number): void {
    const target = this.size - keep
    const from = this.#piece?.next ?? this.#pos
    let at = from
    let lines = this.#piece === null ? 0 : count(this.#piece.bytes.subarray(this.#piece.written))
    while (at < target) {
      const length = readSync(this.#fd, this.#chunk, 0, CHUNK_BYTES, at)
      if (length === 0) break
      const last = this.#chunk.lastIndexOf(NEWLINE, length - 1)
      const end = last < 0 ? length : last + 1
      lines += count(this.#chunk.subarray(0, end))
      at += end
    }
    if (at === from) return
    this.#piece = null
    this.#dropped += lines
    this.#pos = at
    this.#save({ inode: 0, size: 0 }, at, 0)
  }

  close(): void {
    closeSync(this.#fd)
    closeSync(this.#positionFd)
  }

  /** @param isLast an unfinished line is all that will ever come of it */
  #make(length: number, at: EpochMs, isLast: boolean): Piece | null {
    const assembler = new LineAssembler()
    const lines = assembler.push(this.#chunk.subarray(0, length))
    const rest = assembler.end()
    if (rest !== null && isLast) lines.push(rest)
    const next = this.#pos + length - (isLast ? 0 : (rest?.length ?? 0))
    if (this.#dropped > 0) {
      lines.unshift(Buffer.from(`[eco] ${this.#dropped} lines were dropped here: ${this.sink.problem ?? 'no room'}`))
    } else if (lines.length === 0) return null
    const { style } = this.order
    const bytes = style === 'json' ? jsonLines(lines, this.order, at) : timedLines(lines, at)
    return { bytes, next, at, place: null, written: 0 }
  }

  /** @returns whether all of it is written */
  #write(piece: Piece): boolean {
    const place = this.sink.place()
    if (place === null) return false
    if (piece.written === 0) {
      piece.place = place
      this.#save(place, piece.next, piece.at)
    }
    piece.written += this.sink.append(this, piece.written === 0 ? piece.bytes : piece.bytes.subarray(piece.written))
    if (piece.written < piece.bytes.length) return false
    this.#pos = piece.next
    this.#piece = null
    this.#dropped = 0
    this.#save(place, piece.next, piece.at)
    return true
  }

  /** A scribe before us ended while it wrote: what of it has come into the log is seen there. */
  #resume({ pos, next, at, inode, logSize }: SpoolPosition): void {
    const length = readSync(this.#fd, this.#chunk, 0, Math.min(CHUNK_BYTES, next - pos), pos)
    const piece = this.#make(length, at, this.isOver && pos + length === this.size)
    if (piece === null || piece.next !== next) return
    this.#piece = piece
    const place = this.sink.place()
    if (place === null || place.inode !== inode || place.size <= logSize) return
    const written = Math.min(place.size - logSize, piece.bytes.length)
    // Not so when the log was rotated meanwhile: then it stands there twice rather than not at all.
    if (!this.sink.readFrom(logSize, written).equals(piece.bytes.subarray(0, written))) return
    piece.place = { inode, size: logSize }
    piece.written = written
  }

  #rewind(): void {
    this.#pos = 0
    this.#save({ inode: 0, size: 0 }, 0, 0)
  }

  #save({ inode, size }: WritePlace, next: number, at: EpochMs): void {
    const position: SpoolPosition = { pos: this.#pos, next, at, inode, logSize: size }
    try {
      writeSync(this.#positionFd, encodePosition(position), 0, undefined, 0)
    } catch {
      // A full disk: only the scribe after one that is killed now would write something twice.
    }
  }
}

function count(bytes: Buffer): number {
  let lines = 0
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++
  return lines
}
