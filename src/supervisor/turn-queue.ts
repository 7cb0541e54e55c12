/**
 * Does work at once while this turn of the event loop has spent less than its share on such work, and the rest in the
 * turns that follow, in order. So a thousand instances that crash at once are dealt with as fast as it goes, and yet
 * whoever asks the daemon something is answered between two turns.
 */
export class TurnQueue {
  readonly #shareMs: number
  #waiting: (() => void)[] = []
  #spentMs = 0
  #isArmed = false

  /** @param shareMs of each turn, milliseconds; one piece of work may take it beyond */
  constructor(shareMs: number) {
    this.#shareMs = shareMs
  }

  add(work: () => void): void {
    if (this.#waiting.length === 0 && this.#spentMs < this.#shareMs) this.#do(work)
    else this.#waiting.push(work)
    this.#arm()
  }

  #arm(): void {
    if (this.#isArmed) return
    this.#isArmed = true
    setImmediate(() => this.#next())
  }

  #next(): void {
    this.#isArmed = false
    this.#spentMs = 0
    let done = 0
    while (done < this.#waiting.length && this.#spentMs < this.#shareMs) {
      const work = this.#waiting[done++]
      if (work) this.#do(work)
    }
    this.#waiting.splice(0, done)
    // Once more after the last: what was spent now counts for what is asked before the next turn.
    if (done > 0) this.#arm()
  }

  #do(work: () => void): void {
    const before = performance.now()
    try {
      work()
    } catch (error) {
      // A bug; the others wait for their turn all the same.
      console.error(error)
    }
    this.#spentMs += performance.now() - before
  }
}
