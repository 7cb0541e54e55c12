import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'

const MAX_BYTES = 1024 * 1024
const KEPT_BYTES = 64 * 1024

/**
 * The latest output of a run, in the log file where the rest of eco looks for it: last words, log checks, `eco logs`.
 * It never grows beyond a megabyte. What cannot be written is done without: the output itself goes another way.
 */
export class RecentLog {
  #fd: number | null
  readonly #max: number
  /** Bytes of this run. */
  #own = 0

  /** @param max for tests */
  constructor(path: string, max = MAX_BYTES) {
    this.#max = max
    try {
      this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW, 0o600)
    } catch {
      this.#fd = null
    }
  }

  write(bytes: Buffer): void {
    if (this.#fd === null) return
    try {
      const { size } = fstatSync(this.#fd)
      if (size + bytes.length > this.#max) this.#cut(this.#fd, size)
      writeSync(this.#fd, bytes)
      this.#own += bytes.length
    } catch {
      // The disk is full: the last words are those that are there.
    }
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd)
    this.#fd = null
  }

  /** Of this run only: a reader begins again with what is kept, and an earlier run may have been ready. */
  #cut(fd: number, size: number): void {
    const kept = Buffer.alloc(Math.min(KEPT_BYTES, this.#own, size))
    const length = kept.length === 0 ? 0 : readSync(fd, kept, 0, kept.length, size - kept.length)
    ftruncateSync(fd, 0)
    // From a line's beginning on.
    const newline = kept.indexOf(10)
    if (length > 0) writeSync(fd, kept.subarray(newline + 1, length))
  }
}
