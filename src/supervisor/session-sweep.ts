import { type ProcStat, readAllStats } from './proc.ts'

const POLL_MS = 20

/**
 * Looks for the end of process groups: one pass over /proc for all that are waited for, however many stop at once.
 */
export class SessionSweep {
  readonly #checks = new Set<(stats: readonly ProcStat[]) => boolean>()
  #timer: NodeJS.Timeout | undefined
  #soon: NodeJS.Immediate | undefined

  /**
   * Calls `check` with every process of the machine, at once and then again and again, until it returns true.
   *
   * @returns a function that ends the wait
   */
  until(check: (stats: readonly ProcStat[]) => boolean): () => void {
    this.#checks.add(check)
    // All that ask in one turn of the loop share the first pass.
    this.#soon ??= setImmediate(() => this.#pass())
    return () => this.#checks.delete(check)
  }

  #pass(): void {
    clearImmediate(this.#soon)
    clearTimeout(this.#timer)
    this.#soon = undefined
    if (this.#checks.size === 0) return
    const stats = readAllStats()
    for (const check of this.#checks) if (check(stats)) this.#checks.delete(check)
    if (this.#checks.size > 0) this.#timer = setTimeout(() => this.#pass(), POLL_MS)
  }
}
