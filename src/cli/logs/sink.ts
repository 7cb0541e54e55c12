/** stdout, for much: gathered into large writes, and no faster than it is read. */

const BUFFER_BYTES = 256 * 1024
const NEWLINE = 10

export class Sink {
  readonly #stream = process.stdout
  #buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  #used = 0
  #drained: Promise<void> | null = null

  constructor() {
    this.#stream.on('error', (error: NodeJS.ErrnoException) => {
      // `eco logs | head`: the reader has seen enough.
      if (error.code === 'EPIPE') process.exit(0)
      process.stderr.write(`stdout cannot be written: ${error.message}\n`)
      process.exit(1)
    })
  }

  add(bytes: Buffer): void {
    if (this.#used + bytes.length > this.#buffer.length) this.#write()
    if (bytes.length > this.#buffer.length) return this.#send(bytes)
    this.#used += bytes.copy(this.#buffer, this.#used)
  }

  newline(): void {
    if (this.#used === this.#buffer.length) this.#write()
    this.#buffer[this.#used++] = NEWLINE
  }

  /** Resolves once more may be written. */
  async flush(): Promise<void> {
    this.#write()
    while (this.#drained !== null) await this.#drained
  }

  /** Resolves once more may be written, without haste. */
  async room(): Promise<void> {
    while (this.#drained !== null) await this.#drained
  }

  #write(): void {
    if (this.#used === 0) return
    const bytes = this.#buffer.subarray(0, this.#used)
    this.#buffer = Buffer.allocUnsafe(BUFFER_BYTES)
    this.#used = 0
    this.#send(bytes)
  }

  #send(bytes: Buffer): void {
    if (this.#stream.write(bytes) || this.#drained !== null) return
    this.#drained = new Promise((resolve) => {
      this.#stream.once('drain', () => {
        this.#drained = null
        resolve()
      })
    })
  }
}
