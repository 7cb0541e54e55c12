import { EcoError } from '../../errors.ts'
import { LineClock } from '../../logs/read/line-clock.ts'
import { LogBytes } from '../../logs/read/log-bytes.ts'
import { LogSource, type SourceOptions } from '../../logs/read/log-source.ts'
import type { LogStream } from './log-files.ts'
import type { LogQuery } from './query.ts'
import type { Sink } from './sink.ts'
import { wanted } from './wanted.ts'

/** A log file that is open for reading. */
export interface OpenStream {
  readonly stream: LogStream
  readonly log: LogBytes
  readonly clock: LineClock
}

export type LineSource = LogSource<LogStream>

/**
 * @returns null, having said why, when it cannot be read
 * @throws EcoError INTERNAL: no more files can be opened
 */
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
    complain(`${stream.instance ?? path}: ${whyUnreadable(error as NodeJS.ErrnoException, path)}`)
    return null
  }
}

function whyUnreadable(error: NodeJS.ErrnoException, path: string): string {
  if (error.code === 'EACCES') return `no permission to read ${error.path ?? path}`
  if (error.code !== 'EMFILE' && error.code !== 'ENFILE') return error.message
  throw new EcoError('INTERNAL', `There are more log files than may be open at once: ${error.message}.`, {
    hint: 'ulimit -n 10000, or name fewer apps: eco logs api',
    cause: error,
  })
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

/** What is written from the position of the log on, as it comes. */
export function followingSource(open: OpenStream, query: LogQuery, sink: Sink, isFound = false): LineSource {
  return new LogSource<LogStream>({
    ...sourceOptions(open, query, isFound),
    isClosed: false,
    read: async (length) => {
      await sink.room()
      return open.log.next(length)
    },
  })
}

export function complain(message: string): void {
  process.stderr.write(`${message}\n`)
}
