import { exitCodeOf, isUndone, resultingApps, type StepResult } from '../executor/execute.ts'
import { type AppliedApp, type AppliedState, type Hold, isOver, sameApps, SPEC_FORMAT } from '../model/applied.ts'
import type { ScopeId } from '../model/ids.ts'
import type { Plan, PlannedChange } from '../model/plan.ts'
import type { DesiredState } from '../model/spec.ts'
import type { PendingWork } from '../state/pending-store.ts'
import type { RevisionStore } from '../state/revision-store.ts'
import { cutOff, holdsWithout, PendingWorks } from './pending-works.ts'
import { isoTime } from './protocol.ts'
import type { Work } from './works.ts'

/** What is applied to a scope and what is held in it, in force and on disk. */
export class ScopeState {
  readonly scope: ScopeId
  readonly #store: RevisionStore
  readonly #pending: PendingWorks
  /** What an earlier daemon had begun and not ended. */
  #cutOff: readonly PendingWork[]
  #applied: AppliedState
  #isDown: boolean
  /** The latest revision is in force, and not on disk: the next apply writes it. */
  #isUnsaved = false

  /** @throws EcoError STATE_DAMAGED */
  constructor(scope: ScopeId, store: RevisionStore) {
    this.scope = scope
    this.#store = store
    this.#applied = store.load()
    this.#isDown = store.isDown()
    this.#pending = new PendingWorks(store.pending)
    const left = store.pending.load()
    this.#cutOff = left.length === 0 ? [] : cutOff(left, writtenPlans(store))
    if (left.length > this.#cutOff.length && this.#cutOff.length === 0) this.settleCutOff()
  }

  /**
   * Takes back what changes that were cut off had done to holds; what runs is for whoever heals.
   *
   * @returns these, once
   * @throws EcoError STATE_UNWRITABLE
   */
  takeBackCutOff(): readonly PendingWork[] {
    const works = this.#cutOff
    const undone = works.filter(({ makesRevision }) => makesRevision)
    const holds = holdsWithout(undone, this.#applied)
    if (holds !== this.#applied.holds) {
      this.#store.saveHolds(holds)
      this.#applied = { ...this.#applied, holds }
    }
    if (undone.some(({ wasDown }) => wasDown)) this.setDown(true)
    this.#cutOff = []
    return works
  }

  /** What was cut off has been seen to. */
  settleCutOff(): void {
    this.#pending.settled()
  }

  /** Notes what is about to be carried out; `record` ends it. */
  note({ plan }: PlannedChange, { what, by, makesRevision }: Pick<PendingWork, 'what' | 'by' | 'makesRevision'>): void {
    if (plan.steps.length === 0) return
    const { serial, holds } = this.#applied
    const endedHolds = Object.fromEntries(plan.endsHolds.flatMap((app) => (holds[app] ? [[app, holds[app]]] : [])))
    const work = { plan: plan.id, what, by, at: Date.now(), serial, makesRevision, endedHolds, wasDown: this.#isDown }
    this.#pending.begin(work)
  }

  /** What was noted does not come to pass. */
  unnote({ plan }: PlannedChange): void {
    this.#pending.end(plan.id)
  }

  get applied(): AppliedState {
    return this.#applied
  }

  /** Stopped as a whole until it is started again by name, by an apply, or by `eco daemon start`. */
  get isDown(): boolean {
    return this.#isDown
  }

  /** Applied, and not stopped by anybody. @param slot left out: any of its slots */
  isWanted(app: string, slot = 0): boolean {
    const { apps, holds } = this.#applied
    if (this.#isDown || !Object.hasOwn(apps, app)) return false
    if (Object.hasOwn(holds, app)) return slot < (holds[app]?.instances ?? 0)
    return slot === 0 || slot < (apps[app]?.spec.instances ?? 0)
  }

  setDown(isDown: boolean): void {
    if (this.#isDown === isDown || this.#applied.serial === 0) return
    this.#store.saveDown(isDown)
    this.#isDown = isDown
  }

  /** The machine goes down: not written, since the apps come back with it. */
  downUntilBoot(): void {
    this.#isDown = true
  }

  /** Applied apps with a hold whose time is over. */
  heldTooLong(): string[] {
    const { apps, holds } = this.#applied
    const now = Date.now()
    return Object.keys(holds).filter((app) => Object.hasOwn(apps, app) && holds[app] && isOver(holds[app], now))
  }

  /** What is applied, as a file would say it. */
  asDesired(): DesiredState {
    const { source, apps } = this.#applied
    return {
      scope: this.scope,
      source: source ?? { file: '', git: null },
      apps: Object.fromEntries(Object.entries(apps).map(([app, { spec }]) => [app, spec])),
    }
  }

  /** @throws EcoError STATE_UNWRITABLE */
  saveHolds(change: PlannedChange): void {
    if (JSON.stringify(change.nextHolds) === JSON.stringify(this.#applied.holds)) return
    this.#store.saveHolds(change.nextHolds)
    this.#applied = { ...this.#applied, holds: change.nextHolds }
  }

  /** An app that could not change is held as it was. @returns what the next daemon would not know; null: nothing */
  bringBackHolds(
    { plan: { endsHolds } }: PlannedChange,
    results: readonly StepResult[],
    before: AppliedState['holds'],
    overruled: Work['overruled'],
  ): string | null {
    const undone = results.filter(isUndone).map(({ step }) => step.app)
    const held = endsHolds.filter((app) => undone.includes(app) && !overruled.has(app) && Object.hasOwn(before, app))
    if (held.length === 0) return null
    const holds = {
      ...this.#applied.holds,
      ...Object.fromEntries(held.flatMap((app) => (before[app] ? [[app, before[app]]] : []))),
    }
    this.#applied = { ...this.#applied, holds }
    try {
      this.#store.saveHolds(holds)
      return null
    } catch (error) {
      return (error as Error).message
    }
  }

  /** Whoever starts some apps of a scope that is down as a whole leaves the others stopped, one by one. */
  liftDown({ only, verb }: Plan): void {
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

  /** @returns why the new revision is not on disk; it is in force all the same */
  record(
    change: PlannedChange,
    results: readonly StepResult[],
    by: string,
    overruled: Work['overruled'],
  ): string | null {
    const problem = this.#record(change, results, by, overruled)
    this.#pending.end(change.plan.id)
    return problem
  }

  #record(
    change: PlannedChange,
    results: readonly StepResult[],
    by: string,
    overruled: Work['overruled'],
  ): string | null {
    const apps: Record<string, AppliedApp> = resultingApps(change, this.#applied, results)
    for (const app of overruled.keys()) {
      if (!Object.hasOwn(change.next, app)) continue // this plan removes it, which nothing cancels
      const now = Object.hasOwn(this.#applied.apps, app) ? this.#applied.apps[app] : undefined
      if (now) apps[app] = now
      else delete apps[app]
    }
    const { source, rollbackTo } = change.plan
    if (!this.isNew(change)) return null
    // Nothing of it has come true: what is applied, and where that came from, is as it was.
    const isAsBefore = change.plan.changes.length > 0 && sameApps(this.#applied.apps, apps)
    if (isAsBefore && !this.#isUnsaved) return null
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
        ...(rollbackTo === undefined ? {} : { rollback_to: rollbackTo }),
        apps,
      })
      this.#isUnsaved = false
      return null
    } catch (error) {
      this.#isUnsaved = true
      return `Revision ${serial} could not be written (${(error as Error).message}): the next daemon would not know it. Free space, then apply again.`
    }
  }

  /** A verb that only holds or heals leaves no revision: what is applied is the same. */
  isNew({ plan: { changes, source } }: PlannedChange): boolean {
    return changes.length > 0 || (this.#applied.source?.file ?? '') !== source.file || this.#isUnsaved
  }
}

function writtenPlans(store: RevisionStore): { readonly serial: number; readonly plan: string }[] {
  // One that cannot be read costs no more than that its work counts as cut off.
  return store.serials().flatMap((serial) => {
    const result = store.read(serial)
    return result.type === 'value' ? [{ serial, plan: result.value.plan }] : []
  })
}
