import { fstatSync } from 'node:fs'

/** One of our own outputs. A reader that is slower than the apps makes them wait, not us grow. */
export class Outlet {
  readonly #stream: NodeJS.WriteStream
  #isFull = false
  #isBroken = false
  #waiting: (() => void)[] = []
  #unwritten = 0

  /** @param broken told once when nobody reads it any more */
  constructor(stream: NodeJS.WriteStream, broken: () => void) {
    this.#stream = stream
    stream.on('drain', () => this.#free())
    stream.on('error', () => {
      const wasBroken = this.#isBroken
      this.#isBroken = true
      this.#unwritten = 0
      this.#free()
      if (!wasBroken) broken()
    })
  }

  get isFull(): boolean {
    return this.#isFull
  }

  /** All of it goes out in one piece; what comes while it is full is kept. */
  write(bytes: Buffer | string): void {
    if (this.#isBroken) return
    this.#unwritten++
    const goesOn = this.#stream.write(bytes, () => {
      this.#unwritten--
      if (this.#unwritten <= 0) this.#free()
    })
    this.#isFull = !goesOn
  }

  /** Calls back once, when there is room again. */
  whenFree(then: () => void): void {
    if (this.#isFull) this.#waiting.push(then)
    else then()
  }

  /** Resolves when everything is written, or nobody will ever read it. */
  async flushed(): Promise<void> {
    while (this.#unwritten > 0 && !this.#isBroken) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #free(): void {
    this.#isFull = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const then of waiting) then()
  }
}

/**
 * stdout and stderr; one and the same where they are the same pipe or file, because the lines of two writers would tear
 * each other.
 */
export function ownOutlets(broken: () => void): { readonly out: Outlet; readonly err: Outlet } {
  const out = new Outlet(process.stdout, broken)
  return { out, err: isSameFile(1, 2) ? out : new Outlet(process.stderr, broken) }
}

function isSameFile(a: number, b: number): boolean {
  try {
    const [one, other] = [fstatSync(a), fstatSync(b)]
    return one.dev === other.dev && one.ino === other.ino
  } catch {
    return false
  }
}
