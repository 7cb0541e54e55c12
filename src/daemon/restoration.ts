import type { LocalEngine } from '../engine/local/local-engine.ts'
import { execute, type StepResult } from '../executor/execute.ts'
import type { ScopeEvent, ScopeEventName, StepEvent } from '../model/events.ts'
import { scopeName } from '../model/ids.ts'
import type { Step, StepAction } from '../model/plan.ts'
import type { Intent } from '../planner/intent.ts'
import type { EventLog } from './event-log.ts'
import { holdEnded } from './hold-ends.ts'
import { cutOffText } from './pending-works.ts'
import type { ScopeKeeper } from './scope-keeper.ts'
import type { ScopeState } from './scope-state.ts'
import type { Work, Works } from './works.ts'

/** Who begins what no operator asked for. */
export const DAEMON = 'eco daemon'

/** What a daemon does by itself when it starts. */
const HEALS: ReadonlySet<StepAction> = new Set<StepAction>(['start', 'scale', 'stop', 'roll', 'restart'])

/** What a scope consists of, behind its keeper. */
export interface ScopeParts {
  readonly state: ScopeState
  readonly works: Works
  readonly engine: LocalEngine
  readonly events: EventLog
  tell(event: ScopeEventName, message: string, data?: ScopeEvent['data']): void
}

/** Makes what runs in a scope what is applied, without an operator: when a daemon starts, and when a hold ends. */
export class Restoration {
  /** Resolves once what the daemon's start has begun is over. */
  healed: Promise<unknown> = Promise.resolve()
  readonly #keeper: ScopeKeeper
  readonly #parts: ScopeParts

  constructor(keeper: ScopeKeeper, parts: ScopeParts) {
    this.#keeper = keeper
    this.#parts = parts
  }

  /**
   * Starts what is applied and not running; requests wait until it is done. What an earlier daemon was in the middle of
   * is brought to what is applied.
   */
  async heal(): Promise<void> {
    const works = this.#parts.state.takeBackCutOff()
    const { serial } = this.#keeper.applied
    for (const work of works) {
      const message = cutOffText(work, serial)
      console.error(`${scopeName(this.#keeper.scope)}: ${message}`)
      this.#parts.tell('apply_cut_off', message, { plan: work.plan, by: work.by, serial })
    }
    const healing = this.#keeper.isDown ? this.#stayDown() : this.#heal()
    this.healed = healing.catch(() => {})
    await healing
    if (works.length > 0) this.#parts.state.settleCutOff()
  }

  /** What a stop of the whole scope had not come to. */
  async #stayDown(): Promise<void> {
    await this.#parts.works.carryOut({ by: DAEMON, what: 'stop', isOwn: true }, async () => {
      await this.#discardUnapplied()
      await this.#parts.engine.stopScope(this.#keeper.scope)
    })
  }

  /** Of an apply that an earlier daemon was in the middle of. */
  async #discardUnapplied(): Promise<void> {
    const apps = [...this.#parts.engine.groups(this.#keeper.scope).keys()].filter(
      (app) => !Object.hasOwn(this.#keeper.applied.apps, app),
    )
    await Promise.all(apps.map((app) => this.#parts.engine.discard(this.#keeper.scope, app)))
  }

  async #heal(): Promise<void> {
    const over = this.#keeper.heldTooLong()
    const only = over.length === 0 ? null : Object.keys(this.#keeper.applied.apps).filter((app) => !over.includes(app))
    // Whether a job should run again is for an operator to say: a daemon's start is no reason.
    const work = { by: DAEMON, what: 'start', isOwn: true }
    const due = (step: Step): Step | null => {
      if (!HEALS.has(step.action)) return null
      if (step.action !== 'start' && step.action !== 'scale') return step
      // What was given up stays so: the death of a daemon has mended nothing.
      const slots = step.slots.filter((slot) => !this.#parts.engine.isFailed(this.#keeper.scope, step.app, slot))
      return slots.length > 0 || step.slots.length === 0 ? { ...step, slots } : null
    }
    await this.#restore(work, only, due, () => this.#discardUnapplied())
  }

  /**
   * Ends the holds of these apps, whose time is over, and makes the apps what was applied; requests wait until it is done.
   *
   * @throws EcoError STATE_UNWRITABLE
   */
  async endHolds(apps: readonly string[]): Promise<void> {
    // What an operator asks for waits for what is brought up. A job may take hours: then it is refused, as beside an apply.
    const isOwn = apps.every((app) => this.#keeper.applied.apps[app]?.spec.kind !== 'job')
    const work = { by: DAEMON, what: `end of the hold of ${apps.join(', ')}`, isOwn }
    // A job that has completed is what was applied, even one that runs at every apply.
    await this.#restore(work, apps, (step) => (step.trigger === 'always' ? null : step))
  }

  /**
   * Makes apps what was applied, without an operator. Each app by itself: a port that is taken keeps its own app down,
   * which says so, and no other.
   *
   * @param only null: all apps
   * @param due what is done of a step; null: nothing
   * @param first what is done before anything else
   */
  async #restore(
    work: Pick<Work, 'by' | 'what' | 'isOwn'>,
    only: readonly string[] | null,
    due: (step: Step) => Step | null,
    first: () => Promise<void> = async () => {},
  ): Promise<void> {
    const keeper = this.#keeper
    const { scope } = keeper
    const { works, engine, state, events } = this.#parts
    await works.carryOut(work, async ({ cancellation }) => {
      await first()
      await engine.whenRegained(scope)
      await engine.dropUnapplied(scope, keeper.applied.apps)
      const intent: Intent = { kind: 'apply', only, allowEmpty: true, takeOver: true, keepHolds: true }
      const change = keeper.plan(intent, null)
      const { holds } = keeper.applied
      state.saveHolds(change)
      for (const app of change.plan.endsHolds) events.emit(scope, holdEnded(scope, app, holds[app]))
      const steps = change.plan.steps.flatMap((step) => due(step) ?? [])
      const emit = (event: StepEvent): void => events.emit(scope, event)
      const healed = { ...change, plan: { ...change.plan, steps } }
      leaveWaiting(keeper, engine, await execute(healed, keeper.applied, engine, emit, cancellation))
    })
  }
}

/** An app that could not start because of others does so once these are there. */
export function leaveWaiting(keeper: ScopeKeeper, engine: LocalEngine, results: readonly StepResult[]): void {
  for (const { step, outcome } of results) {
    const spec = keeper.applied.apps[step.app]?.spec
    if (outcome.status !== 'done' && spec && keeper.isWanted(step.app)) engine.waitOn(keeper.scope, step.app, spec)
  }
}
