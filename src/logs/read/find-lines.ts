/** Finding the place in a log from which it is to be read. */

import type { EpochMs } from '../../model/ids.ts'
import { parseLine } from '../line/parse-line.ts'
import type { LineClock } from './line-clock.ts'
import type { LogBytes } from './log-bytes.ts'
import { LogSource, type SourceOptions } from './log-source.ts'

const FIRST_WINDOW = 64 * 1024
const MAX_WINDOW = 8 * 1024 * 1024
const LOOK_BYTES = 64 * 1024

export interface LastLines {
  /** Of the first of them; the end when there are none. */
  readonly address: number
  readonly count: number
}

/** The last lines of a part of a log that somebody wants, looked for from its end on. */
export async function findLast<F>(
  log: LogBytes,
  { from, to }: { readonly from: number; readonly to: number },
  count: number,
  options: Omit<SourceOptions<F>, 'read' | 'isClosed'>,
): Promise<LastLines> {
  let addresses: number[] = []
  let end = to
  let size = FIRST_WINDOW
  while (end > from && addresses.length < count) {
    // Not beyond the file it is in: an older one is opened only when it is needed, and begins with a line.
    const segment = log.segments().findLast((it) => it.start < end)
    if (segment === undefined || segment.end <= from) break
    end = Math.min(end, segment.end)
    const floor = Math.max(from, segment.start)
    const start = Math.max(floor, end - size)
    const begin = start === floor ? floor : await nextLine(log, start, end)
    size = Math.min(size * 4, begin === null ? Number.MAX_SAFE_INTEGER : MAX_WINDOW)
    if (begin === null) continue
    const source = rangeSource(log, begin, end, options)
    const found: number[] = []
    while (source.isReady || (await source.fill())) found.push(source.take().line.address)
    addresses = [...found.slice(-(count - addresses.length)), ...addresses]
    end = begin
  }
  return { address: addresses[0] ?? to, count: addresses.length }
}

/** @param room resolves once more may be read */
export function rangeSource<F>(
  log: LogBytes,
  from: number,
  to: number,
  options: Omit<SourceOptions<F>, 'read' | 'isClosed'>,
  room: () => Promise<void> = () => Promise.resolve(),
): LogSource<F> {
  let at = from
  const source = new LogSource<F>({
    ...options,
    isClosed: true,
    read: async (length) => {
      await room()
      const chunk = at < to ? await log.readAt(at, Math.min(length, to - at)) : null
      if (chunk === null || chunk.address >= to) return null
      at = chunk.address + chunk.bytes.length
      return chunk
    },
  })
  source.allow(Number.MAX_SAFE_INTEGER)
  return source
}

/** What was written up to a moment ends at or before this address. */
export function findEnd(log: LogBytes, clock: LineClock, at: EpochMs): number {
  return Math.min(clock.after(at)?.address ?? log.end, log.end)
}

/**
 * The first address that something written since a moment can have.
 *
 * @returns null when nothing tells: there is no index, and the lines carry no times
 */
export async function findTime(log: LogBytes, clock: LineClock, at: EpochMs): Promise<number | null> {
  const { index } = clock
  // What had been written by then is from that moment itself at the latest, and that still counts.
  const point = index.before(at - 1)
  if (point !== null) return Math.max(point.address, log.oldest)
  const known = index.at(0)
  if (known !== null && known.address <= log.oldest) return log.oldest
  return bisect(log, known?.address ?? log.end, at)
}

async function bisect(log: LogBytes, to: number, at: EpochMs): Promise<number | null> {
  const older = log.segments().filter(({ archive }) => archive !== null && archive.lastAt < at)
  const first = Math.max(log.oldest, older.at(-1)?.end ?? 0)
  let low = first
  let high = to
  if (low >= high) return high
  if ((log.writtenAt ?? 0) < at) return high
  let isTold = false
  while (high - low > LOOK_BYTES) {
    const middle = Math.floor((low + high) / 2)
    const time = await timeNear(log, middle, high)
    if (time === null) break
    isTold = true
    if (time < at) low = middle
    else high = middle
  }
  if (isTold) return low === first ? low : ((await nextLine(log, low, high)) ?? low)
  return (await timeNear(log, low, to)) === null ? null : low
}

/** Of the first line behind an address that carries one. */
async function timeNear(log: LogBytes, address: number, end: number): Promise<EpochMs | null> {
  const start = address === log.oldest ? address : await nextLine(log, address, end)
  if (start === null) return null
  const chunk = await log.readAt(start, LOOK_BYTES)
  for (const line of chunk?.bytes.toString('utf8').split('\n') ?? []) {
    const { at } = parseLine(line)
    if (at !== null) return at
  }
  return null
}

/** The first beginning of a line at an address or behind it. null: there is none before the end. */
async function nextLine(log: LogBytes, address: number, end: number): Promise<number | null> {
  for (let at = address - 1; at < end;) {
    const chunk = await log.readAt(at, Math.min(LOOK_BYTES, end - at))
    if (chunk === null) return null
    if (chunk.address > at) return chunk.address // what stood here is gone
    const newline = chunk.bytes.indexOf(10)
    if (newline >= 0) return at + newline + 1 < end ? at + newline + 1 : null
    at += chunk.bytes.length
  }
  return null
}
