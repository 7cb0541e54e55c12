import { LineClock } from '../../logs/read/line-clock.ts'
import { LogBytes } from '../../logs/read/log-bytes.ts'
import type { LogSource, SourceOptions } from '../../logs/read/log-source.ts'
import type { LogStream } from './log-files.ts'
import type { LogQuery } from './query.ts'
import { wanted } from './wanted.ts'

/** A log file that is open for reading. */
export interface OpenStream {
  readonly stream: LogStream
  readonly log: LogBytes
  readonly clock: LineClock
}

export type LineSource = LogSource<LogStream>

/** @returns null, having said why, when it cannot be read */
export function openStream(
  home: string,
  stream: LogStream,
  replaced?: (fd: number, offset: number) => void,
): OpenStream | null {
  const { path, pid } = stream
  const writer = pid === null ? null : { pid, fd: stream.stream === 'err' ? (2 as const) : (1 as const) }
  try {
    const log = new LogBytes(home, path, writer, complain, replaced)
    const outer = { from: Number.NEGATIVE_INFINITY, to: log.writtenAt ?? Date.now() }
    return { stream, log, clock: new LineClock(home, path, outer) }
  } catch (error) {
    complain(`${stream.instance ?? path}: ${(error as Error).message}`)
    return null
  }
}

export function closeStream({ log, clock }: OpenStream): void {
  log.close()
  clock.close()
}

/**
 * What is the same for all that is read of a file, at one time or another.
 *
 * @param isFound see `wanted`
 */
export function sourceOptions(
  { stream, clock }: OpenStream,
  query: LogQuery,
  isFound = false,
): Omit<SourceOptions<LogStream>, 'read' | 'isClosed'> {
  const { since, until, form, time } = query
  return {
    file: stream,
    clock,
    since,
    until,
    timed: form === 'json' || time,
    inPieces: form === 'raw',
    wants: wanted(query, stream, isFound),
  }
}

export function complain(message: string): void {
  process.stderr.write(`${message}\n`)
}
