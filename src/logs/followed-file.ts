import { lstatSync, type Stats } from 'node:fs'
import type { EpochMs } from '../model/ids.ts'
import { type Ledger, readLedger, writeLedger } from './ledger.ts'
import type { LogUser } from './run-logs.ts'
import { appendPoints, TimeIndex, type TimePoint } from './time-index.ts'

/** One log file, while runs write to it: however many these are, it is looked at once. */
export class FollowedFile {
  readonly users = new Set<LogUser>()
  readonly #home: string
  #ledger: Ledger
  /** It is on the disk as it is here. */
  #isWritten = true
  #isMissing = false
  /** Address of the newest point. */
  #pointed: number

  constructor(home: string, path: string) {
    this.#home = home
    this.#ledger = readLedger(home, path)
    const { base, size } = this.#ledger
    const newest = newestPoint(home, path)?.address ?? 0
    this.#pointed = newest
    // The ledger knows the size as of its last change; the index has been kept since.
    this.#ledger = { ...this.#ledger, size: Math.max(size, newest - base) }
  }

  get path(): string {
    return this.#ledger.path
  }

  get ledger(): Ledger {
    return this.#ledger
  }

  /** Address behind its last byte, as last seen. */
  get end(): number {
    return this.#ledger.base + this.#ledger.size
  }

  /** @param now when it is looked at; notes how far it has grown */
  look(now: EpochMs): void {
    const { pending, inode, size } = this.#ledger
    if (pending !== null) return
    const stat = statOf(this.path)
    this.#isMissing = stat === null
    if (stat === null) return
    if ((inode !== null && stat.ino !== inode) || stat.size < size) this.#beginAnew()
    if (stat.ino !== this.#ledger.inode) this.change({ inode: stat.ino, size: stat.size })
    else this.#ledger = { ...this.#ledger, size: stat.size }
    if (this.end > this.#pointed) this.#point(now, 'seen')
    if (!this.#isWritten) this.write()
  }

  /** @returns the address of its end, which is noted in the index too */
  mark(kind: 'start' | 'end', now: EpochMs): number {
    this.look(now)
    if (this.#isMissing && this.#ledger.inode !== null) {
      this.#beginAnew()
      this.write()
    }
    this.#point(now, kind)
    return this.end
  }

  change(fields: Partial<Ledger>): void {
    this.#ledger = { ...this.#ledger, ...fields }
    this.write()
  }

  /** @returns false: it will be tried again at the next look */
  write(): boolean {
    try {
      writeLedger(this.#home, this.#ledger)
      this.#isWritten = true
    } catch {
      this.#isWritten = false
    }
    return this.#isWritten
  }

  /** Somebody else has cut it short, removed or replaced it: what comes now has addresses of its own. */
  #beginAnew(): void {
    this.#ledger = { ...this.#ledger, base: this.end, filler: 0, size: 0, inode: null }
    this.#isWritten = false
  }

  #point(at: EpochMs, kind: TimePoint['kind']): void {
    try {
      appendPoints(this.#home, this.path, [{ at, address: this.end, kind }])
    } catch {
      // The disk is full: the times of these lines are known less exactly.
    }
    this.#pointed = this.end
  }
}

function newestPoint(home: string, path: string): TimePoint | null {
  const index = new TimeIndex(home, path)
  try {
    return index.at(index.length - 1)
  } finally {
    index.close()
  }
}

/** null: there is no such file, or it is none that lines stay in. */
function statOf(path: string): Stats | null {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false })
    return stat?.isFile() ? stat : null
  } catch {
    return null
  }
}
