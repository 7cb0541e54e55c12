import type { Rotation } from '../model/spec.ts'
import { lastLinesOf, tailFrom } from './by-address.ts'
import { FollowedFile } from './followed-file.ts'
import { type Ledger, readLedger } from './ledger.ts'
import { Compressor } from './rotate/compressor.ts'
import { openLogFile } from './rotate/log-handle.ts'
import { strictest } from './rotate/policy.ts'
import type { Rotated } from './rotate/rotate-file.ts'
import { Rotator } from './rotate/rotator.ts'
import type { LogAddress, LogTail, LogUser, RunLogs } from './run-logs.ts'

const LOOK_MS = 1000
/** What a run does at its beginning says nothing yet about its pace. */
const YOUNG_MS = 2000
const YOUNG_LOOK_MS = 100

interface Kept {
  readonly file: FollowedFile
  readonly rotator: Rotator
  /** In force, or as it last was. */
  policy: Rotation | null
  /** Until it is looked at again sooner than all others. */
  timer: NodeJS.Timeout | undefined
  youngUntil: number
}

export type Flushed =
  | { readonly type: 'flushed'; readonly bytes: number; readonly archives: number }
  | { readonly type: 'refused'; readonly why: string }

/**
 * Follows the log files of all runs: when what was written, and what became of it; rotates them. It is never in the way of
 * what is written: it looks at each file about once a second.
 */
export class LogKeeper implements RunLogs {
  readonly #home: string
  readonly #helper: string
  readonly #compressor = new Compressor()
  /** By path: instances may share one. */
  readonly #kept = new Map<string, Kept>()
  #timer: NodeJS.Timeout | undefined

  /** @param helper path of stopped-copy.cjs */
  constructor(home: string, helper: string) {
    this.#home = home
    this.#helper = helper
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#lookAtAll(), LOOK_MS).unref()
  }

  /** Nothing is begun any more; what is under way ends within some milliseconds. */
  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    for (const { timer } of this.#kept.values()) clearTimeout(timer)
  }

  /** No file is being rotated. */
  get isIdle(): boolean {
    return [...this.#kept.values()].every(({ rotator }) => rotator.isIdle)
  }

  async whenIdle(): Promise<void> {
    await Promise.all([...this.#kept.values()].map(({ rotator }) => rotator.whenIdle()))
  }

  begin(user: LogUser): LogAddress[] {
    const now = Date.now()
    return this.#followAll(user).map((kept) => {
      kept.youngUntil = performance.now() + YOUNG_MS
      this.#lookIn(kept, YOUNG_LOOK_MS)
      return { path: kept.file.path, offset: kept.file.mark('start', now) }
    })
  }

  follow(user: LogUser): void {
    const now = Date.now()
    for (const { file } of this.#followAll(user)) file.look(now)
  }

  end(user: LogUser): void {
    const now = Date.now()
    for (const path of user.paths) {
      const kept = this.#kept.get(path)
      if (!kept?.file.users.has(user)) continue
      kept.policy = policyOf(kept)
      kept.file.users.delete(user)
      kept.file.mark('end', now)
      kept.file.write()
      this.#forget(kept)
    }
  }

  endOf(path: string): LogAddress {
    const file = this.#kept.get(path)?.file ?? new FollowedFile(this.#home, path)
    return { path, offset: file.endNow(Date.now()) }
  }

  lastLines({ path, offset }: LogAddress, count: number): string[] {
    return lastLinesOf(this.#ledgerNow(path), count, offset)
  }

  tail(from: LogAddress): LogTail {
    return tailFrom(from, () => this.#ledgerNow(from.path))
  }

  /** As an operator asks for: all that is in the file. @param policy for a file that no run writes to */
  async rotate(path: string, policy: Rotation): Promise<Rotated> {
    const kept = this.#keep(path)
    const now = policyOf(kept) ?? policy
    kept.policy = now
    // Asked for by name, what somebody else usually does is done.
    const result = await kept.rotator.rotate(now.method === 'off' ? { ...now, method: 'auto' } : now, true)
    this.#forget(kept)
    return result
  }

  /** Empties the file, and removes its archives. */
  async flush(path: string): Promise<Flushed> {
    const kept = this.#keep(path)
    const { file, rotator } = kept
    try {
      return await rotator.alone(async (): Promise<Flushed> => {
        const opened = await openLogFile(path)
        if (opened.type === 'refused') return opened
        const live = opened.type === 'file' ? opened.size : 0
        if (opened.type === 'file') {
          file.look(Date.now())
          try {
            await opened.file.truncate(0)
          } finally {
            await opened.file.close()
          }
          file.emptied()
        }
        const archives = file.ledger.archives.length
        const bytes = live + rotator.removeArchives()
        file.look(Date.now())
        return { type: 'flushed', bytes, archives }
      })
    } finally {
      this.#forget(kept)
    }
  }

  #ledgerNow(path: string): Ledger {
    const file = this.#kept.get(path)?.file
    if (!file) return readLedger(this.#home, path)
    file.look(Date.now())
    return file.ledger
  }

  #followAll(user: LogUser): Kept[] {
    return user.paths.map((path) => {
      const kept = this.#keep(path)
      kept.file.users.add(user)
      return kept
    })
  }

  #keep(path: string): Kept {
    const known = this.#kept.get(path)
    if (known) return known
    const file = new FollowedFile(this.#home, path)
    const rotator = new Rotator(file, {
      home: this.#home,
      helper: this.#helper,
      compressor: this.#compressor,
      tell: (message) => [...file.users][0]?.tell(message),
    })
    rotator.removeLeftovers()
    const kept: Kept = { file, rotator, policy: null, timer: undefined, youngUntil: 0 }
    this.#kept.set(path, kept)
    return kept
  }

  /** Unless somebody still needs it, or there is something left to be done. */
  #forget(kept: Kept): void {
    const { file, rotator, policy } = kept
    if (file.users.size > 0 || !rotator.isIdle || (policy !== null && !rotator.isDone(policy))) return
    clearTimeout(kept.timer)
    this.#kept.delete(file.path)
  }

  #lookAtAll(): void {
    for (const kept of this.#kept.values()) if (kept.timer === undefined) this.#look(kept)
  }

  #look(kept: Kept): void {
    kept.timer = undefined
    const now = Date.now()
    kept.file.look(now)
    const policy = policyOf(kept)
    if (policy === null) {
      if (kept.policy !== null) kept.rotator.compress(kept.policy, now)
      return this.#forget(kept)
    }
    const soon = kept.rotator.look(policy, now, LOOK_MS)
    if (soon !== null) this.#lookIn(kept, soon)
    else if (performance.now() < kept.youngUntil) this.#lookIn(kept, YOUNG_LOOK_MS)
  }

  #lookIn(kept: Kept, ms: number): void {
    if (this.#timer) kept.timer ??= setTimeout(() => this.#look(kept), ms).unref()
  }
}

/** null: no run writes to it. */
function policyOf({ file }: Kept): Rotation | null {
  return strictest([...file.users].map(({ rotation }) => rotation))
}
