import type { Rotation } from '../model/spec.ts'
import { lastLines, readNewLines, sizeOf } from './tail.ts'

/** The end of a log file: an address of its output (logs/ledger.ts), which a rotation does not change. */
export interface LogAddress {
  readonly path: string
  readonly offset: number
}

/** Whoever writes to log files: one run of an instance. */
export interface LogUser {
  /** Each once. */
  readonly paths: readonly string[]
  /** In force now. */
  readonly rotation: Rotation
  /** What has become of a file that the operator should know. */
  tell(message: string): void
}

/** What is written from a certain address on. */
export interface LogTail {
  /** Lines since the last look, and behind them the beginning of one that has no end yet, or ''; null: nothing new. */
  read(): string[] | null
}

/** The log files of runs, as those see them who start, watch and judge these. */
export interface RunLogs {
  /** A run is about to begin. @returns from where on the output is its own */
  begin(user: LogUser): LogAddress[]
  /** A run goes on that an earlier daemon began. */
  follow(user: LogUser): void
  /** Nothing writes for it any more. */
  end(user: LogUser): void
  endOf(path: string): LogAddress
  /** The last lines from there on, oldest first, as far as they can be had at once. */
  lastLines(from: LogAddress, count: number): string[]
  tail(from: LogAddress): LogTail
}

/** Files that nobody rotates, as `eco run` has them: an address is an offset. */
export const PLAIN_LOGS: RunLogs = {
  begin: ({ paths }) => paths.map(plainEnd),
  follow: () => {},
  end: () => {},
  endOf: plainEnd,
  lastLines: ({ path, offset }, count) => lastLines(path, count, offset),
  tail: ({ path, offset }) => {
    const position = { path, offset, rest: '' }
    return {
      read: () => {
        const before = position.offset
        const lines = readNewLines(position)
        return position.offset === before ? null : [...lines, position.rest]
      },
    }
  },
}

function plainEnd(path: string): LogAddress {
  return { path, offset: sizeOf(path) }
}
