import { readSync, writeSync } from 'node:fs'
import { pause } from '../logs/pause.ts'

const POLL_MS = 3

/** `ended`: the other end is closed, so whoever had it is gone. */
export type Heard =
  | { readonly type: 'line'; readonly value: unknown }
  | { readonly type: 'ended' }
  | { readonly type: 'silent' }

/**
 * Lines of JSON on a descriptor, said and heard without the event loop: while this process waits here, no timer of it
 * fires and nothing of it acts.
 */
export class SyncLines {
  readonly #fd: number
  #text = ''

  constructor(fd: number) {
    this.#fd = fd
  }

  /** @returns false: nobody hears it any more */
  say(message: object): boolean {
    let rest = Buffer.from(`${JSON.stringify(message)}\n`)
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(this.#fd, rest))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return false
        pause(POLL_MS)
      }
    }
    return true
  }

  /** What has been said so far, without waiting where the descriptor does not block. */
  poll(): Heard {
    const chunk = Buffer.alloc(64 * 1024)
    for (;;) {
      const end = this.#text.indexOf('\n')
      if (end >= 0) {
        const line = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 1)
        return parsed(line)
      }
      try {
        const length = readSync(this.#fd, chunk)
        if (length === 0) return { type: 'ended' }
        this.#text += chunk.toString('latin1', 0, length)
      } catch (error) {
        return { type: (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 'silent' : 'ended' }
      }
    }
  }

  /** @param ms null: for as long as it takes */
  wait(ms: number | null): Heard {
    const deadline = ms === null ? Number.POSITIVE_INFINITY : performance.now() + ms
    for (;;) {
      const heard = this.poll()
      if (heard.type !== 'silent' || performance.now() >= deadline) return heard
      pause(POLL_MS)
    }
  }
}

/** Bytes are kept as they come: a character may be cut in two. */
function parsed(line: string): Heard {
  try {
    return { type: 'line', value: JSON.parse(Buffer.from(line, 'latin1').toString('utf8')) as unknown }
  } catch {
    return { type: 'ended' } // no daemon of ours: as if it were gone
  }
}
