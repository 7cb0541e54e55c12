/** So many restarts in a row, each followed at once by a change of the same file, are the app's own doing. */
const MAX_IN_A_ROW = 5
/** A change this soon after a restart may come from the app. Milliseconds. */
const SOON_MS = 2000

/** Tells an app that writes into the folder it is watched in from a developer who saves often. Pure but for its memory. */
export class StormGuard {
  #inARow = 0
  /** What changed after each of the restarts in a row. */
  #suspects: readonly string[] = []

  /**
   * @param since when the burst began, epoch ms
   * @param restartedAt when the last restart for a change was over; null: there was none
   * @returns the file that changes after every restart, when it is not to be restarted for it again
   */
  suspect(paths: readonly string[], since: number, restartedAt: number | null): string | null {
    const again = this.#suspects.filter((path) => paths.includes(path))
    const isSoon = restartedAt !== null && since < restartedAt + SOON_MS
    if (!isSoon || (this.#inARow > 0 && again.length === 0)) this.#inARow = 0
    this.#suspects = isSoon && this.#inARow > 0 ? again : paths
    this.#inARow = isSoon ? this.#inARow + 1 : 0
    return this.#inARow >= MAX_IN_A_ROW ? (this.#suspects[0] ?? null) : null
  }
}
