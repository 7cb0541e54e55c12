import { EcoError, EXIT } from '../errors.ts'
import type { NotReady } from '../engine/engine.ts'
import type { LocalEngine } from '../engine/local/local-engine.ts'
import { execute, exitCodeOf } from '../executor/execute.ts'
import type { AppliedState } from '../model/applied.ts'
import type { StepEvent } from '../model/events.ts'
import { type ScopeId, scopeName } from '../model/ids.ts'
import type { Plan, PlannedChange, Verb } from '../model/plan.ts'
import type { DesiredState } from '../model/spec.ts'
import type { Intent, VerbTarget } from '../planner/intent.ts'
import { plan } from '../planner/plan.ts'
import type { RevisionStore } from '../state/revision-store.ts'
import type { EventLog } from './event-log.ts'
import type { ApplyResult } from './protocol.ts'
import { Previews } from './previews.ts'
import { DAEMON, leaveWaiting, Restoration, type ScopeParts } from './restoration.ts'
import { lockedError, refuseGuards, staleError } from './refusals.ts'
import { ScopeState } from './scope-state.ts'
import { type Work, Works } from './works.ts'

export interface ApplyRequest {
  readonly intent: Intent
  /** null: the applied state itself (verbs). */
  readonly desired: DesiredState | null
  /** The plan the user saw; refused when it would be another one now. */
  readonly expectedPlan: string | null
  /** Told the plan before anything is refused or done. */
  readonly onPlan?: (plan: Plan) => void
  readonly by: string
  /** Apps whose steps in a plan under way are cancelled first: `eco stop` and `eco delete` do not wait for an apply. */
  readonly cancels?: readonly string[]
}

export interface BegunApply {
  readonly plan: Plan
  readonly finished: Promise<ApplyResult>
}

/**
 * Owns one scope: its applied state, and the one plan at a time that may change it. Only a stop or a delete does not wait
 * for its turn: it cancels what the plan under way would do to its apps, and goes beside it.
 */
export class ScopeKeeper {
  readonly scope: ScopeId
  readonly #state: ScopeState
  readonly #engine: LocalEngine
  readonly #events: EventLog
  readonly #works = new Works()
  readonly #previews = new Previews()
  /** Told when a plan was carried out and recorded. */
  onCarriedOut: (plan: Plan, isOwn: boolean) => void = () => {}
  /** How many of the works make a revision when they are over. */
  #revisionsToCome = 0
  /** Of the applies that took over, the newest goes on. */
  #newestTakeOver = 0
  readonly #parts: ScopeParts
  readonly #restoration: Restoration
  /** The apply under way, for those who ask for the very same meanwhile. */
  #underWay: (BegunApply & Pick<PlannedChange, 'next'> & { readonly intent: ApplyRequest['intent'] }) | null = null

  /** @throws EcoError STATE_DAMAGED */
  constructor(scope: ScopeId, store: RevisionStore, engine: LocalEngine, events: EventLog) {
    this.scope = scope
    this.#state = new ScopeState(scope, store)
    this.#engine = engine
    this.#events = events
    const tell: ScopeParts['tell'] = (event, message, data = {}) =>
      events.emit(scope, { type: 'scope', event, at: Date.now(), scope: scopeName(scope), message, data })
    this.#parts = { state: this.#state, works: this.#works, engine, events, tell }
    this.#restoration = new Restoration(this, this.#parts)
  }

  get applied(): AppliedState {
    return this.#state.applied
  }

  /** Stopped as a whole until it is started again by name, by an apply, or by `eco daemon start`. */
  get isDown(): boolean {
    return this.#state.isDown
  }

  setDown(isDown: boolean): void {
    this.#state.setDown(isDown)
  }

  /** Nothing starts any more, and the next daemon knows nothing of it. */
  downUntilBoot(): void {
    this.#state.downUntilBoot()
  }

  /** Applied, and not stopped by anybody. */
  isWanted(app: string, slot?: number): boolean {
    return this.#state.isWanted(app, slot)
  }

  /** Applied apps with a hold whose time is over. */
  heldTooLong(): string[] {
    return this.#state.heldTooLong()
  }

  /** @throws EcoError LOCKED while a plan is being carried out, unless the verb does not wait for that */
  refuseBusy(verb: Verb | null): void {
    const work = this.#works.ofOperator
    if (work && !goesBeside(verb)) throw lockedError(this.scope, work, this.#engine.isRolling(this.scope))
  }

  /** Nothing is being carried out. */
  get isIdle(): boolean {
    return this.#works.isIdle
  }

  /** What is being carried out, and for whom; null: nothing. */
  get occupation(): string | null {
    return this.#works.description
  }

  /** The serial that instances started now belong to: that of an apply under way, when it makes one. */
  get revision(): number {
    return this.applied.serial + this.#revisionsToCome
  }

  plan(intent: Intent, desired: DesiredState | null): PlannedChange {
    const wanted = desired ?? this.#state.asDesired()
    return plan({
      desired: wanted,
      applied: this.applied,
      observed: this.#engine.observe(this.scope, wanted),
      intent,
      now: Date.now(),
    })
  }

  /** A plan that is shown to somebody, who may come back with its id. */
  preview(intent: Intent, desired: DesiredState | null): Plan {
    const { plan: shown } = this.plan(intent, desired)
    this.#previews.remember(shown)
    return shown
  }

  /** What an apply would take over; null: nothing. */
  get underWay(): string | null {
    const work = this.#works.ofOperator
    return work && this.#engine.isRolling(this.scope) ? `${work.what} by ${work.by}` : null
  }

  /**
   * Plans, and begins to carry the plan out; that goes on whether or not the client that asked is still there.
   *
   * @throws EcoError LOCKED, PLAN_STALE or GUARD; then nothing was changed
   */
  async begin(request: ApplyRequest): Promise<BegunApply> {
    if (!goesBeside(verbOf(request.intent))) {
      await this.#works.whenOwnOver()
      const same = this.#sameUnderWay(request)
      if (same !== null) return same
      await this.#engine.whenRegained(this.scope)
      const tookOver = await this.#takeOver(request)
      return this.#sameUnderWay(request) ?? this.#begin(request, { tookOver })
    }
    const discarded = await this.#cancel(request)
    // What it went beside may have removed apps that it was to stop.
    const { plan: begun, finished } = this.#begin({ ...request, intent: this.#ofApplied(request.intent) })
    return { plan: begun, finished: finished.then((result) => ({ ...result, discarded })) }
  }

  /** Two people, or two runs of a pipeline, apply the same: that is one apply, and both are told how it went. */
  #sameUnderWay({ intent, desired, expectedPlan, onPlan }: ApplyRequest): BegunApply | null {
    if (this.#underWay === null || intent.kind !== 'apply' || desired === null) return null
    const { plan: planned, next, intent: theirs } = this.#underWay
    if (JSON.stringify(intent) !== JSON.stringify(theirs) || desired.source.file !== planned.source.file) return null
    if (expectedPlan !== null && expectedPlan !== planned.id) return null
    // One that pauses or goes back is there to be taken over.
    const rollouts = planned.steps.map(({ app }) => this.#engine.rollout(this.scope, app))
    if (rollouts.some((run) => run !== null && run.status.state !== 'progressing')) return null
    const observed = this.#engine.observe(this.scope, desired)
    const after = plan({ desired, applied: { ...this.applied, apps: next }, observed, intent, now: Date.now() })
    if (after.plan.changes.length > 0) return null
    onPlan?.(planned)
    return this.#underWay
  }

  /** Begins, and waits for the end. */
  async apply(request: ApplyRequest): Promise<ApplyResult> {
    const { finished } = await this.begin(request)
    return finished
  }

  /** Starts or restarts apps without an operator; requests wait until it is done. */
  async renew(verb: Verb, apps: readonly VerbTarget[]): Promise<void> {
    const intent: Intent = { kind: 'verb', verb, apps, instances: null, by: DAEMON, allowEmpty: true }
    await this.#begin({ intent, desired: null, expectedPlan: null, by: DAEMON }, { isOwn: true }).finished
  }

  /** Starts what is applied and not running, and makes up for what an earlier daemon was in the middle of. */
  async heal(): Promise<void> {
    await this.#restoration.heal()
  }

  /** Resolves once what the daemon's start has begun is over. */
  whenHealed(): Promise<unknown> {
    return this.#restoration.healed
  }

  /**
   * Ends the holds of these apps, whose time is over, and makes the apps what was applied; requests wait until it is done.
   *
   * @throws EcoError STATE_UNWRITABLE
   */
  async endHolds(apps: readonly string[]): Promise<void> {
    await this.#restoration.endHolds(apps)
  }

  /** Cancels whatever is being brought up. @returns once no plan is being carried out */
  async cancelAll(reason: string): Promise<void> {
    this.#underWay = null
    this.#works.cancelAll(reason)
    await this.whenIdle()
  }

  /** Resolves once no plan is being carried out. */
  async whenIdle(): Promise<void> {
    await this.#works.whenIdle()
  }

  /**
   * Takes apps out of the plans under way. Those in their first apply are stopped: no plan knows them.
   *
   * @returns these, by name
   */
  async #cancel({ cancels = [], by, intent }: ApplyRequest): Promise<readonly string[]> {
    const unknown = cancels.filter((app) => !Object.hasOwn(this.applied.apps, app))
    const reason = `cancelled by eco ${verbOf(intent)} (${by})`
    this.#underWay = null
    await this.#works.cancel(cancels, reason, ({ what }) => {
      this.#parts.tell(
        'steps_cancelled',
        `${cancels.join(', ')}: what the ${what} under way still does to it is ${reason}`,
      )
    })
    const unapplied = unknown.filter((app) => !Object.hasOwn(this.applied.apps, app))
    await Promise.all(unapplied.map((app) => this.#engine.discard(this.scope, app)))
    return unapplied
  }

  /** A verb is about apps that are applied. */
  #ofApplied(intent: Intent): Intent {
    if (intent.kind === 'apply') return intent
    return { ...intent, apps: intent.apps.filter(({ app }) => Object.hasOwn(this.applied.apps, app)) }
  }

  /**
   * A newer apply ends the rollouts under way where they are, and goes on from there. Whatever refuses it does so before
   * they are touched.
   *
   * @returns whether there were some
   */
  async #takeOver({ intent, desired, expectedPlan, by }: ApplyRequest): Promise<boolean> {
    if (intent.kind !== 'apply' || this.#works.isIdle || !this.#engine.isRolling(this.scope)) return false
    // It would end what goes on with the others half-way, and leave them so.
    const { only } = intent
    const others = only === null ? [] : this.#works.active.filter((app) => !only.includes(app))
    const work = this.#works.ofOperator
    if (others.length > 0 && work) throw lockedError(this.scope, work, true, others)
    const change = this.plan(intent, desired)
    if (expectedPlan !== null && !this.#previews.isAsShown(expectedPlan, change.plan))
      throw staleError(expectedPlan, change)
    refuseGuards(change)
    const reason = `taken over by a newer apply (${by})`
    this.#parts.tell('rollout_taken_over', `the rollouts under way are ${reason}`, { by })
    const turn = ++this.#newestTakeOver
    await this.cancelAll(reason)
    if (turn !== this.#newestTakeOver) {
      throw new EcoError('LOCKED', `${scopeName(this.scope)}: a newer apply came before this one could begin.`, {
        hint: '"eco ls" shows how far it is; "eco diff" tells what this one would still change',
      })
    }
    return true
  }

  #begin(
    request: ApplyRequest,
    { isOwn = false, tookOver = false }: { readonly isOwn?: boolean; readonly tookOver?: boolean } = {},
  ): BegunApply {
    this.refuseBusy(verbOf(request.intent))
    const { intent, desired, expectedPlan, by } = request
    const change = this.plan(intent, desired)
    request.onPlan?.(change.plan)
    const isAsShown = tookOver
      ? expectedPlan === null || this.#previews.isAsShown(expectedPlan, change.plan)
      : expectedPlan === null || change.plan.id === expectedPlan
    if (expectedPlan !== null && !isAsShown) throw staleError(expectedPlan, change)
    refuseGuards(change)
    this.#engine.prepare(this.scope, change)
    const { holds } = this.applied
    const what = workName(change.plan)
    if (!isOwn) this.#state.note(change, { what, by, makesRevision: this.#state.isNew(change) })
    try {
      // Holds come first: an instance stopped by hand must not come back when the daemon dies half-way.
      this.#state.saveHolds(change)
      this.#state.liftDown(change.plan)
    } catch (error) {
      for (const { app } of change.plan.steps) this.#engine.releaseUnused(this.scope, app)
      this.#state.unnote(change)
      throw error
    }
    const finished = this.#works.carryOut({ by, what, isOwn }, (work) => this.#carryOut(change, request, work, holds))
    const begun = { plan: change.plan, finished, next: change.next, intent }
    if (intent.kind === 'apply') {
      this.#underWay = begun
      const over = (): void => {
        if (this.#underWay === begun) this.#underWay = null
      }
      finished.then(over, over)
    }
    return begun
  }

  async #carryOut(
    change: PlannedChange,
    { desired, by }: ApplyRequest,
    { cancellation, overruled, isOwn }: Omit<Work, 'over'>,
    holdsBefore: AppliedState['holds'],
  ): Promise<ApplyResult> {
    const { plan: done } = change
    const what = workName(done)
    const told = { plan: done.id, by }
    const count = done.steps.length
    this.#parts.tell('apply_started', `${what} by ${by}: ${count} step${count === 1 ? '' : 's'} (${done.id})`, told)
    const revisions = this.#state.isNew(change) ? 1 : 0
    this.#revisionsToCome += revisions
    const emit = (event: StepEvent): void => this.#events.emit(this.scope, event)
    const results = await execute(change, this.applied, this.#engine, emit, cancellation)
    this.#revisionsToCome -= revisions
    for (const { step, outcome } of results) {
      if (outcome.status === 'skipped') this.#engine.releaseUnused(this.scope, step.app)
    }
    const unheld = this.#state.bringBackHolds(change, results, holdsBefore, overruled)
    if (unheld !== null) this.#parts.tell('problem', unheld)
    const problem = this.#state.record(change, results, by, overruled)
    leaveWaiting(this, this.#engine, results)
    this.onCarriedOut(done, isOwn)
    const worst = exitCodeOf(results)
    const apps = done.only ?? Object.keys(change.next)
    // Who starts an app that pauses between two crashes wants to know whether it comes up.
    const late =
      (desired !== null || done.verb === 'start') && worst === EXIT.ok
        ? [...takenAway(overruled, change), ...(await this.#engine.whenSettled(this.scope, apps))]
        : []
    const exit_code = problem !== null ? EXIT.needsPerson : late.length > 0 ? EXIT.notReady : worst
    const { serial } = this.applied
    const outcome = exit_code === EXIT.ok ? 'done' : `ended with exit code ${exit_code}`
    this.#parts.tell('apply_ended', `${what} ${outcome}, serial ${serial}${problem === null ? '' : `: ${problem}`}`, {
      ...told,
      exit_code,
      serial,
    })
    return { plan: done, results, not_ready: late, discarded: [], problem, exit_code, serial }
  }
}

/** An operator who stops an app at 3 a.m. does not wait until an apply has given up on it. */
function goesBeside(verb: Verb | null): boolean {
  return verb === 'stop' || verb === 'delete'
}

/** What is left of these apps is for whoever took them away to say: they are not as the apply was to make them. */
function takenAway(overruled: Work['overruled'], { plan: { steps }, next }: PlannedChange): readonly NotReady[] {
  return [...new Set(steps.map(({ app }) => app))].flatMap((app) => {
    const reason = overruled.get(app)
    return reason === undefined || !Object.hasOwn(next, app)
      ? []
      : [{ app, instance: app, reason: `is not as this apply was to make it: ${reason}`, log: [] }]
  })
}

/** What an operator asked for, for those who wait for it and for the events. */
function workName({ verb, rollbackTo }: Plan): string {
  return verb ?? (rollbackTo === undefined ? 'apply' : `rollback to ${rollbackTo}`)
}

function verbOf(intent: Intent): Verb | null {
  return intent.kind === 'verb' ? intent.verb : null
}
