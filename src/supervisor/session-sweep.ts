import { type Carriers, findCarriers } from './carriers.ts'
import { type Life, type ProcIdentity, type ProcStat, readAllStats, watchLife } from './proc.ts'

/** Pause between two passes for groups that are to end; longer where a pass takes long. */
const POLL_MS = 20
/** How soon the end of a process is seen that is not our child. */
const ADOPTED_POLL_MS = 200

/** One look at all processes of the machine. Each part is read when it is first asked for, and once. */
export class Pass {
  readonly #digest: string
  readonly #doomed: ReadonlySet<string>
  #stats: readonly ProcStat[] | undefined
  #carriers: Carriers | undefined

  constructor(digest: string, doomed: ReadonlySet<string>) {
    this.#digest = digest
    this.#doomed = doomed
  }

  get stats(): readonly ProcStat[] {
    return (this.#stats ??= readAllStats())
  }

  /** The processes of a run, by the name in their environment. */
  carriersOf(run: string): readonly ProcIdentity[] {
    return this.runs.get(run) ?? []
  }

  /** All runs of this ECO_HOME that have processes. */
  get runs(): Carriers['runs'] {
    return this.#look().runs
  }

  /** False when some process could not be told whose it is at this moment: look again. */
  get isSure(): boolean {
    return this.#look().isSure
  }

  #look(): Carriers {
    return (this.#carriers ??= findCarriers(this.#digest, this.#doomed))
  }
}

interface Adopted {
  readonly life: Life
  readonly ended: () => void
}

/**
 * Looks for the end of processes: one pass over /proc for all groups that are waited for, however many stop at once, and
 * one slow round over the adopted processes.
 */
export class SessionSweep {
  /** Runs whose processes are killed wherever a look finds them. */
  readonly doomed = new Set<string>()
  readonly #digest: string
  readonly #checks = new Set<(pass: Pass) => boolean>()
  readonly #adopted = new Set<Adopted>()
  #pass: Pass | undefined
  #timer: NodeJS.Timeout | undefined
  /** When the next look may begin: looks leave two thirds of the time to others. On the clock of performance.now(). */
  #nextLookAt = 0
  #soon: NodeJS.Immediate | undefined
  #round: NodeJS.Timeout | undefined

  /** @param digest names the ECO_HOME whose runs are looked for */
  constructor(digest: string) {
    this.#digest = digest
  }

  /** A look that all share who ask in one turn of the loop, as a hundred instances do that are stopped at once. */
  pass(): Pass {
    if (this.#pass === undefined) {
      const pass = new Pass(this.#digest, this.doomed)
      this.#pass = pass
      setImmediate(() => {
        this.#pass = undefined
      })
    }
    return this.#pass
  }

  /**
   * Calls `check` with a look at the processes, at once and then again and again, until it returns true.
   *
   * @returns a function that ends the wait
   */
  until(check: (pass: Pass) => boolean): () => void {
    this.#checks.add(check)
    // All that ask in one turn of the loop share the first pass.
    const restMs = this.#nextLookAt - performance.now()
    if (restMs <= 0) this.#soon ??= setImmediate(() => this.#look())
    else this.#lookIn(restMs)
    return () => this.#checks.delete(check)
  }

  /**
   * For a process that is not our child: nobody tells us its end, so we look.
   *
   * @returns a function that ends the wait
   */
  whenEnded(process: ProcIdentity, ended: () => void): () => void {
    const entry = { life: watchLife(process), ended }
    this.#adopted.add(entry)
    this.#round ??= setInterval(() => this.#lookForEnds(), ADOPTED_POLL_MS)
    return () => this.#forget(entry)
  }

  #look(): void {
    clearImmediate(this.#soon)
    clearTimeout(this.#timer)
    this.#soon = undefined
    if (this.#checks.size === 0) return
    const before = performance.now()
    const pass = new Pass(this.#digest, this.doomed)
    for (const check of this.#checks) if (check(pass)) this.#checks.delete(check)
    const after = performance.now()
    const pauseMs = 2 * (after - before)
    this.#nextLookAt = after + pauseMs
    if (this.#checks.size > 0) this.#lookIn(Math.max(POLL_MS, pauseMs))
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#look(), ms)
  }

  #lookForEnds(): void {
    for (const entry of this.#adopted) {
      if (entry.life.isAlive()) continue
      this.#forget(entry)
      entry.ended()
    }
  }

  #forget(entry: Adopted): void {
    if (this.#adopted.delete(entry)) entry.life.close()
    if (this.#adopted.size > 0) return
    clearInterval(this.#round)
    this.#round = undefined
  }
}
