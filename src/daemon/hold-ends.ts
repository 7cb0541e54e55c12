import type { AppliedState, Hold } from '../model/applied.ts'
import type { ScopeEvent } from '../model/events.ts'
import { type ScopeId, scopeName } from '../model/ids.ts'
import { formatDuration } from '../planner/duration.ts'
import { isoTime } from './protocol.ts'
import type { ScopeKeeper } from './scope-keeper.ts'

/** A hold ends by the clock on the wall, which may be set meanwhile: it is looked at again so often. */
const LONGEST_WAIT_MS = 60_000

/** When a hold could not be ended (the disk is full), it is tried again after this. */
const RETRY_MS = 60_000

/** Ends the holds of one scope that have an end: one timer, for the nearest of them. */
export class HoldEnds {
  readonly #keeper: ScopeKeeper
  readonly #complain: (message: string) => void
  #timer: NodeJS.Timeout | undefined
  #working = false

  /** @param complain told when a hold cannot be ended */
  constructor(keeper: ScopeKeeper, complain: (message: string) => void) {
    this.#keeper = keeper
    this.#complain = complain
  }

  /** Looks at the holds as they are now; to be called whenever they may have changed. */
  sync(): void {
    clearTimeout(this.#timer)
    // Of a scope that is down nothing is started: whoever brings it back looks again.
    if (this.#working || this.#keeper.isDown) return
    const now = Date.now()
    const next = nearestEnd(this.#keeper.applied)
    if (next === null) return
    if (next <= now) void this.#end()
    else this.#wait(Math.min(next - now, LONGEST_WAIT_MS))
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.sync(), ms).unref()
  }

  async #end(): Promise<void> {
    this.#working = true
    let failed: Error | null = null
    try {
      await this.#whenIdle()
      const apps = this.#keeper.heldTooLong()
      if (apps.length > 0 && !this.#keeper.isDown) await this.#keeper.endHolds(apps)
    } catch (error) {
      failed = error as Error
    }
    this.#working = false
    if (failed === null) return this.sync()
    this.#complain(`could not end a hold whose time is over: ${failed.message}`)
    this.#wait(RETRY_MS)
  }

  /** Resolves when nothing is being carried out; an operator who waited for the same moment goes first. */
  async #whenIdle(): Promise<void> {
    do {
      await this.#keeper.whenIdle()
      await new Promise((resolve) => setImmediate(resolve))
    } while (!this.#keeper.isIdle)
  }
}

function nearestEnd({ apps, holds }: AppliedState): number | null {
  const ends = Object.entries(holds).flatMap(([app, { until }]) => (Object.hasOwn(apps, app) ? (until ?? []) : []))
  return ends.length === 0 ? null : Math.min(...ends)
}

/** `hold of api by ann ended: 2h are over` */
export function holdEnded(scope: ScopeId, app: string, hold: Hold | undefined): ScopeEvent {
  const { by = '', at = 0, until = at, verb = 'stop', instances = 0 } = hold ?? {}
  return {
    type: 'scope',
    event: 'hold_ended',
    at: Date.now(),
    scope: scopeName(scope),
    app,
    message: `hold of ${app} by ${by} ended: ${formatDuration(until - at)} are over`,
    data: { by, verb, instances, until: isoTime(until) },
  }
}
