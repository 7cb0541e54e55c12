import { close, closeSync, fstatSync, ftruncateSync, renameSync, write } from 'node:fs'
import { type EcoEvent, storedEvent, type StoredEvent } from '../model/events.ts'
import { type ScopeId, scopeName } from '../model/ids.ts'
import { endOfEvents, eventFile, KEPT_EVENT_FILES } from '../state/event-files.ts'
import { openLog } from '../logs/open-log.ts'

const MAX_FILE_BYTES = 5 * 1024 * 1024
/** What waits for room on the disk, some 300 KB; the oldest go first. */
const MAX_KEPT = 1000
/** What waits for a disk that is only slow: a thousand instances may crash at once. */
const MAX_PENDING = 20_000
const BATCH = 500
const RETRY_MS = 1000

/**
 * Appends the events of one scope to its file: numbered, in batches, one write at a time. What cannot be written is kept,
 * and written once it can be, with an event that says how much was lost.
 */
export class EventWriter {
  readonly #home: string
  readonly #scope: ScopeId
  #pending: StoredEvent[] = []
  #seq: number
  #isTorn: boolean
  #busy = false
  #scheduled: NodeJS.Immediate | undefined
  #retry: NodeJS.Timeout | undefined
  #failure: { readonly message: string; readonly since: number; readonly lostBefore: number } | null = null
  #lost = 0
  #drained: (() => void)[] = []

  readonly #maxFileBytes: number

  /** @param maxFileBytes size at which the file is rotated */
  constructor(home: string, scope: ScopeId, maxFileBytes = MAX_FILE_BYTES) {
    this.#maxFileBytes = maxFileBytes
    this.#home = home
    this.#scope = scope
    const { seq, isTorn } = endOfEvents(home, scope)
    this.#seq = seq
    this.#isTorn = isTorn
  }

  append(event: EcoEvent): void {
    this.#pending.push(storedEvent(event, ++this.#seq))
    this.#trim()
    // All of one turn of the loop go into one write.
    if (!this.#busy && this.#failure === null) this.#scheduled ??= setImmediate(() => this.#flush())
  }

  /** What is not in the file yet. */
  get pending(): readonly StoredEvent[] {
    return this.#pending
  }

  /** Why events cannot be written at the moment; null: they can. */
  get problem(): string | null {
    if (this.#failure === null) return null
    const lost = this.#lost - this.#failure.lostBefore
    const count = lost === 0 ? '' : `, ${lost} are lost`
    return `The events of ${scopeName(this.#scope)} cannot be written: ${this.#failure.message}. ${this.#pending.length} are kept in memory${count}.\n  hint: free space on the disk; they are written then`
  }

  /** Resolves once everything is in the file, or cannot be written now. */
  drained(): Promise<void> {
    if (this.#pending.length === 0 || this.#failure !== null) return Promise.resolve()
    return new Promise((resolve) => this.#drained.push(resolve))
  }

  close(): void {
    clearTimeout(this.#retry)
  }

  #trim(): void {
    // A batch that is being written stays: it is at the front.
    const kept = this.#failure === null ? MAX_PENDING : MAX_KEPT
    const surplus = this.#pending.length - kept
    if (surplus <= 0) return
    this.#pending.splice(this.#busy ? BATCH : 0, surplus)
    this.#lost += surplus
  }

  #flush(): void {
    clearImmediate(this.#scheduled)
    this.#scheduled = undefined
    if (this.#busy || this.#pending.length === 0) return
    const count = Math.min(BATCH, this.#pending.length)
    const lines = this.#pending.slice(0, count).map((event) => `${JSON.stringify(event)}\n`)
    const bytes = Buffer.from(`${this.#isTorn ? '\n' : ''}${lines.join('')}`)
    let fd: number
    let size: number
    try {
      ;({ fd, size } = this.#open(bytes.length))
    } catch (error) {
      return this.#failed(error as NodeJS.ErrnoException)
    }
    this.#busy = true
    writeAll(fd, bytes, (error) => {
      this.#busy = false
      // A full disk takes a part of it: no half of a line stays behind.
      if (error) truncate(fd, size)
      close(fd, () => {})
      if (error) return this.#failed(error)
      this.#isTorn = false
      this.#pending.splice(0, count)
      this.#written()
    })
  }

  #open(length: number): { fd: number; size: number } {
    const path = eventFile(this.#home, this.#scope)
    const fd = openLog(path)
    const { size } = fstatSync(fd)
    if (size === 0 || size + length <= this.#maxFileBytes) return { fd, size }
    closeSync(fd)
    for (let age = KEPT_EVENT_FILES; age > 0; age--) this.#move(age - 1, age)
    this.#isTorn = false
    return { fd: openLog(path), size: 0 }
  }

  #move(from: number, to: number): void {
    try {
      renameSync(eventFile(this.#home, this.#scope, from), eventFile(this.#home, this.#scope, to))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (this.#failure === null) {
      this.#failure = { message: error.message, since: Date.now(), lostBefore: this.#lost }
      console.error(
        `${scopeName(this.#scope)}: events cannot be written: ${error.message}; up to ${MAX_KEPT} are kept until they can`,
      )
    }
    this.#trim()
    this.#settle()
    this.#retry = setTimeout(() => this.#flush(), RETRY_MS)
    this.#retry.unref()
  }

  #written(): void {
    if (this.#failure !== null) {
      const { message, since, lostBefore } = this.#failure
      this.#failure = null
      const lost = this.#lost - lostBefore
      const seconds = Math.round((Date.now() - since) / 1000)
      const text = `events can be written again, after ${seconds}s (${message}); ${lost} were lost`
      console.error(`${scopeName(this.#scope)}: ${text}`)
      const scope = scopeName(this.#scope)
      this.append({ type: 'scope', event: 'events_resumed', at: Date.now(), scope, message: text, data: { lost } })
    }
    if (this.#pending.length > 0) this.#flush()
    else this.#settle()
  }

  #settle(): void {
    const waiting = this.#drained
    this.#drained = []
    for (const resolve of waiting) resolve()
  }
}

function writeAll(fd: number, bytes: Buffer, done: (error: NodeJS.ErrnoException | null) => void): void {
  write(fd, bytes, (error, written) => {
    if (error || written === bytes.length) return done(error)
    writeAll(fd, bytes.subarray(written), done)
  })
}

function truncate(fd: number, size: number): void {
  try {
    ftruncateSync(fd, size)
  } catch {
    // Then a reader skips the torn line.
  }
}
