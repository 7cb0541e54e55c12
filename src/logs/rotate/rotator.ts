import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { EpochMs } from '../../model/ids.ts'
import type { Rotation } from '../../model/spec.ts'
import { archivePath } from '../by-address.ts'
import type { FollowedFile } from '../followed-file.ts'
import type { Archive } from '../ledger.ts'
import { unfinishedArchive } from './archive-copy.ts'
import { COMPRESSIONS, type Compressor, temporary } from './compressor.ts'
import { Packer, removeQuietly } from './packer.ts'
import { dueReason, nextLookMs, superfluous } from './policy.ts'
import { type Rotated, rotateFile } from './rotate-file.ts'

export interface RotatorContext {
  readonly home: string
  readonly helper: string
  readonly compressor: Compressor
  tell(message: string): void
}

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000
/** Of the disk, so much is left beside an archive. */
const RESERVE_BYTES = 1 << 20
const PRUNE_MS = 60_000

/** Keeps one log file, and its archives, within what its policy says. */
export class Rotator {
  readonly #file: FollowedFile
  readonly #context: RotatorContext
  #running: Promise<unknown> | null = null
  /** What was told of it last; null: all is well. */
  #trouble: string | null = null
  #pauseMs = FIRST_PAUSE_MS
  #notBefore = 0
  #prunedAt = Number.NEGATIVE_INFINITY
  #pace: { readonly at: number; readonly end: number } | null = null
  readonly #packer: Packer

  constructor(file: FollowedFile, context: RotatorContext) {
    this.#file = file
    this.#context = context
    // Not into the middle of a rotation, in which another process may write the ledger.
    this.#packer = new Packer(file, context.compressor, () => this.whenIdle())
  }

  get isIdle(): boolean {
    return this.#running === null
  }

  async whenIdle(): Promise<void> {
    while (this.#running !== null) await this.#running
  }

  /** … and none of its archives is still to be compressed. */
  isDone(policy: Rotation): boolean {
    return this.isIdle && this.#packer.isDone(policy)
  }

  compress(policy: Rotation, now: EpochMs): void {
    this.#packer.look(policy, now)
  }

  /**
   * Rotates it when it is time, and removes what is too old.
   *
   * @returns in how many ms it is to be looked at again, when that is sooner than `lookMs`; null: then is soon enough
   */
  look(policy: Rotation, now: EpochMs, lookMs: number): number | null {
    const { ledger, end } = this.#file
    if (this.#running !== null) return 50
    const at = performance.now()
    if (at - this.#prunedAt > PRUNE_MS) {
      this.#prunedAt = at
      this.prune(policy, now)
    }
    this.compress(policy, now)
    const firstAt = policy.maxAgeMs === null ? null : this.#file.firstAt
    const reason = dueReason(ledger, firstAt, policy, now)
    if (reason !== null) {
      if (at < this.#notBefore) return null
      // An age means all that is old; behind a size, more is coming.
      void this.rotate(policy, reason === 'age')
      return 50
    }
    const before = this.#pace
    this.#pace = { at, end }
    if (before === null || policy.method === 'off') return null
    const perMs = (end - before.end) / Math.max(1, at - before.at)
    return nextLookMs(policy.maxSizeBytes - (ledger.size - ledger.filler), perMs, lookMs)
  }

  /** One at a time; never rejects. @param all see RotationOrder */
  rotate(policy: Rotation, all: boolean): Promise<Rotated> {
    return this.alone(() => this.#rotate(policy, all))
  }

  /** Nothing else is done to the file meanwhile. */
  async alone<T>(act: () => Promise<T>): Promise<T> {
    while (this.#running !== null) await this.#running
    const acting = act()
    this.#running = acting.catch(() => {})
    try {
      return await acting
    } finally {
      this.#running = null
    }
  }

  async #rotate(policy: Rotation, all: boolean): Promise<Rotated> {
    const { home, helper } = this.#context
    const order = { home, helper, policy, all }
    this.#makeRoom()
    let result = await rotateFile(this.#file, order)
    for (; result.type === 'failed' && result.isFull && this.#giveUpOldest();)
      result = await rotateFile(this.#file, order)
    this.#judge(result)
    if (result.type !== 'rotated') return result
    this.prune(policy, Date.now())
    this.compress(policy, Date.now())
    return result
  }

  /** Told once, until it works again. */
  #judge(result: Rotated): void {
    const { path } = this.#file
    if (result.type === 'rotated' || result.type === 'empty') {
      if (this.#trouble !== null) this.#context.tell(`its log ${path} is rotated again`)
      this.#trouble = null
      this.#pauseMs = FIRST_PAUSE_MS
      this.#notBefore = 0
      if (result.type === 'rotated' && result.isTorn) {
        this.#context.tell(
          `a line without an end in ${path} was cut in two: its beginning is in ${result.archive.name}`,
        )
      }
      return
    }
    this.#notBefore = performance.now() + this.#pauseMs
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2)
    const trouble = troubleOf(result, path)
    if (trouble === null || trouble === this.#trouble) return
    this.#trouble = trouble
    this.#context.tell(trouble)
  }

  /** Old archives go before new output does. */
  #makeRoom(): void {
    const { ledger, path } = this.#file
    const needed = ledger.size - ledger.filler + RESERVE_BYTES
    while (freeBytes(dirname(path)) < needed && this.#giveUpOldest());
  }

  #giveUpOldest(): boolean {
    const [oldest] = this.#file.ledger.archives
    if (oldest === undefined) return false
    this.#remove([oldest])
    this.#context.tell(`the disk is full: ${oldest.name}, the oldest archive of its log, was removed`)
    return true
  }

  prune(policy: Rotation, now: EpochMs): void {
    if (policy.method === 'off') return
    const { archives, size } = this.#file.ledger
    this.#remove(superfluous(archives, size, policy, now))
  }

  /** @returns how many bytes that were */
  removeArchives(): number {
    const { archives } = this.#file.ledger
    this.#remove(archives)
    return archives.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  #remove(some: readonly Archive[]): void {
    if (some.length === 0) return
    const { archives } = this.#file.ledger
    // A reader must not look for what is gone.
    this.#file.change({ archives: archives.filter((it) => !some.includes(it)) })
    for (const archive of some) removeQuietly(archivePath(this.#file, archive))
    this.#file.forgetRemoved()
  }

  /** What a daemon that died left of its work. */
  removeLeftovers(): void {
    removeQuietly(unfinishedArchive(this.#file.path))
    for (const archive of this.#file.ledger.archives) {
      const path = archivePath(this.#file, archive)
      if (archive.compression === 'none') for (const one of COMPRESSIONS) removeQuietly(temporary(path, one))
      else removeQuietly(path.replace(/\.(gz|zst)$/, ''))
    }
  }
}

function troubleOf(result: Exclude<Rotated, { type: 'rotated' | 'empty' }>, path: string): string | null {
  if (result.type === 'unfinished') return null // an endless line is told when it is cut
  if (result.type === 'refused') {
    return `its log ${path} is not rotated, and grows: ${result.why}; make it a plain file, or set logs.rotation: off`
  }
  if (result.isFull) {
    return `its log ${path} cannot be rotated, and grows: the disk is full; make room (df -h ${dirname(path)}), it is tried again by itself`
  }
  return `its log ${path} could not be rotated, and grows: ${result.why}; it is tried again by itself`
}

function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
