import { closeSync, fstatSync, readSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Archive, Ledger } from '../ledger.ts'
import { type ArchiveBytes, openArchive } from './archive-bytes.ts'
import { type Layout, layoutNow } from './layout-now.ts'
import { LedgerFile } from './ledger-file.ts'
import { openLog, type Writer } from './open-log.ts'
import { type Segment, segmentAt, segmentsOf } from './segments.ts'

export interface Chunk {
  /** Of its first byte (logs/ledger.ts). */
  readonly address: number
  readonly bytes: Buffer
  /** It does not go on from what was read before: something between is gone, or the file is another one. */
  readonly isNew: boolean
}

/** A rotation's critical section takes milliseconds; longer: whoever carries it out is stopped or dead. */
const SETTLES_MS = 500
const POLL_MS = 5
const COMPARED_BYTES = 256

/**
 * The bytes of a log by their addresses, through rotations that go on meanwhile. It also keeps a position from which it
 * is read on, and that finds its way when others cut the file short or put another one in its place.
 */
export class LogBytes {
  readonly path: string
  /** Address of the next byte that `next` gives. */
  position = 0
  readonly #ledger: LedgerFile
  readonly #complain: (message: string) => void
  readonly #replaced: (fd: number, offset: number) => void
  #fd: number | null
  #layout: Layout
  /** The file was cut or replaced, and the ledger does not say so yet: `base` is our own. */
  #isUnnoted = false
  #isBroken = false
  /** Some of the bytes before the position. */
  #last = Buffer.alloc(0)
  /** Tells of a rotation that stands still: it has been waited for long enough. */
  #standing: Ledger | null = null
  #archive: { readonly name: string; readonly bytes: ArchiveBytes } | null = null

  /**
   * @param replaced gets the open file that stood there before, and how far it has been read
   * @throws Error when the file cannot be read
   */
  constructor(
    home: string,
    path: string,
    writer: Writer | null,
    complain: (message: string) => void,
    replaced: (fd: number, offset: number) => void = (fd) => closeSync(fd),
  ) {
    this.path = path
    this.#complain = complain
    this.#replaced = replaced
    this.#ledger = new LedgerFile(home, path)
    this.#layout = this.#ledger.ledger
    this.#fd = openLog(path, writer)
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd)
    this.#fd = null
    this.#archive?.bytes.close()
    this.#archive = null
  }

  get oldest(): number {
    return this.segments()[0]?.start ?? 0
  }

  get end(): number {
    return this.segments().at(-1)?.end ?? 0
  }

  /** When the last of it was written; null: there is no file. */
  get writtenAt(): number | null {
    return this.#fd === null ? null : fstatSync(this.#fd).mtimeMs
  }

  /** When the file came into being; null: there is none. */
  get bornAt(): number | null {
    return this.#fd === null ? null : fstatSync(this.#fd).birthtimeMs
  }

  /** Whether there is more behind the position, or something else in its place. */
  get hasNews(): boolean {
    const named = statSync(this.path, { throwIfNoEntry: false })
    if (this.#fd === null) return named !== undefined
    const { ino, dev, size } = fstatSync(this.#fd)
    return (
      this.#layout.base + size !== this.position || (named !== undefined && (named.ino !== ino || named.dev !== dev))
    )
  }

  segments(): Segment[] {
    return segmentsOf(this.#layout, this.#size())
  }

  /** Waits for a rotation that is just going on, and takes note of those that were. */
  async settle(): Promise<void> {
    if (this.#ledger.refresh()) this.#noteChange()
    if (this.#ledger.ledger.pending === null) return
    const deadline = Date.now() + SETTLES_MS
    while (this.#ledger.ledger.pending !== null && this.#ledger.ledger !== this.#standing && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      if (this.#ledger.refresh()) this.#noteChange()
    }
    if (this.#ledger.ledger.pending === null) return
    this.#standing = this.#ledger.ledger
    if (!this.#isUnnoted) this.#layout = layoutNow(this.#standing)
  }

  /** @returns what stands at an address, or at the next one that is still there; null: nothing */
  async readAt(address: number, length: number): Promise<Chunk | null> {
    for (;;) {
      await this.settle()
      const segment = segmentAt(this.segments(), address)
      if (segment === null) return null
      const from = Math.max(address, segment.start)
      const wanted = Math.min(length, segment.end - from)
      const bytes = segment.archive
        ? await this.#readArchive(segment.archive, from, wanted)
        : this.#readLive(from, wanted)
      if (bytes === null) continue
      if (bytes.length > 0) return { address: from, bytes, isNew: from > address }
      if (segment.archive === null) return null
      address = segment.end // shorter than it should be
    }
  }

  /** @returns what stands at the position, which moves behind it; null: nothing more has been written */
  async next(length: number): Promise<Chunk | null> {
    for (;;) {
      await this.settle()
      if (this.#fd === null && !this.#open()) return null
      if (this.#wasCut()) continue
      const chunk = await this.readAt(this.position, length)
      if (chunk !== null) {
        this.position = chunk.address + chunk.bytes.length
        const isNew = chunk.isNew || this.#isBroken
        this.#isBroken = false
        this.#last = Buffer.from(chunk.bytes.subarray(-COMPARED_BYTES))
        return { ...chunk, isNew }
      }
      if (!this.#wasReplaced()) return null
    }
  }

  #open(): boolean {
    this.#fd = openLog(this.path, null)
    return this.#fd !== null
  }

  #size(): number {
    return this.#fd === null ? 0 : fstatSync(this.#fd).size
  }

  #wasCut(): boolean {
    if (this.#ledger.ledger.pending !== null) return false
    if (this.position <= this.#layout.base + this.#size() || !this.#ledger.isCurrent()) return false
    // Between the two looks it may have been rotated; that is the ledger's to say.
    if (this.position <= this.#layout.base + this.#size()) return false
    this.#beginAnew()
    return true
  }

  #wasReplaced(): boolean {
    if (this.#fd === null) return false
    const named = statSync(this.path, { throwIfNoEntry: false })
    const { ino, dev } = fstatSync(this.#fd)
    if (named === undefined || (named.ino === ino && named.dev === dev)) return false
    const next = openLog(this.path, null)
    if (next === null) return false
    this.#replaced(this.#fd, this.position - this.#layout.base)
    this.#fd = next
    this.#beginAnew()
    return true
  }

  #beginAnew(): void {
    this.#layout = { base: this.position, filler: 0, archives: this.#layout.archives }
    this.#isUnnoted = true
    this.#isBroken = true
  }

  #noteChange(): void {
    const { ledger } = this.#ledger
    if (this.#fd !== null && ledger.inode !== null && ledger.inode !== fstatSync(this.#fd).ino) {
      // Of the file that has come in the place of ours: we read that when we are through with this one.
      this.#isUnnoted = true
      return
    }
    const { base, archives } = this.#layout
    const first = ledger.archives.find(({ name }) => !archives.some((it) => it.name === name))
    if (this.#isUnnoted && ledger.pending === null) {
      // The same byte by the ledger's count: in the file as it stood before the rotation that told of it.
      this.position = this.position - base + (first?.start ?? ledger.base)
      this.#isUnnoted = false
    } else if (first === undefined && ledger.base > base && !this.#goesOnIn(ledger)) {
      // It was cut, at less than we have read: its bytes are new ones, from the first on.
      this.position = ledger.base
      this.#isBroken = true
    }
    if (!this.#isUnnoted) this.#layout = ledger
    if (this.#archive !== null && !ledger.archives.some(({ name }) => name === this.#archive?.name)) {
      this.#archive.bytes.close()
      this.#archive = null
    }
  }

  /** Whether what was read last stands before a place of the file: it was rotated there, and its archive not kept. */
  #goesOnIn({ base, filler }: Layout): boolean {
    const offset = this.position - base
    const length = Math.min(this.#last.length, offset - filler)
    if (this.#fd === null || length <= 0) return true
    const bytes = Buffer.alloc(length)
    readSync(this.#fd, bytes, 0, length, offset - length)
    return bytes.equals(this.#last.subarray(this.#last.length - length))
  }

  /** null: it was rotated meanwhile. */
  #readLive(address: number, length: number): Buffer | null {
    if (this.#fd === null) return Buffer.alloc(0)
    const { base } = this.#layout
    const bytes = Buffer.allocUnsafe(length)
    const read = readSync(this.#fd, bytes, 0, length, address - base)
    const isSame = this.#ledger.isCurrent() && (this.#isUnnoted || layoutNow(this.#ledger.ledger).base === base)
    return isSame ? bytes.subarray(0, read) : null
  }

  /** null: it has been removed, or is called otherwise by now. */
  async #readArchive(archive: Archive, address: number, length: number): Promise<Buffer | null> {
    try {
      return (await this.#openArchive(archive)).read(address - archive.start, length)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' && !this.#ledger.isCurrent()) return null
      const why = code === 'ENOENT' ? 'it has been removed' : (error as Error).message
      this.#complain(`${join(dirname(this.path), archive.name)} cannot be read: ${why}`)
      this.#layout = { ...this.#layout, archives: this.#layout.archives.filter((it) => it !== archive) }
      return null
    }
  }

  async #openArchive(archive: Archive): Promise<ArchiveBytes> {
    if (this.#archive?.name === archive.name) return this.#archive.bytes
    const bytes = await openArchive(join(dirname(this.path), archive.name), archive)
    this.#archive?.bytes.close()
    this.#archive = { name: archive.name, bytes }
    return bytes
  }
}
