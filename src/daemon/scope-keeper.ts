import { EcoError, EXIT } from '../errors.ts'
import type { LocalEngine } from '../engine/local/local-engine.ts'
import { execute, exitCodeOf, resultingApps, type StepResult } from '../executor/execute.ts'
import { type AppliedState, SPEC_FORMAT } from '../model/applied.ts'
import { type ScopeId, scopeName } from '../model/ids.ts'
import type { Plan, PlannedChange } from '../model/plan.ts'
import type { DesiredState } from '../model/spec.ts'
import type { Intent } from '../planner/intent.ts'
import { plan } from '../planner/plan.ts'
import type { RevisionStore } from '../state/revision-store.ts'
import type { EventLog } from './event-log.ts'
import { type ApplyResult, isoTime } from './protocol.ts'

export interface ApplyRequest {
  readonly intent: Intent
  /** null: the applied state itself (verbs). */
  readonly desired: DesiredState | null
  /** The plan the user saw; refused when it would be another one now. */
  readonly expectedPlan: string | null
  /** Told the plan before anything is refused or done. */
  readonly onPlan?: (plan: Plan) => void
  readonly by: string
}

export interface BegunApply {
  readonly plan: Plan
  readonly finished: Promise<ApplyResult>
}

interface Lock {
  readonly by: string
  readonly since: number
  readonly what: string
}

/** Owns one scope: its applied state, and the one apply at a time that may change it. */
export class ScopeKeeper {
  readonly scope: ScopeId
  readonly #store: RevisionStore
  readonly #engine: LocalEngine
  readonly #events: EventLog
  #applied: AppliedState
  #lock: Lock | null = null
  #isDown: boolean
  #healing: Promise<unknown> = Promise.resolve()

  /** @throws EcoError STATE_DAMAGED */
  constructor(scope: ScopeId, store: RevisionStore, engine: LocalEngine, events: EventLog) {
    this.scope = scope
    this.#store = store
    this.#engine = engine
    this.#events = events
    this.#applied = store.load()
    this.#isDown = store.isDown()
  }

  get applied(): AppliedState {
    return this.#applied
  }

  /** Stopped as a whole until it is started again by name, by an apply, or by `eco daemon start`. */
  get isDown(): boolean {
    return this.#isDown
  }

  setDown(isDown: boolean): void {
    if (this.#isDown === isDown) return
    this.#store.saveDown(isDown)
    this.#isDown = isDown
  }

  get busy(): boolean {
    return this.#lock !== null
  }

  plan(intent: Intent, desired: DesiredState | null): PlannedChange {
    const wanted = desired ?? this.#asDesired()
    return plan({
      desired: wanted,
      applied: this.#applied,
      observed: this.#engine.observe(this.scope, wanted),
      intent,
      now: Date.now(),
    })
  }

  /**
   * Plans, and begins to carry the plan out; that goes on whether or not the client that asked is still there.
   *
   * @throws EcoError LOCKED, PLAN_STALE or GUARD; then nothing was changed
   */
  async begin(request: ApplyRequest): Promise<BegunApply> {
    // Right after its start the daemon brings back what was applied; a request waits for that instead of failing.
    await this.#healing
    return this.#begin(request)
  }

  /** Begins, and waits for the end. */
  async apply(request: ApplyRequest): Promise<ApplyResult> {
    const { finished } = await this.begin(request)
    return finished
  }

  /** Starts what is applied and not running; requests wait until it is done. */
  heal(): Promise<ApplyResult> {
    const intent: Intent = { kind: 'apply', only: null, allowEmpty: true, takeOver: true, keepHolds: true }
    const { finished } = this.#begin({ intent, desired: null, expectedPlan: null, by: 'eco daemon' })
    this.#healing = finished.catch(() => {})
    return finished
  }

  #begin(request: ApplyRequest): BegunApply {
    if (this.#lock) throw this.#lockedError(this.#lock)
    const { intent, desired, expectedPlan, by } = request
    const change = this.plan(intent, desired)
    request.onPlan?.(change.plan)
    if (expectedPlan !== null && change.plan.id !== expectedPlan) throw staleError(expectedPlan, change)
    refuseGuards(change)
    this.#engine.prepare(this.scope, change)
    // Holds come first: an instance stopped by hand must not come back when the daemon dies half-way.
    this.#saveHolds(change)
    if (startsApps(intent)) this.setDown(false)
    this.#lock = { by, since: Date.now(), what: intent.kind === 'apply' ? 'apply' : intent.verb }
    const finished = this.#carryOut(change, request).finally(() => {
      this.#lock = null
    })
    return { plan: change.plan, finished }
  }

  async #carryOut(change: PlannedChange, { desired, by }: ApplyRequest): Promise<ApplyResult> {
    const { plan: done } = change
    const results = await execute(change, this.#applied, this.#engine, (event) => this.#events.emit(this.scope, event))
    const problem = this.#record(change, results, by)
    const worst = exitCodeOf(results)
    const apps = done.only ?? Object.keys(change.next)
    const late = desired !== null && worst === EXIT.ok ? await this.#engine.whenSettled(this.scope, apps) : []
    const exit_code = problem !== null ? EXIT.needsPerson : late.length > 0 ? EXIT.notReady : worst
    return { plan: done, results, not_ready: late, problem, exit_code, serial: this.#applied.serial }
  }

  /** @returns why the new revision is not on disk; it is in force all the same */
  #record(change: PlannedChange, results: readonly StepResult[], by: string): string | null {
    const apps = resultingApps(change, this.#applied, results)
    // A verb that only holds or heals leaves no revision: what is applied is the same.
    const { source } = change.plan
    const changed = change.plan.changes.length > 0 || this.#applied.source?.file !== source.file
    if (!changed) return null
    const serial = this.#applied.serial + 1
    this.#applied = { ...this.#applied, serial, source, apps }
    try {
      this.#store.save({
        format: SPEC_FORMAT,
        serial,
        scope: this.scope,
        source,
        at: isoTime(Date.now()),
        by,
        plan: change.plan.id,
        exit_code: exitCodeOf(results),
        apps,
      })
      return null
    } catch (error) {
      return `Revision ${serial} could not be written (${(error as Error).message}): the next daemon would not know it. Free space, then apply again.`
    }
  }

  #saveHolds(change: PlannedChange): void {
    if (JSON.stringify(change.nextHolds) === JSON.stringify(this.#applied.holds)) return
    this.#store.saveHolds(change.nextHolds)
    this.#applied = { ...this.#applied, holds: change.nextHolds }
  }

  #asDesired(): DesiredState {
    const { source, apps } = this.#applied
    return {
      scope: this.scope,
      source: source ?? { file: '', git: null },
      apps: Object.fromEntries(Object.entries(apps).map(([app, { spec }]) => [app, spec])),
    }
  }

  #lockedError(lock: Lock): EcoError {
    const seconds = Math.round((Date.now() - lock.since) / 1000)
    return new EcoError(
      'LOCKED',
      `${scopeName(this.scope)} is busy: ${lock.what} by ${lock.by}, for ${seconds}s now.`,
      {
        hint: 'wait for it to end; "eco ls" shows how far it is',
      },
    )
  }
}

function startsApps(intent: Intent): boolean {
  return intent.kind === 'apply' || intent.verb === 'start' || intent.verb === 'restart'
}

function staleError(expected: string, { plan: now }: PlannedChange): EcoError {
  return new EcoError(
    'PLAN_STALE',
    `The plan ${expected} is stale: the plan would be ${now.id} now. Nothing was changed.`,
    {
      hint: 'look again with "eco diff", then apply',
    },
  )
}

function refuseGuards({ plan: { guards } }: PlannedChange): void {
  const [first, ...rest] = guards
  if (!first) return
  const remedies = guards.map((guard) => guard.remedy).filter((remedy) => remedy !== null)
  throw new EcoError('GUARD', first.message, {
    details: rest.map((guard) => guard.message),
    hint: remedies.length > 0 ? remedies.join('; ') : undefined,
  })
}
