import { closeSync, fstatSync, readSync } from 'node:fs'
import { LineClock } from '../../logs/read/line-clock.ts'
import { LogSource } from '../../logs/read/log-source.ts'
import type { LogStream } from './log-files.ts'
import type { LineSource } from './open-stream.ts'
import { wanted } from './wanted.ts'
import type { LogQuery } from './query.ts'
import type { Sink } from './sink.ts'

const QUIET_MS = 60_000

/**
 * A file that others have renamed or removed, and put another one in its place: the app that has it open writes on to it.
 */
export class FormerFile {
  readonly stream: LogStream
  readonly source: LineSource
  readonly clock: LineClock
  readonly #fd: number
  #offset: number
  #grewAt = Date.now()

  constructor(home: string, stream: LogStream, fd: number, offset: number, query: LogQuery, sink: Sink) {
    this.stream = stream
    this.#fd = fd
    this.#offset = offset
    // Nothing is known of it any more but when it was read.
    this.clock = new LineClock(home, `${stream.path}/`, { from: Date.now(), to: Date.now() })
    const { form, time } = query
    this.source = new LogSource<LogStream>({
      file: stream,
      clock: this.clock,
      since: null,
      until: null,
      timed: form === 'json' || time,
      inPieces: form === 'raw',
      isClosed: false,
      wants: wanted(query, stream),
      read: async (length) => {
        await sink.room()
        const bytes = Buffer.allocUnsafe(length)
        const read = readSync(fd, bytes, 0, length, this.#offset)
        if (read === 0) return null
        const chunk = { address: this.#offset, bytes: bytes.subarray(0, read), isNew: false }
        this.#offset += read
        this.#grewAt = Date.now()
        return chunk
      },
    })
  }

  /** Bytes that have not been read. */
  get unread(): number {
    return Math.max(0, fstatSync(this.#fd).size - this.#offset)
  }

  /** Nobody can reach it any more, and nobody writes. */
  get isOver(): boolean {
    return fstatSync(this.#fd).nlink === 0 && Date.now() - this.#grewAt > QUIET_MS
  }

  close(): void {
    this.clock.close()
    closeSync(this.#fd)
  }
}
