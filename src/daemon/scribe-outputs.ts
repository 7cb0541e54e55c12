import { closeSync } from 'node:fs'
import { openLog } from '../logs/open-log.ts'
import { listSpools, newSpool, type Spool } from '../logs/spool.ts'
import type { Output } from '../model/spec.ts'
import { type Destination, discarded, LOG_FILES, type OpenedOutput, type Outputs } from '../supervisor/outputs.ts'
import { ScribeLink } from './scribe-link.ts'

/** Last words that take longer come too late to be told. */
const LAST_WORDS_MS = 500
const POLL_MS = 3

/**
 * Output as the apps ask for it: straight into files, or by way of the scribe. The daemon has the scribe started when there
 * is work for it, and again when it has ended before it was done; otherwise the two need not know of each other.
 */
export class ScribeOutputs implements Outputs {
  readonly #home: string
  readonly #link: ScribeLink
  /** Spools of runs that are not over yet. */
  readonly #byRun = new Map<string, Spool[]>()

  /** @param entry absolute path of scribe.cjs */
  constructor(home: string, entry: string) {
    this.#home = home
    this.#link = new ScribeLink(home, entry, () => listSpools(home).length > 0)
  }

  open(destination: Destination): OpenedOutput {
    const { path, format, run, app, instance, stream } = destination
    if (format === 'plain') return LOG_FILES.open(destination)
    const spool = newSpool(this.#home, `${instance.replace('#', '-')}.${stream === 'stdout' ? 'out' : 'err'}`)
    try {
      // What keeps the scribe from writing it is told now, and not when nobody looks.
      closeSync(openLog(path))
      const fd = spool.create({ format: 1, path, style: format, run, app, instance, stream })
      this.#byRun.set(run, [...(this.#byRun.get(run) ?? []), spool])
      this.#link.poke()
      return { fd, note: null }
    } catch (error) {
      return discarded(path, error)
    }
  }

  settle(): void {}

  over(run: string): Promise<void> | null {
    const spools = this.#byRun.get(run)
    if (spools === undefined) return null
    this.#byRun.delete(run)
    for (const spool of spools) mark(spool)
    this.#link.poke()
    return whenDone(spools)
  }

  inForce(output: Output): Output {
    return output
  }

  get blocked(): Outputs['blocked'] {
    return this.#link.blocked
  }

  /** After the adoption: output of runs that are over meanwhile is brought to an end, that of others goes on. */
  takeOver(alive: ReadonlySet<string>): void {
    const spools = listSpools(this.#home)
    for (const spool of spools) {
      const run = spool.order()?.run
      if (run === undefined || !alive.has(run)) mark(spool)
      else if (!this.#byRun.get(run)?.some(({ id }) => id === spool.id)) {
        this.#byRun.set(run, [...(this.#byRun.get(run) ?? []), spool])
      }
    }
    if (spools.length > 0) this.#link.poke()
  }

  /** The daemon ends; the scribe goes on. */
  close(): void {
    this.#link.close()
  }
}

function mark(spool: Spool): void {
  try {
    spool.markOver()
  } catch (error) {
    // The next daemon does.
    console.error(`cannot mark ${spool.path}: ${(error as Error).message}`)
  }
}

async function whenDone(spools: readonly Spool[]): Promise<void> {
  const deadline = performance.now() + LAST_WORDS_MS
  while (performance.now() < deadline && !spools.every((spool) => spool.isDone)) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
