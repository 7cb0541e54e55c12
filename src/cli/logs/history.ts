/** What has been written already: found in each file, and printed in the order of its times. */

import type { Selection } from '../../daemon/protocol.ts'
import { ListSource, merge, type Source } from '../../logs/read/merge.ts'
import { rangeSource } from '../../logs/read/find-lines.ts'
import type { StoredEvent } from '../../model/events.ts'
import { type EpochMs, scopeName } from '../../model/ids.ts'
import { storedEvents } from '../../state/event-reader.ts'
import { scopesOf } from './find-event.ts'
import { findPart, type Part, type PreviousRuns } from './find-part.ts'
import type { LogStream } from './log-files.ts'
import { isMarked } from './marked.ts'
import { latestOfEach, type Marker, placeMarkers } from './markers.ts'
import { complain, followingSource, type LineSource, type OpenStream, sourceOptions } from './open-stream.ts'
import type { Printer } from './printer.ts'
import type { LogQuery } from './query.ts'
import type { ReadLine } from '../../logs/read/log-source.ts'
import type { Sink } from './sink.ts'

export interface HistoryRequest {
  readonly home: string
  readonly selection: Selection
  readonly query: LogQuery
  /** The event that was asked for. */
  readonly meant: StoredEvent | null
  readonly opened: readonly OpenStream[]
  /** Numbers of the last events, by scope: later ones are not history. */
  readonly lasts: ReadonlyMap<string, number>
  readonly printer: Printer
  readonly sink: Sink
}

export type Item = ReadLine<LogStream> | Marker

/** Of markers when no number of lines limits them: that many events are read at most. */
const MOST_EVENTS = 5000

/** With --previous those of the last run are left out. */
const BEGINNINGS: ReadonlySet<string> = new Set(['started', 'run_started'])

/** @returns the sources, from which whoever follows reads on */
export async function showHistory(request: HistoryRequest): Promise<Map<OpenStream, LineSource>> {
  const { opened, query, sink, printer } = request
  const parts = await findParts(request)
  const surplus = surplusLines(parts, query.lines)
  const sources = new Map<OpenStream, LineSource>()
  for (const part of parts) sources.set(part.open, partSource(part, query.follow, sink))
  const markers = query.markers ? historyMarkers(request, parts, surplus) : []
  const lists: Source<Item>[] = [new ListSource<Item>((item) => item.time ?? 0, markers), ...sources.values()]
  await merge(lists, (item) => {
    if ('event' in item) {
      if (item.isMeant || !isBeforeFirst(item.event, opened, surplus)) printer.marker(item)
      return
    }
    const key = keyOf(item.file)
    const left = surplus.get(key) ?? 0
    if (left === 0) printer.line(item)
    else if (!item.line.goesOn) surplus.set(key, left - 1)
  })
  await sink.flush()
  return sources
}

async function findParts({ home, opened, query }: HistoryRequest): Promise<Part[]> {
  const parts: Part[] = []
  const without = new Set<string>()
  for (const open of opened) {
    const part = await findPart(open, query, runsByEvents(home, open))
    if (part !== null) parts.push(part)
    else without.add(open.stream.instance ?? open.stream.path)
  }
  if (without.size > 0) complain(`No run before the last start is known of ${[...without].join(', ')}.`)
  return parts
}

/** A log from before there was an index of it. */
function runsByEvents(home: string, { stream }: OpenStream): PreviousRuns {
  return (instance) => {
    const matches = (event: StoredEvent): boolean => event.instance === instance && event.event === 'started'
    const { events } = storedEvents(home, stream.scope, { since: null, until: null, limit: 2, matches })
    const [before, last] = events
    return before && last ? { from: Date.parse(before.at), to: Date.parse(last.at) - 1 } : null
  }
}

function partSource({ open, query, from, to, count }: Part, follow: boolean, sink: Sink): LineSource {
  const isFound = count !== null
  if (!follow) return rangeSource(open.log, from, to, sourceOptions(open, query, isFound), () => sink.room())
  open.log.position = from
  const source = followingSource(open, query, sink, isFound)
  source.allow(to - from)
  return source
}

/** An instance with two files has so many lines in both together. */
function surplusLines(parts: readonly Part[], lines: number | null): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { open, count } of parts) {
    if (count !== null) counts.set(keyOf(open.stream), (counts.get(keyOf(open.stream)) ?? 0) + count)
  }
  return new Map([...counts].map(([key, count]) => [key, lines === null ? 0 : Math.max(0, count - lines)]))
}

function keyOf({ scope, instance, path }: LogStream): string {
  return `${scopeName(scope)} ${instance ?? path}`
}

/** Of instances of which not all is shown, markers begin with the lines. */
function historyMarkers(
  request: HistoryRequest,
  parts: readonly Part[],
  surplus: ReadonlyMap<string, number>,
): Marker[] {
  const { home, query, opened, meant, selection, lasts } = request
  const floors = new Map(parts.map((part) => [part.open, floorOf(part, parts, surplus)]))
  const earliest = Math.min(...floors.values())
  const since = Number.isFinite(earliest) ? earliest : null
  const matches = (event: StoredEvent): boolean =>
    event.seq <= (lasts.get(event.scope) ?? Number.POSITIVE_INFINITY) &&
    (event.seq === meant?.seq || isMarked(event, selection))
  const placed = scopesOf(opened.map(({ stream }) => stream)).flatMap((scope) => {
    const { events } = storedEvents(home, scope, { since, until: query.until, limit: MOST_EVENTS, matches })
    const about = (event: StoredEvent): OpenStream[] => opened.filter(({ stream }) => isAbout(event, stream))
    const isFirst = (event: StoredEvent, time: EpochMs): boolean =>
      parts.some((part) => isAbout(event, part.open.stream) && time <= (floors.get(part.open) ?? 0))
    const markers = placeMarkers(events, (event) => about(event)[0]?.clock ?? null, meant)
    return markers.filter(({ event, time, isMeant }) => {
      if (isMeant) return true
      if (query.previous && BEGINNINGS.has(event.event) && !isFirst(event, time)) return false
      const of = about(event)
      const shown = parts.filter(({ open }) => of.includes(open))
      return shown.some((part) => time >= (floors.get(part.open) ?? 0) && time <= ceilingOf(part))
    })
  })
  return latestOfEach(
    placed.sort((a, b) => a.time - b.time),
    query.lines,
  )
}

function floorOf(part: Part, parts: readonly Part[], surplus: ReadonlyMap<string, number>): EpochMs {
  const { open, query, run } = part
  const key = keyOf(open.stream)
  if (run !== null) return run.from.at
  if (query.since !== null) return query.since
  const counted = parts.filter((it) => keyOf(it.open.stream) === key && it.count !== null)
  const all = counted.reduce((sum, { count }) => sum + (count ?? 0), 0)
  const isAll = query.lines === null || ((surplus.get(key) ?? 0) === 0 && all < query.lines)
  if (isAll) return Number.NEGATIVE_INFINITY
  // A start that stands right before the first line belongs to it.
  return Math.floor(
    Math.min(...counted.filter(({ count }) => count !== 0).map((it) => it.open.clock.window(it.from).from)),
  )
}

function ceilingOf({ query, run }: Part): EpochMs {
  return run?.to.at ?? query.until ?? Number.POSITIVE_INFINITY
}

function isAbout({ scope, app, instance }: StoredEvent, stream: LogStream): boolean {
  if (scope !== scopeName(stream.scope)) return false
  if (instance !== null) return stream.instances.includes(instance)
  return app === null || stream.app === app || stream.instances.some((name) => name.startsWith(`${app}#`))
}

/** Lines from before that are passed over because there are newer ones. */
function isBeforeFirst(
  event: StoredEvent,
  opened: readonly OpenStream[],
  surplus: ReadonlyMap<string, number>,
): boolean {
  const about = opened.filter(({ stream }) => isAbout(event, stream))
  return about.length > 0 && about.every(({ stream }) => (surplus.get(keyOf(stream)) ?? 0) > 0)
}
