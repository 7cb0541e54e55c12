import { lstatSync, type Stats } from 'node:fs'
import type { EpochMs } from '../model/ids.ts'
import { addressOfEnd } from './current-place.ts'
import { type Ledger, type PendingRotation, readLedger, writeLedger, writeLedgerDurably } from './ledger.ts'
import { recover } from './rotate/recover.ts'
import { settled } from './rotate/settled.ts'
import type { LogUser } from './run-logs.ts'
import { sizeOf } from './tail.ts'
import { appendPoints, forgetPoints, TimeIndex, type TimePoint } from './time-index.ts'

/** Between two points of the index. */
const SEEN_MS = 900

/** One log file, while runs write to it: however many these are, it is looked at once. */
export class FollowedFile {
  readonly users = new Set<LogUser>()
  readonly #home: string
  #ledger: Ledger
  /** It is on the disk as it is here. */
  #isWritten = true
  #isMissing = false
  /** undefined: to be looked up. */
  #firstAt: EpochMs | undefined
  #pointedAt = 0
  /** Address of the newest point. */
  #pointed: number

  constructor(home: string, path: string) {
    this.#home = home
    this.#ledger = readLedger(home, path)
    if (this.#ledger.pending !== null) {
      this.#ledger = recover(home, this.#ledger)
      this.#isWritten = false
    }
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

  /** … as it is now, also while bytes are on the move. */
  endNow(now: EpochMs): number {
    this.look(now, true)
    return this.#ledger.pending === null ? this.end : addressOfEnd(this.#home, this.#ledger)
  }

  /** Notes how far it has grown: at once when that `isAsked` for, else about once a second. */
  look(now: EpochMs, isAsked = false): void {
    const { pending, inode, size } = this.#ledger
    if (pending !== null) return
    const stat = statOf(this.path)
    this.#isMissing = stat === null
    if (stat === null) return
    if ((inode !== null && stat.ino !== inode) || stat.size < size) this.#beginAnew()
    if (stat.ino !== this.#ledger.inode) this.change({ inode: stat.ino, size: stat.size })
    else if (stat.size !== size) this.#ledger = { ...this.#ledger, size: stat.size }
    // The clock may be set back.
    const isTime = isAsked || Math.abs(now - this.#pointedAt) >= SEEN_MS
    if (isTime && this.end > this.#pointed) this.#point(now, 'seen', this.end)
    if (!this.#isWritten) this.write()
  }

  /** @returns the address of its end, which is noted in the index too */
  mark(kind: 'start' | 'end', now: EpochMs): number {
    this.look(now, true)
    if (this.#isMissing && this.#ledger.inode !== null) {
      this.#beginAnew()
      this.write()
    }
    const end = this.endNow(now)
    this.#point(now, kind, end)
    return end
  }

  /** @returns see `write` */
  change(fields: Partial<Ledger>): boolean {
    this.#ledger = { ...this.#ledger, ...fields }
    return this.write()
  }

  /** @throws the error of the file system: then it is not to be begun */
  begin(pending: PendingRotation): void {
    const ledger = { ...this.#ledger, pending }
    writeLedger(this.#home, ledger)
    this.#ledger = ledger
  }

  /** Survives a power cut too. @throws the error of the file system */
  async noteDurably(pending: PendingRotation): Promise<void> {
    this.#ledger = { ...this.#ledger, pending }
    await writeLedgerDurably(this.#home, this.#ledger)
  }

  /** The pending rotation is done. */
  settle(): void {
    const { pending } = this.#ledger
    if (pending !== null) this.replace(settled(this.#ledger, pending, sizeOf(this.path)))
  }

  replace(ledger: Ledger): void {
    this.#ledger = ledger
    this.#firstAt = undefined
    this.write()
  }

  /** Another process has changed it. */
  reload(): void {
    this.#ledger = readLedger(this.#home, this.path)
    this.#firstAt = undefined
  }

  /** When the first line of the file was written; null: there is none. */
  get firstAt(): EpochMs | null {
    const { base, filler, size } = this.#ledger
    if (size <= filler) return null
    this.#firstAt ??= this.timesOf(base + filler, this.end)[0] ?? undefined
    return this.#firstAt ?? null
  }

  /** When the first and the last line of a part of it were written, as far as the index tells. */
  timesOf(start: number, end: number): [first: EpochMs | null, last: EpochMs] {
    const index = new TimeIndex(this.#home, this.path)
    try {
      const first = index.around(start).after?.at ?? null
      return [first, index.around(end - 1).after?.at ?? Date.now()]
    } finally {
      index.close()
    }
  }

  /** @returns false: it will be tried again at the next look */
  write(): boolean {
    // Until it is done, the file of it belongs to the process that stops the writers.
    if (this.#ledger.pending?.helper) return false
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
    this.#firstAt = undefined
    this.#isWritten = false
  }

  /** Also when it is longer again by now than it was when we last looked. */
  emptied(): void {
    this.#beginAnew()
    this.write()
  }

  /** When what is not there any more was written is of no interest. */
  forgetRemoved(): void {
    const [oldest] = this.#ledger.archives
    try {
      forgetPoints(this.#home, this.path, oldest?.start ?? this.#ledger.base)
    } catch {
      // The disk is full: next time.
    }
  }

  #point(at: EpochMs, kind: TimePoint['kind'], address: number): void {
    try {
      appendPoints(this.#home, this.path, [{ at, address, kind }])
    } catch {
      // The disk is full: the times of these lines are known less exactly.
    }
    this.#pointed = address
    this.#pointedAt = at
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
