/** Which part of a file is to be shown. */

import { findEnd, findLast, findTime } from '../../logs/read/find-lines.ts'
import type { RunBounds } from '../../logs/read/line-clock.ts'
import type { EpochMs } from '../../model/ids.ts'
import { complain, type OpenStream, sourceOptions } from './open-stream.ts'
import type { LogQuery } from './query.ts'

export interface Part {
  readonly open: OpenStream
  /** With the times that hold for this file. */
  readonly query: LogQuery
  readonly from: number
  readonly to: number
  /** Lines in it; null: not counted, all are shown. */
  readonly count: number | null
  /** The run that it is, when the index tells: with --previous. */
  readonly run: RunBounds | null
}

/** When the run before the last start of an instance began and ended, as the events tell. */
export type PreviousRuns = (instance: string) => { readonly from: EpochMs; readonly to: EpochMs } | null

const SHOWN_INSTEAD = 20

/** @returns null when there is nothing to show of it */
export async function findPart(open: OpenStream, asked: LogQuery, previousRuns: PreviousRuns): Promise<Part | null> {
  const { log } = open
  await log.settle()
  const run = asked.previous
    ? previousRun(open, asked, previousRuns)
    : { from: log.oldest, to: log.end, query: asked, bounds: null }
  if (run === null) return null
  const { query } = run
  let { from, to } = run
  let { lines } = query
  let since = query.since
  if (since !== null) {
    const found = await findTime(log, open.clock, since)
    if (found === null) {
      const name = open.stream.instance ?? log.path
      lines ??= SHOWN_INSTEAD
      since = null
      complain(
        `${name}: nothing tells when its lines were written (no time index, no times in them); the last ${lines} are shown`,
      )
    } else from = Math.max(from, found)
  }
  if (query.until !== null) to = Math.min(to, findEnd(log, open.clock, query.until))
  const own = { ...query, lines, since }
  if (lines === null) return { open, query: own, from, to, count: null, run: run.bounds }
  const options = { ...sourceOptions(open, own), inPieces: false, timed: false }
  const last = await findLast(log, { from, to }, lines, options)
  return { open, query: own, from: last.address, to, count: last.count, run: run.bounds }
}

function previousRun(
  { stream, log, clock }: OpenStream,
  query: LogQuery,
  previousRuns: PreviousRuns,
): { readonly from: number; readonly to: number; readonly query: LogQuery; readonly bounds: RunBounds | null } | null {
  const { instance } = stream
  // Of a file that several share, the index does not tell whose starts are whose.
  const run = instance === null ? null : clock.previousRun()
  if (run !== null) {
    return { from: Math.max(run.from.address, log.oldest), to: Math.min(run.to.address, log.end), query, bounds: run }
  }
  const times = instance === null ? null : previousRuns(instance)
  if (times === null) return null
  return { from: log.oldest, to: log.end, query: { ...query, since: times.from, until: times.to }, bounds: null }
}
