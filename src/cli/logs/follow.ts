/** What is written from now on. It goes on without a daemon: only new apps are asked for. */

import { ListSource, merge, type Source } from '../../logs/read/merge.ts'
import type { StoredEvent } from '../../model/events.ts'
import { type EpochMs, scopeName } from '../../model/ids.ts'
import type { EventTails } from './event-tails.ts'
import { FileWatches } from './file-watches.ts'
import { FormerFile } from './former-file.ts'
import type { HistoryRequest, Item } from './history.ts'
import { findNewStreams, isMeant, type LogStream } from './log-files.ts'
import { isMarked } from './marked.ts'
import { ENDS, type Marker, placeMarkers } from './markers.ts'
import { followingSource, type LineSource, type OpenStream, openStream } from './open-stream.ts'

interface Followed {
  readonly open: OpenStream
  readonly source: LineSource
  /** Everything that had been written by then has been read. */
  readAt: EpochMs
  /** Its run has ended; a last line without an end will get none. */
  endedAt: number | null
}

/** Writes that come close together are read at once. */
const GATHER_MS = 100
const TICK_MS = 1000
const POLL_MS = 200
/** For what is written while it is read. */
const SLACK_BYTES = 64 * 1024
const MOST_FORMER = 8

export class Follow {
  readonly #request: HistoryRequest
  readonly #tails: EventTails
  readonly #files = new Map<string, Followed>()
  readonly #news = new Set<string>()
  readonly #former: FormerFile[] = []
  readonly #markers = new ListSource<Item>((item) => item.time ?? 0)
  readonly #watches = new FileWatches((path) => this.#wake(path))
  readonly #startedAt = Date.now()
  #timer: NodeJS.Timeout | null = null
  #wakeUp: (() => void) | null = null
  /** It was woken since it last began to wait. */
  #isAwake = false
  #isAsking = false
  #asksLeft = 0
  /** How often there was a reason to ask. */
  #reasons = 0

  constructor(request: HistoryRequest, tails: EventTails, sources: ReadonlyMap<OpenStream, LineSource>) {
    this.#request = request
    this.#tails = tails
    for (const [open, source] of sources) this.#add(open, source)
  }

  async run(): Promise<never> {
    this.#tick()
    for (;;) {
      await this.#round()
      await new Promise<void>((resolve) => {
        if (this.#isAwake) resolve()
        else this.#wakeUp = resolve
      })
      this.#isAwake = false
    }
  }

  #add(open: OpenStream, source: LineSource): void {
    const { path } = open.stream
    this.#files.set(path, { open, source, readAt: this.#startedAt, endedAt: null })
    this.#news.add(path)
  }

  #wake(path: string | null, afterMs = GATHER_MS): void {
    if (path !== null) this.#news.add(path)
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#isAwake = true
      this.#wakeUp?.()
      this.#wakeUp = null
    }, afterMs)
  }

  /** What no watch tells of. */
  #tick(): void {
    for (const [path, file] of this.#files) if (this.#isNew(file)) this.#wake(path)
    for (const file of this.#former) if (file.unread > 0) this.#wake(null)
    for (const path of this.#tails.look()) this.#watches.arm(path)
    if (this.#watches.isExhausted) this.#wake(null)
    if (this.#asksLeft > 0) this.#ask()
    setTimeout(() => this.#tick(), this.#watches.isExhausted ? POLL_MS : TICK_MS)
  }

  #isNew(file: Followed): boolean {
    const { open, source, endedAt } = file
    if (open.log.hasNews) return true
    if (endedAt === null || Date.now() - endedAt < TICK_MS) return false
    file.endedAt = null
    source.breakOff()
    return true
  }

  async #round(): Promise<void> {
    const { printer, sink } = this.#request
    const now = Date.now()
    for (const path of this.#tails.look()) this.#watches.arm(path)
    const events = this.#tails.next()
    this.#note(events)
    const files = [...this.#news].flatMap((path) => this.#files.get(path) ?? [])
    this.#news.clear()
    for (const file of files) await this.#prepare(file, now)
    for (const file of this.#former) {
      file.clock.refresh({ from: now, to: now })
      file.source.allow(file.unread)
    }
    this.#mark(events)
    const sources: Source<Item>[] = [this.#markers, ...[...files, ...this.#former].map(({ source }) => source)]
    await merge(sources, (item) => ('event' in item ? printer.marker(item) : printer.line(item)))
    await sink.flush()
    for (const file of files) {
      const { log, stream } = file.open
      if (log.end > log.position) this.#wake(stream.path, 0)
      else file.readAt = now
    }
    this.#dropFormer()
  }

  async #prepare({ open, source, readAt }: Followed, now: EpochMs): Promise<void> {
    // Before it is read: what is written after that is told.
    this.#watches.arm(open.stream.path)
    await open.log.settle()
    source.allow(Math.max(0, open.log.end - open.log.position) + SLACK_BYTES)
    open.clock.refresh({ from: readAt, to: now })
    const { position } = open.log
    if (open.clock.ends(position - 1, position).length > 0) source.breakOff()
  }

  #note(events: readonly StoredEvent[]): void {
    for (const event of events) {
      for (const [path, file] of this.#files) {
        if (!isOf(event, file.open.stream)) continue
        this.#news.add(path)
        if (ENDS.has(event.event)) file.endedAt = Date.now()
      }
      if (!CHANGES.has(event.event)) continue
      this.#asksLeft = 5
      this.#reasons++
    }
    if (this.#asksLeft > 0) this.#ask()
  }

  #mark(events: readonly StoredEvent[]): void {
    const { query, selection } = this.#request
    if (!query.markers) return
    const clockOf = (event: StoredEvent): OpenStream['clock'] | null =>
      [...this.#files.values()].find(({ open }) => isOf(event, open.stream))?.open.clock ?? null
    const marked: Marker[] = placeMarkers(
      events.filter((event) => isMarked(event, selection)),
      clockOf,
    )
    this.#markers.add(marked)
  }

  /** A daemon that is stopped or dead is not waited for; it is asked again with the next event, or a little later. */
  #ask(): void {
    if (this.#isAsking) return
    this.#isAsking = true
    const { home, selection, query } = this.#request
    this.#asksLeft--
    const reasons = this.#reasons
    findNewStreams(home, selection)
      .then((streams) => {
        this.#isAsking = false
        if (streams === null) return
        if (this.#reasons === reasons) this.#asksLeft = 0
        this.#take(streams.filter((it) => isMeant(it, query) && !this.#files.has(it.path)))
      })
      .catch((error: unknown) => {
        process.stderr.write(`${(error as Error).message}\n`)
        process.exit(1)
      })
  }

  #take(streams: readonly LogStream[]): void {
    const { home, query, sink, printer } = this.#request
    for (const stream of streams) {
      const open = openStream(home, stream, (fd, offset) => this.keepFormer(stream, fd, offset))
      if (open === null) continue
      // What it held before is history, and somebody who follows has not asked for more of that.
      const { log, clock } = open
      const before = clock.index.before(this.#startedAt)
      const isYoung = clock.index.length > 0 || (log.bornAt ?? this.#startedAt) >= this.#startedAt
      log.position = before?.address ?? (isYoung ? log.oldest : log.end)
      this.#add(open, followingSource(open, query, sink))
      this.#wake(stream.path, 0)
    }
    printer.know([...this.#files.values()].map(({ open }) => open.stream))
  }

  keepFormer(stream: LogStream, fd: number, offset: number): void {
    const { home, query, sink } = this.#request
    this.#former.push(new FormerFile(home, stream, fd, offset, query, sink))
    while (this.#former.length > MOST_FORMER) this.#former.shift()?.close()
  }

  #dropFormer(): void {
    for (let i = this.#former.length - 1; i >= 0; i--) {
      if (this.#former[i]?.isOver) this.#former.splice(i, 1)[0]?.close()
    }
  }
}

/** After these, there may be other apps, instances or files than before. */
const CHANGES: ReadonlySet<string> = new Set(['started', 'step_done', 'apply_ended', 'daemon_started'])

function isOf({ scope, instance }: StoredEvent, stream: LogStream): boolean {
  return instance !== null && scope === scopeName(stream.scope) && stream.instances.includes(instance)
}
