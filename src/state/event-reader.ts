/** Reading the events of scopes: those that are stored, and those that come. Needs no daemon. */

import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import type { StoredEvent } from '../model/events.ts'
import type { EpochMs, ScopeId } from '../model/ids.ts'
import { eventFile, KEPT_EVENT_FILES, parseEvent, readEventFile } from './event-files.ts'

export interface EventQuery {
  readonly since: EpochMs | null
  readonly until: EpochMs | null
  /** The latest ones; null: all. */
  readonly limit: number | null
  readonly matches: (event: StoredEvent) => boolean
}

/**
 * Stored events of a scope, oldest first. Files are read from the newest on, as far as it takes.
 *
 * @returns with the number of the last event there is, matching or not, from which an `EventTail` goes on
 */
export function storedEvents(home: string, scope: ScopeId, query: EventQuery): { events: StoredEvent[]; last: number } {
  const { since, until, limit, matches } = query
  let events: StoredEvent[] = []
  let last = 0
  let oldest = Number.POSITIVE_INFINITY
  for (let age = 0; age <= KEPT_EVENT_FILES; age++) {
    const all = readEventFile(eventFile(home, scope, age))
    last = Math.max(last, all.at(-1)?.seq ?? 0)
    const found = all.filter((event) => {
      if (event.seq >= oldest) return false // rotated between two reads: seen already
      const at = Date.parse(event.at)
      return (since === null || at >= since) && (until === null || at <= until) && matches(event)
    })
    events = [...found, ...events]
    const first = all[0]
    if (first) oldest = Math.min(oldest, first.seq)
    if (limit !== null && events.length >= limit) break
    if (since !== null && first && Date.parse(first.at) < since) break
  }
  return { events: limit === null ? events : latest(events, limit), last }
}

/** Events of several scopes in the order of their times; those of one scope stay in the order of their numbers. */
export function mergeByTime(lists: readonly (readonly StoredEvent[])[]): StoredEvent[] {
  const [first = []] = lists
  if (lists.length < 2) return [...first]
  // A clock that was set back must not reorder a scope: an event counts as no earlier than the one before it.
  const timed = lists.flatMap((list) => {
    let at = ''
    return list.map((event) => {
      if (event.at > at) at = event.at
      return { at, event }
    })
  })
  return timed.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).map(({ event }) => event)
}

/** The last `count`, all when there are fewer. */
export function latest<T>(list: readonly T[], count: number): T[] {
  return count === 0 ? [] : list.slice(-count)
}

const CHUNK_BYTES = 256 * 1024

/** What is appended to the events of a scope, through rotations. */
export class EventTail {
  readonly #home: string
  readonly #scope: ScopeId
  #last: number
  #fd: number | null = null
  #offset = 0
  #rest = Buffer.alloc(0)

  /** @param last the number of the last event that is known already */
  constructor(home: string, scope: ScopeId, last: number) {
    this.#home = home
    this.#scope = scope
    this.#last = last
  }

  /** What came since the last look. */
  next(): StoredEvent[] {
    const found = this.#read()
    while (this.#isReplaced()) {
      this.close()
      const fresh = this.#read()
      // Numbers that begin anew: somebody removed the files.
      if (fresh[0] && fresh[0].seq <= this.#last && fresh[0].seq === 1) this.#last = 0
      found.push(...fresh)
    }
    const news = this.#take(found)
    const [first] = news
    if (first === undefined || first.seq === this.#lastBefore + 1 || this.#lastBefore === 0) return news
    return this.#fillGap(news, first.seq)
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd)
    this.#fd = null
    this.#offset = 0
    this.#rest = Buffer.alloc(0)
  }

  #lastBefore = 0

  #take(events: readonly StoredEvent[]): StoredEvent[] {
    this.#lastBefore = this.#last
    return events.filter(({ seq }) => {
      if (seq <= this.#last) return false
      this.#last = seq
      return true
    })
  }

  /** The file was rotated more than once between two looks. */
  #fillGap(news: readonly StoredEvent[], before: number): StoredEvent[] {
    const missed = (event: StoredEvent): boolean => event.seq > this.#lastBefore && event.seq < before
    const query = { since: null, until: null, limit: before - this.#lastBefore - 1, matches: missed }
    return [...storedEvents(this.#home, this.#scope, query).events, ...news]
  }

  #isReplaced(): boolean {
    if (this.#fd === null) return false
    try {
      return statSync(eventFile(this.#home, this.#scope)).ino !== fstatSync(this.#fd).ino
    } catch {
      return false // between two renames, or removed
    }
  }

  #read(): StoredEvent[] {
    const events: StoredEvent[] = []
    try {
      this.#fd ??= openSync(eventFile(this.#home, this.#scope), 'r')
      // A batch that did not fit on the disk was taken back.
      if (fstatSync(this.#fd).size < this.#offset) {
        this.#offset = 0
        this.#rest = Buffer.alloc(0)
      }
      for (;;) {
        const chunk = Buffer.alloc(CHUNK_BYTES)
        const length = readSync(this.#fd, chunk, 0, chunk.length, this.#offset)
        if (length === 0) return events
        this.#offset += length
        const bytes = Buffer.concat([this.#rest, chunk.subarray(0, length)])
        const end = bytes.lastIndexOf(10) + 1
        this.#rest = bytes.subarray(end)
        for (const line of bytes.toString('utf8', 0, end).split('\n')) {
          const event = parseEvent(line)
          if (event) events.push(event)
        }
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return events
      throw error
    }
  }
}
