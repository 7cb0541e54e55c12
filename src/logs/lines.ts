/** Longer lines are cut into pieces of this much, so that one endless line cannot fill the memory. */
export const MAX_LINE_BYTES = 64 * 1024

const NEWLINE = 10
/** Of a line that comes byte by byte. */
const MAX_PARTS = 256

/** Makes lines of chunks. How the bytes came in changes nothing about the lines. */
export class LineAssembler {
  readonly #max: number
  #parts: Buffer[] = []
  #length = 0

  constructor(max = MAX_LINE_BYTES) {
    this.#max = max
  }

  /** @returns the lines that the chunk completes, without their newlines */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = []
    let at = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, at)) {
      this.#add(chunk.subarray(at, end), lines)
      lines.push(this.#take(this.#length))
      at = end + 1
    }
    if (at < chunk.length) this.#add(chunk.subarray(at), lines)
    return lines
  }

  /** @returns the start of a line whose newline has not come and will not; null: there is none */
  end(): Buffer | null {
    return this.#length === 0 ? null : this.#take(this.#length)
  }

  #add(bytes: Buffer, lines: Buffer[]): void {
    if (bytes.length === 0) return
    this.#parts.push(bytes)
    this.#length += bytes.length
    if (this.#parts.length > MAX_PARTS) this.#parts = [Buffer.concat(this.#parts)]
    // Only once there is more: a line of just this length is whole.
    while (this.#length > this.#max) lines.push(this.#take(this.#max))
  }

  /** The first bytes; of a cut line, those up to the end of a character. */
  #take(length: number): Buffer {
    const all = this.#parts.length === 1 ? (this.#parts[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#parts)
    const end = length === all.length ? length : characterEnd(all, length)
    this.#parts = end < all.length ? [all.subarray(end)] : []
    this.#length = all.length - end
    return all.subarray(0, end)
  }
}

/** The last place at or before `end` where a character of UTF-8 begins; `end` itself in bytes that are no UTF-8. */
function characterEnd(bytes: Buffer, end: number): number {
  for (let at = end; at > end - 4 && at > 0; at--) {
    if (((bytes[at] ?? 0) & 0xc0) !== 0x80) return at
  }
  return end
}
