/** Makes lines of bytes, and knows the address of each. Pure. */

export interface LogLine {
  readonly address: number
  /** Without its newline; of an endless line only the beginning, unless pieces were asked for. */
  readonly bytes: Buffer
  /** Of the whole line, as far as it has come. */
  readonly length: number
  /** A piece of a line, and more of it follows. */
  readonly goesOn: boolean
}

export const MAX_LINE_BYTES = 64 * 1024

const NEWLINE = 10

export class LineCutter {
  readonly #max: number
  readonly #inPieces: boolean
  #address = 0
  #parts: Buffer[] = []
  /** In the parts, and of the line as a whole. */
  #kept = 0
  #length = 0

  /** @param inPieces endless lines are given in pieces, not cut */
  constructor(inPieces = false, max = MAX_LINE_BYTES) {
    this.#inPieces = inPieces
    this.#max = max
  }

  /** @returns the lines that the bytes complete */
  push(bytes: Buffer, address: number): LogLine[] {
    const lines: LogLine[] = []
    let at = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      if (this.#length === 0 && end - at <= this.#max) {
        lines.push({ address: address + at, bytes: bytes.subarray(at, end), length: end - at, goesOn: false })
      } else {
        this.#add(bytes.subarray(at, end), address + at, lines)
        lines.push(this.#take(false))
      }
      at = end + 1
    }
    if (at < bytes.length) this.#add(bytes.subarray(at), address + at, lines)
    return lines
  }

  /** @returns the beginning of a line whose end has not come; null: there is none */
  end(): LogLine | null {
    return this.#length === 0 ? null : this.#take(false)
  }

  #add(bytes: Buffer, address: number, lines: LogLine[]): void {
    if (this.#length === 0) this.#address = address
    this.#length += bytes.length
    let rest = bytes
    while (this.#inPieces && this.#kept + rest.length > this.#max) {
      const room = this.#max - this.#kept
      this.#keep(rest.subarray(0, room))
      lines.push(this.#take(true))
      rest = rest.subarray(room)
      this.#length = rest.length
      this.#address += this.#max
    }
    this.#keep(rest.subarray(0, this.#max - this.#kept))
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return
    // A copy: one short beginning of a line must not hold a whole chunk for as long as the app is quiet.
    this.#parts.push(Buffer.from(bytes))
    this.#kept += bytes.length
    if (this.#parts.length > 64) this.#parts = [Buffer.concat(this.#parts)]
  }

  #take(goesOn: boolean): LogLine {
    const line = { address: this.#address, bytes: Buffer.concat(this.#parts), length: this.#length, goesOn }
    this.#parts = []
    this.#kept = 0
    this.#length = 0
    return line
  }
}
