import { type FSWatcher, watch } from 'node:fs'
import { listSpools, type Spool } from '../logs/spool.ts'
import { holdersOf } from './holders.ts'
import { LogSink } from './log-sink.ts'
import { CHUNK_BYTES, SpoolReader } from './spool-reader.ts'
import { Trimmer } from './trim.ts'

/** While output comes; what comes meanwhile is written in one piece. */
const TURN_MS = 4
/** A spool in which nothing came for so many turns is watched instead. */
const QUIET_TURNS = 5
const RETRY_MS = 500
/** For what nobody has told us of, and where the kernel gives us no watches. */
const ROUND_MS = 1000
/** Of a spool whose run is over, and that somebody still has open. */
const HELD_MS = 10_000
/** No output and nothing to do for so long: it ends. */
const IDLE_MS = 5000
/** Output that waits for room in its log; above it, the oldest half is dropped. */
const MOST_WAITING = 256 * 2 ** 20

interface Entry {
  readonly reader: SpoolReader
  quietTurns: number
  watcher: FSWatcher | null
  nextHeldLook: number
}

/** Writes all logs of `format: time` and `json` of one ECO_HOME, as long as there is anything to be written. */
export class Scribe {
  readonly #home: string
  readonly #entries = new Map<string, Entry>()
  /** By path. */
  readonly #sinks = new Map<string, LogSink>()
  readonly #active = new Set<Entry>()
  readonly #blocked = new Set<Entry>()
  readonly #chunk = Buffer.alloc(CHUNK_BYTES)
  readonly #trimmer: Trimmer
  readonly #ended: () => void
  readonly #problem: (message: string) => void
  #turn: NodeJS.Timeout | undefined
  #idleSince = performance.now()

  /** @param ended nothing is left to be done */
  constructor(home: string, ended: () => void, problem: (message: string) => void) {
    this.#home = home
    this.#ended = ended
    this.#problem = problem
    this.#trimmer = new Trimmer(problem)
    setInterval(() => this.look(), ROUND_MS)
    setInterval(() => this.#retry(), RETRY_MS)
    this.look()
  }

  /** Looks for new spools, and for those whose run is over. */
  look(): void {
    for (const spool of listSpools(this.#home)) if (!this.#entries.has(spool.id)) this.#take(spool)
    for (const entry of this.#entries.values()) {
      // The getter looks for the mark.
      if (entry.reader.isOver || entry.reader.size > entry.reader.pos || entry.watcher === null) this.#wake(entry)
    }
    if (this.#entries.size > 0) this.#idleSince = performance.now()
    else if (performance.now() - this.#idleSince > IDLE_MS) this.#ended()
  }

  /** Logs that cannot be written now, and why, by path. */
  get blocked(): Readonly<Record<string, string>> {
    const sinks = [...this.#blocked].map(({ reader }) => reader.sink)
    return Object.fromEntries(sinks.flatMap(({ path, problem }) => (problem === null ? [] : [[path, problem]])))
  }

  #take(spool: Spool): void {
    const order = spool.order()
    if (order === null) return
    try {
      const reader = new SpoolReader(spool, order, this.#sinkOf(order.path), this.#chunk)
      const entry: Entry = { reader, quietTurns: 0, watcher: null, nextHeldLook: 0 }
      this.#entries.set(spool.id, entry)
      this.#wake(entry)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        // Between its order and itself whoever made it has ended; if not, it will be over one day.
        if (spool.isOver) spool.remove()
        return
      }
      this.#problem(`${spool.path}: ${(error as Error).message}`)
    }
  }

  #sinkOf(path: string): LogSink {
    const sink = this.#sinks.get(path) ?? new LogSink(path)
    this.#sinks.set(path, sink)
    return sink
  }

  #wake(entry: Entry): void {
    if (this.#blocked.has(entry)) return
    entry.quietTurns = 0
    this.#active.add(entry)
    this.#takeTurnIn(0)
  }

  #takeTurn(): void {
    this.#turn = undefined
    let isBusy = false
    for (const entry of this.#active) isBusy = this.#advance(entry) || isBusy
    if (this.#active.size > 0) this.#takeTurnIn(isBusy ? 0 : TURN_MS)
  }

  #takeTurnIn(ms: number): void {
    if (this.#turn === undefined) this.#turn = setTimeout(() => this.#takeTurn(), ms)
  }

  /** @returns whether there is more at once */
  #advance(entry: Entry): boolean {
    const { reader } = entry
    try {
      const progress = reader.step()
      this.#trimmer.trim(reader)
      if (progress === 'more') {
        entry.quietTurns = 0
        return true
      }
      if (progress === 'blocked') return this.#block(entry)
      if (reader.isOver && this.#finish(entry)) return false
      if (++entry.quietTurns > QUIET_TURNS) this.#rest(entry)
    } catch (error) {
      this.#problem(`${reader.spool.path}: ${(error as Error).message}`)
      this.#active.delete(entry)
    }
    return false
  }

  #block(entry: Entry): false {
    const { reader } = entry
    const { problem } = reader.sink
    if (!this.#blocked.has(entry) && problem !== null) this.#problem(`${problem}; what is written meanwhile is kept`)
    this.#active.delete(entry)
    this.#blocked.add(entry)
    if (reader.size - reader.pos > MOST_WAITING) reader.drop(MOST_WAITING / 2)
    return false
  }

  #retry(): void {
    for (const entry of this.#blocked) {
      if (this.#advance(entry)) {
        this.#blocked.delete(entry)
        this.#wake(entry)
      }
    }
  }

  /** From the next output on it is awake again. */
  #rest(entry: Entry): void {
    this.#active.delete(entry)
    try {
      entry.watcher ??= this.#watch(entry)
    } catch {
      return // no more watches to be had: the round looks after it
    }
    // Before the watch was there.
    if (entry.reader.size > entry.reader.pos && entry.reader.step() === 'more') this.#wake(entry)
  }

  #watch(entry: Entry): FSWatcher {
    const end = (): void => {
      entry.watcher?.close()
      entry.watcher = null
    }
    const watcher = watch(entry.reader.spool.path, () => {
      // A busy app would wake us with every line.
      end()
      this.#wake(entry)
    })
    watcher.on('error', end)
    return watcher
  }

  /** @returns false: somebody whom nobody knew of still has it open */
  #finish(entry: Entry): boolean {
    const { reader } = entry
    const now = performance.now()
    if (now < entry.nextHeldLook) return false
    if (holdersOf(reader.spool.path).length > 0) {
      entry.nextHeldLook = now + HELD_MS
      return false
    }
    // Between the last read and the look.
    if (reader.step() !== 'idle') return false
    this.#active.delete(entry)
    this.#blocked.delete(entry)
    this.#entries.delete(reader.spool.id)
    entry.watcher?.close()
    reader.close()
    reader.spool.remove()
    const { sink } = reader
    if (![...this.#entries.values()].some((other) => other.reader.sink === sink)) {
      sink.close()
      this.#sinks.delete(sink.path)
    }
    this.#idleSince = performance.now()
    return true
  }
}
