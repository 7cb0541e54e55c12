import { EcoError, EXIT } from '../errors.ts'
import type { LocalEngine } from '../engine/local/local-engine.ts'
import { execute, exitCodeOf, resultingApps, type StepResult } from '../executor/execute.ts'
import { type AppliedState, type Hold, SPEC_FORMAT } from '../model/applied.ts'
import type { StepEvent } from '../model/events.ts'
import { type ScopeId, scopeName } from '../model/ids.ts'
import type { Plan, PlannedChange, StepAction } from '../model/plan.ts'
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
  /** Resolves when the work is over. */
  readonly over: Promise<void>
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
  #makesRevision = false
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

  /** @throws EcoError LOCKED while an apply is under way */
  refuseBusy(): void {
    if (this.#lock) throw this.#lockedError(this.#lock)
  }

  /** The serial that instances started now belong to: that of an apply under way, when it makes one. */
  get revision(): number {
    return this.#applied.serial + (this.#makesRevision ? 1 : 0)
  }

  setDown(isDown: boolean): void {
    if (this.#isDown === isDown || this.#applied.serial === 0) return
    this.#store.saveDown(isDown)
    this.#isDown = isDown
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
  async heal(): Promise<void> {
    const healing = this.#locked({ by: 'eco daemon', what: 'start' }, async () => {
      await this.#engine.dropUnapplied(this.scope, this.#applied.apps)
      const intent: Intent = { kind: 'apply', only: null, allowEmpty: true, takeOver: true, keepHolds: true }
      const change = this.plan(intent, null)
      // Each app by itself: a port that is taken keeps its own app down, which says so, and no other. Whether a job
      // should run again is for an operator to say: a daemon's start is no reason.
      const steps = change.plan.steps.filter(({ action }) => HEALS.has(action))
      const emit = (event: StepEvent): void => this.#events.emit(this.scope, event)
      await execute({ ...change, plan: { ...change.plan, steps } }, this.#applied, this.#engine, emit)
    })
    this.#healing = healing.catch(() => {})
    await healing
  }

  /** Resolves once what the daemon's start has begun is over. */
  whenHealed(): Promise<unknown> {
    return this.#healing
  }

  /** Resolves once no apply is under way. */
  async whenIdle(): Promise<void> {
    while (this.#lock) await this.#lock.over
  }

  #begin(request: ApplyRequest): BegunApply {
    this.refuseBusy()
    const { intent, desired, expectedPlan, by } = request
    const change = this.plan(intent, desired)
    request.onPlan?.(change.plan)
    if (expectedPlan !== null && change.plan.id !== expectedPlan) throw staleError(expectedPlan, change)
    refuseGuards(change)
    this.#engine.prepare(this.scope, change)
    // Holds come first: an instance stopped by hand must not come back when the daemon dies half-way.
    this.#saveHolds(change)
    this.#liftDown(change.plan)
    const what = intent.kind === 'apply' ? 'apply' : intent.verb
    const finished = this.#locked({ by, what }, () => this.#carryOut(change, request))
    return { plan: change.plan, finished }
  }

  async #locked<T>(who: { by: string; what: string }, work: () => Promise<T>): Promise<T> {
    const running = work()
    const lock: Lock = { ...who, since: Date.now(), over: running.then(noop, noop) }
    this.#lock = lock
    try {
      return await running
    } finally {
      this.#lock = null
    }
  }

  /** Whoever starts some apps of a scope that is down as a whole leaves the others stopped, one by one. */
  #liftDown({ only, verb }: Plan): void {
    if (!this.#isDown || verb === 'stop' || verb === 'delete') return
    if (only !== null) {
      const hold: Hold = { instances: 0, verb: 'stop', by: 'eco daemon stop --apps', at: Date.now() }
      const others = Object.entries(this.#applied.apps).filter(([app, { spec }]) => {
        return spec.kind === 'service' && !only.includes(app) && !Object.hasOwn(this.#applied.holds, app)
      })
      const holds = { ...this.#applied.holds, ...Object.fromEntries(others.map(([app]) => [app, hold])) }
      this.#store.saveHolds(holds)
      this.#applied = { ...this.#applied, holds }
    }
    this.setDown(false)
  }

  async #carryOut(change: PlannedChange, { desired, by }: ApplyRequest): Promise<ApplyResult> {
    const { plan: done } = change
    this.#makesRevision = this.#isNew(change)
    const results = await execute(change, this.#applied, this.#engine, (event) => this.#events.emit(this.scope, event))
    this.#makesRevision = false
    for (const { step, outcome } of results) {
      if (outcome.status === 'skipped') this.#engine.releaseUnused(this.scope, step.app)
    }
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
    const { source } = change.plan
    if (!this.#isNew(change)) return null
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

  /** A verb that only holds or heals leaves no revision: what is applied is the same. */
  #isNew({ plan: { changes, source } }: PlannedChange): boolean {
    return changes.length > 0 || this.#applied.source?.file !== source.file
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

/** What a daemon does by itself when it starts. */
const HEALS: ReadonlySet<StepAction> = new Set<StepAction>(['start', 'scale', 'stop', 'roll', 'restart'])

function noop(): void {}

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
