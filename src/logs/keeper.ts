import type { EpochMs } from '../model/ids.ts'
import { lastLinesOf, tailFrom } from './by-address.ts'
import { FollowedFile } from './followed-file.ts'
import { type Ledger, readLedger } from './ledger.ts'
import type { LogAddress, LogTail, LogUser, RunLogs } from './run-logs.ts'

const LOOK_MS = 1000

/**
 * Follows the log files of all runs: when what was written, and what became of it. It is never in the way of what is
 * written: it looks at each file about once a second.
 */
export class LogKeeper implements RunLogs {
  readonly #home: string
  /** By path: instances may share one. */
  readonly #files = new Map<string, FollowedFile>()
  #timer: NodeJS.Timeout | undefined

  constructor(home: string) {
    this.#home = home
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#lookAtAll(), LOOK_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  begin(user: LogUser): LogAddress[] {
    const now = Date.now()
    return this.#followAll(user).map((file) => ({ path: file.path, offset: file.mark('start', now) }))
  }

  follow(user: LogUser): void {
    const now = Date.now()
    for (const file of this.#followAll(user)) file.look(now)
  }

  end(user: LogUser): void {
    const now = Date.now()
    for (const path of user.paths) {
      const file = this.#files.get(path)
      if (!file?.users.delete(user)) continue
      file.mark('end', now)
      if (file.users.size > 0) continue
      file.write()
      this.#files.delete(path)
    }
  }

  endOf(path: string): LogAddress {
    const file = this.#files.get(path) ?? new FollowedFile(this.#home, path)
    file.look(Date.now())
    return { path, offset: file.end }
  }

  lastLines({ path, offset }: LogAddress, count: number): string[] {
    return lastLinesOf(this.#ledgerNow(path), count, offset)
  }

  tail(from: LogAddress): LogTail {
    return tailFrom(from, () => this.#ledgerNow(from.path))
  }

  #ledgerNow(path: string): Ledger {
    const file = this.#files.get(path)
    if (!file) return readLedger(this.#home, path)
    file.look(Date.now())
    return file.ledger
  }

  #followAll(user: LogUser): FollowedFile[] {
    return user.paths.map((path) => {
      let file = this.#files.get(path)
      if (!file) this.#files.set(path, (file = new FollowedFile(this.#home, path)))
      file.users.add(user)
      return file
    })
  }

  #lookAtAll(): void {
    const now: EpochMs = Date.now()
    for (const file of this.#files.values()) file.look(now)
  }
}
