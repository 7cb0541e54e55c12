import { readSync } from 'node:fs'
import net from 'node:net'
import type { LineAssembler } from '../logs/lines.ts'
import type { Outlet } from './outlet.ts'
import type { RecentLog } from './recent-log.ts'

const CHUNK_BYTES = 64 * 1024
/** Four times what a pipe holds, unless its writer has made it larger. */
const MOST_SETTLED = 256 * 1024
/** Nobody should have the other end any more. */
const MOST_AT_END = 16 * 1024 * 1024

export interface CaptureParts {
  /** The end of the pipe that we read; closed by the capture. */
  readonly reader: number
  readonly outlet: Outlet
  readonly recent: RecentLog
  /** null: the bytes as they come. */
  readonly lines: LineAssembler | null
  /** Lines as they are printed, in one piece. */
  readonly format: (lines: readonly Buffer[]) => Buffer
  readonly closed: () => void
}

/** One output of one run, from its pipe to ours. */
export class Capture {
  readonly #it: CaptureParts
  readonly #socket: net.Socket
  #isOver = false

  constructor(parts: CaptureParts) {
    this.#it = parts
    this.#socket = new net.Socket({ fd: parts.reader, readable: true, writable: false })
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk))
    this.#socket.on('error', () => this.#socket.destroy())
    this.#socket.on('end', () => this.finish())
  }

  /** Takes what is in the pipe now, without waiting for the loop: an app has ended, and its last words are asked for. */
  settle(): void {
    this.#settle(MOST_SETTLED)
  }

  /** @param most bytes; who writes faster than we read would keep us here for ever */
  #settle(most: number): void {
    if (this.#isOver) return
    // What a pause has left in the stream; it comes as `data`.
    while (this.#socket.read() !== null);
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    try {
      for (let length = 1, total = 0; length > 0 && total < most; total += length) {
        length = readSync(this.#it.reader, chunk, 0, chunk.length, null)
        if (length > 0) this.#print(Buffer.from(chunk.subarray(0, length)))
      }
    } catch {
      // EAGAIN: the pipe is empty, and others may write to it yet.
    }
  }

  /** No more comes. */
  finish(): void {
    if (this.#isOver) return
    this.#settle(MOST_AT_END)
    this.#isOver = true
    const rest = this.#it.lines?.end() ?? null
    if (rest !== null) this.#it.outlet.write(this.#it.format([rest]))
    this.#it.recent.close()
    this.#socket.destroy()
    this.#it.closed()
  }

  #take(chunk: Buffer): void {
    this.#print(chunk)
    if (!this.#it.outlet.isFull) return
    // Each waits by itself once it has brought its piece: a chatty app does not keep a quiet one from its turn.
    this.#socket.pause()
    this.#it.outlet.whenFree(() => this.#socket.resume())
  }

  #print(chunk: Buffer): void {
    const { outlet, recent, lines, format } = this.#it
    recent.write(chunk)
    if (lines === null) return outlet.write(chunk)
    const whole = lines.push(chunk)
    if (whole.length > 0) outlet.write(format(whole))
  }
}
