import type { Verb } from '../model/plan.ts'
import type { Backoff } from '../model/spec.ts'
import { backoffDelay } from '../supervisor/restart-policy.ts'
import type { ScopeKeeper } from './scope-keeper.ts'

/** A start or restart that no operator asked for. */
export interface Renewal {
  readonly verb: Extract<Verb, 'start' | 'restart' | 'reload'>
  /** Stands in the plan and in the events: `restarts with db`, `src/server.js changed`. */
  readonly cause: string
  /** Asked when its turn has come: whether it is still to be done. */
  isDue(): boolean
  /** Pauses between renewals that follow each other closely, as between restarts after crashes. */
  readonly backoff?: Backoff
}

/** An app that was left in peace for this long begins its pauses afresh. */
const STABLE_MS = 10_000

/** Carries out the renewals of one scope when nothing else is being carried out; all that came up meanwhile is one plan. */
export class Renewals {
  readonly #keeper: ScopeKeeper
  readonly #tell: (app: string, message: string) => void
  readonly #pending = new Map<string, Renewal>()
  /** When an app was renewed last, and how often in a row. */
  readonly #history = new Map<string, { readonly at: number; readonly inARow: number }>()
  readonly #underWay = new Set<string>()
  readonly #paused = new Map<string, NodeJS.Timeout>()
  #working = false

  constructor(keeper: ScopeKeeper, tell: (app: string, message: string) => void) {
    this.#keeper = keeper
    this.#tell = tell
  }

  request(app: string, renewal: Renewal): void {
    // A restart takes the place of a reload, never the other way round.
    if (this.#pending.get(app)?.verb === 'restart' && renewal.verb !== 'restart') return
    const pauseMs = this.#pauseMs(app, renewal)
    clearTimeout(this.#paused.get(app))
    this.#paused.delete(app)
    if (pauseMs > 0) {
      this.#paused.set(
        app,
        setTimeout(() => this.request(app, renewal), pauseMs),
      )
      return
    }
    this.#pending.set(app, renewal)
    if (!this.#working) void this.#work()
  }

  #pauseMs(app: string, { backoff }: Renewal): number {
    const last = this.#history.get(app)
    if (!last || !backoff) return 0
    return last.at + backoffDelay(backoff, last.inARow) - Date.now()
  }

  /** When the app was renewed last, epoch ms: now while it still is; null: never. */
  renewedAt(app: string): number | null {
    if (this.#pending.has(app) || this.#underWay.has(app)) return Date.now()
    return this.#history.get(app)?.at ?? null
  }

  async #work(): Promise<void> {
    this.#working = true
    while (this.#pending.size > 0) {
      await this.#keeper.whenIdle()
      // An operator who waited for the same moment goes first.
      await new Promise((resolve) => setImmediate(resolve))
      if (!this.#keeper.isIdle) continue
      for (const [app, renewal] of this.#pending) {
        if (!this.#keeper.isWanted(app) || !renewal.isDue()) this.#pending.delete(app)
      }
      // One verb a plan; the others have their turn when it is over.
      const [first] = this.#pending.values()
      const due = [...this.#pending].filter(([, renewal]) => renewal.verb === first?.verb)
      for (const [app] of due) this.#pending.delete(app)
      if (first) await this.#carryOut(first.verb, due)
    }
    this.#working = false
  }

  async #carryOut(verb: Renewal['verb'], due: readonly [app: string, renewal: Renewal][]): Promise<void> {
    for (const [app, { cause }] of due) {
      this.#underWay.add(app)
      this.#tell(app, `${verb}: ${cause}`)
    }
    try {
      await this.#keeper.renew(
        verb,
        due.map(([app, { cause }]) => ({ app, slots: null, cause })),
      )
    } catch (error) {
      for (const [app] of due) this.#tell(app, `${verb} refused: ${(error as Error).message}`)
    }
    const at = Date.now()
    for (const [app, { backoff }] of due) {
      this.#underWay.delete(app)
      const last = this.#history.get(app)
      const isClose =
        last !== undefined && at - last.at < STABLE_MS + (backoff ? backoffDelay(backoff, last.inARow) : 0)
      this.#history.set(app, { at, inARow: isClose ? last.inARow + 1 : 1 })
    }
  }
}
