import type { EpochMs } from '../../model/ids.ts'
import { messageOf, type ParsedLine, parseLine } from '../line/parse-line.ts'
import type { LineClock, TimeWindow } from './line-clock.ts'
import { LineCutter, type LogLine } from './line-cutter.ts'
import type { Chunk } from './log-bytes.ts'
import type { Source } from './merge.ts'

/** A line of a log, read as far as somebody asked. */
export class ReadLine<F> {
  readonly file: F
  readonly line: LogLine
  readonly window: TimeWindow
  /** null: not looked at, because the order was clear without. */
  time: EpochMs | null = null
  #text: string | null = null
  #parsed: ParsedLine | null = null

  constructor(file: F, line: LogLine, window: TimeWindow) {
    this.file = file
    this.line = line
    this.window = window
  }

  /** What is no UTF-8 comes as replacement characters. */
  get text(): string {
    return (this.#text ??= this.line.bytes.toString('utf8').replace(/\r$/, ''))
  }

  get parsed(): ParsedLine {
    return (this.#parsed ??= parseLine(this.text))
  }

  /** What the app wrote, without what a format of eco's has put around it. */
  get message(): string {
    return messageOf(this.text, () => this.parsed)
  }
}

export interface SourceOptions<F> {
  readonly file: F
  readonly clock: LineClock
  readonly since: EpochMs | null
  readonly until: EpochMs | null
  /** Every line has its time when it is taken. */
  readonly timed: boolean
  /** Endless lines in pieces. */
  readonly inPieces: boolean
  /** Nothing will follow: a last line without an end is a line, too. */
  readonly isClosed: boolean
  /** Lines that it does not want are passed over. */
  readonly wants: ((line: ReadLine<F>) => boolean) | null
  /** @returns at most so many bytes; null: nothing more for now */
  readonly read: (length: number) => Promise<Chunk | null>
}

const CHUNK_BYTES = 256 * 1024

/** The lines of one log, each with a time: the one it carries itself, held within what the time index knows. */
export class LogSource<F> implements Source<ReadLine<F>> {
  readonly #options: SourceOptions<F>
  readonly #cutter: LineCutter
  #lines: LogLine[] = []
  #at = 0
  #head: ReadLine<F> | null = null
  #goesOn = false
  /** Bytes that may still be read. */
  #budget = 0
  /** Lines of this log carry times; one that has none belongs to the one before. */
  #isStamped = false
  #lastTime = Number.NEGATIVE_INFINITY
  #isOver = false

  constructor(options: SourceOptions<F>) {
    this.#options = options
    this.#cutter = new LineCutter(options.inPieces)
  }

  get isReady(): boolean {
    return this.#head !== null
  }

  /** @param bytes how much more may be read */
  allow(bytes: number): void {
    this.#budget = bytes
  }

  async fill(): Promise<boolean> {
    while (!this.#next()) {
      if (this.#isOver) return false
      if (this.#budget <= 0) return this.#close()
      const chunk = await this.#options.read(Math.min(CHUNK_BYTES, this.#budget))
      if (chunk === null) return this.#close()
      this.#budget -= chunk.bytes.length
      this.#cut(chunk)
    }
    return true
  }

  #cut({ address, bytes, isNew }: Chunk): void {
    if (isNew) this.breakOff()
    let from = 0
    for (const end of this.#options.clock.ends(address, address + bytes.length)) {
      this.#append(this.#cutter.push(bytes.subarray(from, end - address), address + from))
      this.breakOff()
      from = end - address
    }
    if (from < bytes.length) this.#append(this.#cutter.push(bytes.subarray(from), address + from))
  }

  #close(): boolean {
    if (!this.#options.isClosed) return false
    this.breakOff()
    return this.#next()
  }

  /** The line whose end has not come is taken for a whole one: nothing will follow, or not soon. */
  breakOff(): void {
    const rest = this.#cutter.end()
    if (rest !== null) this.#append([rest])
  }

  window(): TimeWindow {
    return this.#mustHead().window
  }

  goesOn(): boolean {
    return this.#goesOn
  }

  time(): EpochMs {
    const head = this.#mustHead()
    if (head.time !== null) return head.time
    const { from, to, usual } = head.window
    const { at } = head.parsed
    if (at !== null) this.#isStamped = true
    const own = at ?? (this.#isStamped ? this.#lastTime : usual)
    head.time = Math.max(Math.min(Math.max(own, from), to), this.#lastTime)
    return head.time
  }

  take(): ReadLine<F> {
    const head = this.#mustHead()
    if (this.#options.timed) this.time()
    this.#pass(head)
    this.#next()
    return head
  }

  #mustHead(): ReadLine<F> {
    if (this.#head === null) throw new Error('Internal error: a log without a next line was asked for it')
    return this.#head
  }

  #pass(line: ReadLine<F>): void {
    this.#lastTime = Math.max(this.#lastTime, line.time ?? line.window.from)
    this.#goesOn = line.line.goesOn
    this.#head = null
  }

  #append(lines: LogLine[]): void {
    if (this.#at >= this.#lines.length) {
      this.#lines = lines
      this.#at = 0
    } else this.#lines.push(...lines)
  }

  /** Goes to the next line that is wanted, as far as lines are here. */
  #next(): boolean {
    while (this.#head === null) {
      const line = this.#lines[this.#at]
      if (line === undefined || this.#isOver) return false
      this.#lines[this.#at++] = NONE
      this.#head = new ReadLine(this.#options.file, line, this.#options.clock.window(line.address))
      if (!this.#isWanted(this.#head)) this.#pass(this.#head)
    }
    return true
  }

  #isWanted(line: ReadLine<F>): boolean {
    const { since, until, wants } = this.#options
    const { from, to } = line.window
    if (until !== null && from > until) {
      this.#isOver = true
      return false
    }
    // Never decided by half a window: the time of the line itself tells.
    if (since !== null && from < since && (to < since || this.time() < since)) return false
    if (until !== null && to > until && this.time() > until) return false
    return wants === null || wants(line)
  }
}

/** Lets go of the bytes of lines that have been passed. */
const NONE: LogLine = { address: 0, bytes: Buffer.alloc(0), length: 0, goesOn: false }
