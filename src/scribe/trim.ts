import { execFile } from 'node:child_process'
import { punchCommand } from '../logs/punch-hole.ts'
import type { SpoolReader } from './spool-reader.ts'

/** What is taken out at a time: a program of its own does it, in two milliseconds. */
const STEP_BYTES = 8 * 2 ** 20
/** After a failure. */
const PAUSE_MS = 60_000

/**
 * Gives the room back that the done part of a spool takes, by a hole: the file keeps its length, so that whoever appends to
 * it meanwhile loses nothing.
 */
export class Trimmer {
  readonly #done = new WeakMap<SpoolReader, number>()
  readonly #problem: (message: string) => void
  #isBusy = false
  #pausedUntil = 0

  constructor(problem: (message: string) => void) {
    this.#problem = problem
  }

  trim(reader: SpoolReader): void {
    let from = this.#done.get(reader) ?? 0
    // The app has truncated it, and begun anew.
    if (reader.pos < from) this.#done.set(reader, (from = 0))
    const length = Math.floor((reader.pos - from) / STEP_BYTES) * STEP_BYTES
    if (length === 0 || this.#isBusy || performance.now() < this.#pausedUntil) return
    this.#isBusy = true
    const [file, args] = punchCommand(reader.spool.path, from, length)
    execFile(file, args, { timeout: 10_000 }, (error) => {
      this.#isBusy = false
      if (error === null) {
        this.#done.set(reader, from + length)
        return
      }
      this.#pausedUntil = performance.now() + PAUSE_MS
      this.#problem(
        `${reader.spool.path} cannot be trimmed and grows until its app is restarted: ${error.message.trim()}`,
      )
    })
  }
}
