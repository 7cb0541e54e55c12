import { closeSync, fstatSync, readSync, statSync, writeSync, openSync } from 'node:fs'
import { explainLog, openLog } from '../logs/open-log.ts'

/** How often it is looked whether the file is still the one that stands at its path. */
const LOOK_MS = 200

/** Where a write would begin. */
export interface WritePlace {
  readonly inode: number
  readonly size: number
}

/** A log file that the scribe writes, for all spools that end in it. */
export class LogSink {
  readonly path: string
  #fd: number | null = null
  #inode = 0
  #lookedAt = 0
  /** Whoever has written a part of a line here: nobody else writes before the rest has come. */
  #owner: object | null = null
  /** Why nothing can be written; null: it can. */
  problem: string | null = null

  constructor(path: string) {
    this.path = path
  }

  /** @returns null: it cannot be written now, and `problem` says why */
  place(): WritePlace | null {
    try {
      const now = performance.now()
      if (this.#fd !== null && now - this.#lookedAt > LOOK_MS) {
        this.#lookedAt = now
        if (inodeAt(this.path) !== this.#inode) this.close()
      }
      this.#fd ??= openLog(this.path)
      const { ino, size } = fstatSync(this.#fd)
      this.#inode = ino
      return { inode: ino, size }
    } catch (error) {
      this.#fails(error)
      return null
    }
  }

  /** Call `place` before. @returns how many of the bytes were written; when not all, the rest has to come by the same owner */
  append(owner: object, bytes: Buffer): number {
    if (this.#fd === null || (this.#owner !== null && this.#owner !== owner)) return 0
    let done = 0
    try {
      // A full disk takes a part first, and says so with the next.
      while (done < bytes.length) done += writeSync(this.#fd, bytes, done)
      this.problem = null
    } catch (error) {
      this.#fails(error)
    }
    if (done === bytes.length) this.#owner = null
    else if (done > 0) this.#owner = owner
    return done
  }

  /** What stands in it from some place on. */
  readFrom(start: number, length: number): Buffer {
    const bytes = Buffer.alloc(length)
    const fd = openSync(this.path, 'r')
    try {
      return bytes.subarray(0, readSync(fd, bytes, 0, length, start))
    } finally {
      closeSync(fd)
    }
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd)
    this.#fd = null
  }

  #fails(error: unknown): void {
    this.problem = explainLog(this.path, error)
    this.close()
  }
}

function inodeAt(path: string): number | null {
  try {
    return statSync(path).ino
  } catch {
    return null
  }
}
