import { unreachable } from '../../errors.ts'
import { isOneOf } from '../../model/exit.ts'
import type { AppliedApp } from '../../model/applied.ts'
import { instanceName, type ScopeId } from '../../model/ids.ts'
import type { ObservedApp, ObservedState } from '../../model/observed.ts'
import type { RunHistory } from '../../model/runs.ts'
import type { PlannedChange, Step } from '../../model/plan.ts'
import type { AppSpec, DesiredState } from '../../model/spec.ts'
import type { AppGroup } from '../../supervisor/app-group.ts'
import type { InstanceRunner } from '../../supervisor/instance-runner.ts'
import type { RunnerHost } from '../../supervisor/runner-host.ts'
import { closeUnusedPorts } from '../../supervisor/learnt-ports.ts'
import type { NotifySockets } from '../../supervisor/notify-socket.ts'
import type { SocketRegister } from '../../supervisor/sockets.ts'
import type { Engine, NotReady, StepOrder, StepOutcome } from '../engine.ts'
import { whenReady } from './await.ts'
import { Dependencies } from './dependencies.ts'
import { foreignPorts } from './foreign-ports.ts'
import { GroupRegister, ownerName } from './group-register.ts'
import { logTail } from './log-tail.ts'
import type { Progress } from './prove.ts'
import { replaceAll, replaceInPlace, retire, startSlots, stopSlots } from './replace.ts'
import type { RolloutRun } from './rollout-run.ts'
import { Rollouts } from './rollouts.ts'
import type { RunHistories } from './run-journal.ts'
import { Runs } from './runs.ts'
import { stopInOrder } from './stop-in-order.ts'
import { Successions } from './successions.ts'
import { SocketsOfPlan } from './sockets-of-plan.ts'

const DONE: StepOutcome = { status: 'done' }
const CANCELLED: StepOutcome = { status: 'skipped', reason: '' }

export interface EngineListeners {
  /** The instance is ready in another process than before. */
  succeeded(runner: InstanceRunner): void
  /** What kept the app from starting is over. */
  unblocked(scope: ScopeId, app: string): void
}

/** The supervisor of this machine behind the Engine interface. */
export class LocalEngine implements Engine {
  readonly #notify: NotifySockets
  readonly #sockets: SocketRegister
  readonly #groups: GroupRegister
  readonly #socketsOfPlan: SocketsOfPlan
  readonly #runs: Runs
  readonly #dependencies: Dependencies
  readonly #successions = new Successions()
  readonly #rollouts = new Rollouts()
  #listeners: EngineListeners = { succeeded: () => {}, unblocked: () => {} }

  constructor(host: RunnerHost, sockets: SocketRegister, histories: RunHistories) {
    this.#notify = host.notify
    this.#sockets = sockets
    this.#groups = new GroupRegister({
      ...host,
      changed: (runner) => {
        host.changed(runner)
        const { scope, app } = runner.id
        this.#dependencies.changed(scope)
        const group = this.#groups.of(scope).get(app)
        if (group && isLeft(group)) this.#socketsOfPlan.release(group.owner)
        else if (group && runner.instance.wanted === 'down') this.#socketsOfPlan.closeAbandoned(group)
        if (group) closeUnusedPorts(group, sockets)
        if (group && this.#successions.isSuccession(group, runner)) this.#listeners.succeeded(runner)
      },
    })
    this.#dependencies = new Dependencies((scope) => this.#groups.of(scope))
    this.#socketsOfPlan = new SocketsOfPlan(sockets, this.#groups)
    this.#runs = new Runs(host, histories, {
      blocking: ({ scope }, spec) => this.#dependencies.blocking(scope, spec),
      met: ({ scope, app }, spec) =>
        this.#dependencies.met(scope, app, spec, new AbortController().signal, (why) =>
          host.record(scope, app, instanceName(app, 0), why),
        ),
    })
  }

  listen(listeners: EngineListeners): void {
    this.#listeners = listeners
  }

  groups(scope: ScopeId): ReadonlyMap<string, AppGroup> {
    return this.#groups.of(scope)
  }

  allGroups(): Iterable<AppGroup> {
    return this.#groups.all()
  }

  /** The group of an app, made now if it has none: for adoption. */
  group(scope: ScopeId, app: string): AppGroup {
    return this.#groups.group(scope, app)
  }

  /** The rollout of an app that is under way. */
  rollout(scope: ScopeId, app: string): RolloutRun | null {
    return this.#rollouts.of(scope, app)
  }

  /** Whether a rollout is under way in the scope. */
  isRolling(scope: ScopeId): boolean {
    return this.#rollouts.isAnyIn(scope)
  }

  /** What an app that is to come up waits for; null: it does not wait. */
  waiting(scope: ScopeId, app: string): { readonly spec: AppSpec; readonly reason: string } | null {
    const waiter = this.#dependencies.waiter(scope, app)
    return waiter && { spec: waiter.spec, reason: this.#dependencies.reason(scope, app) ?? '' }
  }

  /** Nothing of the app runs because of its dependencies: it is told to the listener once they are there. */
  waitOn(scope: ScopeId, app: string, spec: AppSpec): void {
    const group = this.#groups.of(scope).get(app)
    if (spec.kind !== 'service' || Object.keys(spec.dependsOn).length === 0 || (group?.runners.length ?? 0) > 0) return
    const start = (): void => this.#listeners.unblocked(scope, app)
    this.#dependencies.queue(scope, app, { spec, behind: [], start })
    this.#dependencies.changed(scope)
  }

  areDependenciesMet(scope: ScopeId, spec: AppSpec): boolean {
    return this.#dependencies.areMet(scope, spec)
  }

  nextRun(scope: ScopeId, app: string): number | null {
    return this.#runs.nextRun(ownerName(scope, app))
  }

  /** The runs of a job or cron app that are remembered. */
  history(scope: ScopeId, app: string): RunHistory {
    return this.#runs.history(this.group(scope, app))
  }

  /** Arms the schedule of a cron app again, in a new daemon: what was due since one looked last was missed. */
  async resumeSchedule(scope: ScopeId, app: string, applied: AppliedApp): Promise<void> {
    await this.#runs.schedule(this.group(scope, app), applied, 'stored')
  }

  /** Whether the instance in a slot was given up. */
  isFailed(scope: ScopeId, app: string, slot: number): boolean {
    return this.#groups.of(scope).get(app)?.inSlot(slot)?.instance.phase.name === 'failed'
  }

  /** Resolves once it is known which sockets of adopted instances there are: plans depend on it. */
  async whenRegained(scope: ScopeId): Promise<void> {
    await Promise.all([...this.#groups.of(scope).values()].map((group) => group.regaining ?? Promise.resolve()))
  }

  /** A run that an earlier daemon started goes on under this one. */
  adoptRun(runner: InstanceRunner): void {
    this.#runs.adopted(this.group(runner.id.scope, runner.id.app), runner)
  }

  /**
   * A replacement that was cut short left two instances in a slot. The one of the applied version stays if it serves; else
   * the other one, if that serves: its successor is started anew, and proves itself. Of two of the applied version (a
   * reload) the older one stays.
   */
  async dropUnapplied(scope: ScopeId, apps: Readonly<Record<string, AppliedApp>>): Promise<void> {
    const surplus = [...this.#groups.of(scope).values()].flatMap((group) => {
      const version = Object.hasOwn(apps, group.app) ? apps[group.app]?.version : undefined
      const up = group.runners.filter(({ instance }) => instance.wanted === 'up')
      const dropped = group.runners.filter((runner) => {
        const right = up.filter((it) => it.id.slot === runner.id.slot && it.version === version)
        const serving = right.find(isServing)
        const otherServes = up.some((it) => it.id.slot === runner.id.slot && it.version !== version && isServing(it))
        if (runner.version !== version) return serving !== undefined || (right.length > 0 && !otherServes)
        return up.includes(runner) && runner !== (serving ?? (otherServes ? undefined : right.at(-1)))
      })
      return dropped.map((runner) => retire(group, runner))
    })
    await Promise.all(surplus)
  }

  /**
   * Stops every instance and every schedule, dependents before what they depend on; a pause before a restart ends too.
   *
   * @returns how many processes ran
   */
  async stopAll(): Promise<number> {
    const groups = [...this.allGroups()]
    for (const group of groups) this.#runs.unschedule(group)
    const running = groups.flatMap(({ runners }) => runners.filter((runner) => runner.process !== null)).length
    await stopInOrder(groups)
    return running
  }

  /** Stops what runs in one scope, in the same order. */
  async stopScope(scope: ScopeId): Promise<void> {
    await stopInOrder([...this.#groups.of(scope).values()])
  }

  observe(scope: ScopeId, desired: DesiredState | null): ObservedState {
    const apps: Record<string, ObservedApp> = {}
    for (const [app, group] of this.#groups.of(scope)) apps[app] = group.observe()
    return {
      apps,
      foreignPorts: desired ? foreignPorts(this.#groups.of(scope), this.#groups.all(), this.#sockets, desired) : [],
    }
  }

  /**
   * Waits for the instances of these apps that are wanted and not ready: outside any step, or since theirs was over.
   *
   * @returns those that do not get ready, or are not any more
   */
  async whenSettled(scope: ScopeId, apps: readonly string[]): Promise<readonly NotReady[]> {
    const groups = apps.flatMap((app) => this.#groups.of(scope).get(app) ?? [])
    const open = groups.flatMap(({ runners }) => runners.filter(isMissed))
    const failures = open.map(async (runner) => {
      // Whoever applies has mended something, and does not wait for the end of a long pause.
      if (runner.instance.phase.name === 'backoff') runner.start()
      const verdict = await whenReady(runner)
      return verdict && notReady(runner, verdict.reason)
    })
    const failed = (await Promise.all(failures)).filter((failure) => failure !== null)
    if (open.length === 0 || failed.length > 0) return failed
    // While one was waited for, another may have ended: it is said as it is now.
    const now = groups.flatMap(({ runners }) => runners.filter(isMissed))
    return now.map((runner) => notReady(runner, runner.observe().reason ?? 'is not ready any more'))
  }

  prepare(scope: ScopeId, change: PlannedChange): void {
    for (const step of change.plan.steps) {
      const after = change.next[step.app]
      if (after?.spec.ready.check.type === 'notify' && bringsUp(step)) this.#notify.require(step.app)
    }
    this.#socketsOfPlan.acquire(scope, change)
  }

  queue({ scope, step, after }: StepOrder, behind: readonly Step[]): () => void {
    if (after === null || !bringsUp(step)) return () => {}
    const group = this.group(scope, step.app)
    const titles = behind.map(({ action, app }) => `${action} ${app}`)
    const leave = this.#dependencies.queue(scope, step.app, { spec: after.spec, behind: titles })
    return () => {
      leave()
      if (group.runners.length === 0) this.#groups.forget(group)
    }
  }

  async perform(order: StepOrder, progress: Progress, signal: AbortSignal): Promise<StepOutcome> {
    const { scope, step, before, after } = order
    const group = this.group(scope, step.app)
    // What it is about to close must not come back afterwards.
    await group.regaining
    if (after && bringsUp(step)) {
      const blocked = await this.#dependencies.met(scope, step.app, after.spec, signal, progress)
      // Nothing was touched yet: where there is an old version, it serves.
      const status = step.action === 'roll' || step.action === 'restart' ? 'rolled-back' : 'failed'
      if (blocked !== null) return { status, reason: blocked, log: [] }
    }
    const outcome = signal.aborted ? CANCELLED : await this.#cancellable(order, group, progress, signal)
    if (after && outcome.status === 'done') this.#update(group, after)
    if (outcome.status === 'skipped' && before === null) {
      await this.#remove(group)
      return { status: 'skipped', reason: String(signal.reason) }
    }
    const inForce = outcome.status === 'done' || outcome.status === 'kept' ? after : before
    // A failed start goes on trying, and its other instances serve: what they use stays bound.
    // But a port where nobody will accept must refuse: left open, it lets clients wait for ever.
    const kept = step.to === 0 ? [] : (inForce?.spec.listen ?? [])
    if (step.action !== 'remove') this.#socketsOfPlan.keep(group.owner, kept)
    return outcome.status === 'skipped' ? { status: 'skipped', reason: String(signal.reason) } : outcome
  }

  /** Once the signal comes, what is not ready yet is stopped, which ends the wait for it. */
  async #cancellable(order: StepOrder, group: AppGroup, progress: Progress, signal: AbortSignal): Promise<StepOutcome> {
    const stop = (): void => {
      const { action } = order.step
      if (action === 'roll') return // it knows itself what to take back
      // A run is waited for until it ends, and never ready before.
      for (const runner of group.runners) if (action === 'run' || !runner.observe().ready) runner.stop()
    }
    signal.addEventListener('abort', stop)
    const outcome = await this.#act(order, group, progress, signal)
    signal.removeEventListener('abort', stop)
    return signal.aborted && outcome.status !== 'done' ? CANCELLED : outcome
  }

  async #act(order: StepOrder, group: AppGroup, progress: Progress, signal: AbortSignal): Promise<StepOutcome> {
    const { scope, step, before, after } = order
    switch (step.action) {
      case 'start':
        return failedOr(await startSlots(group, applied(after), step.slots, progress))
      case 'scale':
        await stopSlots(group, surplus(step))
        return failedOr(await startSlots(group, applied(after), kept(step), progress))
      case 'update':
      case 'schedule':
        if (after?.spec.kind === 'cron') await this.#runs.schedule(group, after, 'now')
        return DONE
      case 'run':
        return this.#run(step, group, applied(after))
      case 'stop':
        this.#dependencies.forget(scope, step.app)
        this.#runs.unschedule(group) // of a cron app: no runs while it is held
        // Who connects while the last ones drain is refused at once, instead of waiting for nobody.
        if (step.to === 0) this.#socketsOfPlan.release(group.owner)
        await stopSlots(group, step.slots)
        return DONE
      case 'remove':
        await this.#remove(group)
        return DONE
      case 'roll':
      case 'restart':
        return this.#replace(order, group, before ?? applied(after), applied(after), progress, signal)
      default:
        return unreachable(step.action)
    }
  }

  async #replace(
    { step }: StepOrder,
    group: AppGroup,
    before: AppliedApp,
    after: AppliedApp,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<StepOutcome> {
    if (before.spec.kind !== after.spec.kind) return this.#changeKind(group, after, progress)
    if (group.socketsLost) return replaceAll(group, before, after, step.to, progress, signal)
    if (step.action === 'roll') {
      const goesOn = before.version !== after.version || step.trigger === 'drift'
      return this.#rollouts.run({ group, before, after, wanted: step.to, slots: kept(step), goesOn, progress, signal })
    }
    const live = new Set(group.runners.map((runner) => runner.id.slot))
    const replaced = kept(step).filter((slot) => live.has(slot))
    const outcome = await replaceInPlace(group, before, after, replaced, progress, signal)
    if (outcome.status !== 'done') return outcome
    const fresh = kept(step).filter((slot) => !live.has(slot))
    const failure = await startSlots(group, after, fresh, progress)
    if (failure) return { status: 'failed', ...failure }
    await stopSlots(group, surplus(step))
    return DONE
  }

  async #changeKind(group: AppGroup, after: AppliedApp, progress: Progress): Promise<StepOutcome> {
    this.#runs.unschedule(group)
    await Promise.all(group.runners.map((runner) => retire(group, runner)))
    if (after.spec.kind === 'job') return failedOr(await this.#runs.run(group, after, 'apply'))
    if (after.spec.kind === 'cron') {
      await this.#runs.schedule(group, after, 'now')
      return DONE
    }
    const slots = Array.from({ length: after.spec.instances }, (_, slot) => slot)
    return failedOr(await startSlots(group, after, slots, progress))
  }

  async #run(step: Step, group: AppGroup, after: AppliedApp): Promise<StepOutcome> {
    if (after.spec.kind === 'job') {
      return failedOr(await this.#runs.run(group, after, step.trigger === 'verb' ? 'operator' : 'apply'))
    }
    await this.#runs.schedule(group, after, 'now')
    await this.#runs.runNow(group, after)
    return DONE
  }

  /** Ends whatever there is of an app that was never applied. */
  async discard(scope: ScopeId, app: string): Promise<void> {
    const group = this.#groups.of(scope).get(app)
    if (group) await this.#remove(group)
  }

  async #remove(group: AppGroup): Promise<void> {
    this.#dependencies.forget(group.scope, group.app)
    this.#runs.unschedule(group)
    this.#socketsOfPlan.release(group.owner)
    await Promise.all(group.runners.map((runner) => retire(group, runner)))
    this.#runs.forget(group)
    this.#groups.forget(group)
  }

  /** Instances that were not replaced go on under the new version: what differs for them needs no new process. */
  #update(group: AppGroup, after: AppliedApp): void {
    for (const runner of group.runners) {
      if (runner.version !== after.version) runner.update(after.version, after.spec)
    }
  }

  /** Gives back what `prepare` took for an app whose step was never performed. */
  releaseUnused(scope: ScopeId, app: string): void {
    this.#socketsOfPlan.keep(ownerName(scope, app), [])
  }
}

/**
 * Nothing of the app runs, and nothing will until somebody starts it: a port left open would let clients wait for ever.
 * The next spawn binds it again.
 */
function isLeft({ runners }: AppGroup): boolean {
  return runners.every(({ instance: { phase } }) => phase.name === 'failed' || phase.name === 'exited')
}

/** Steps that start processes wait for the dependencies of their app. */
function bringsUp({ action }: Step): boolean {
  return action !== 'update' && action !== 'stop' && action !== 'remove' && action !== 'schedule'
}

/** Of a service that is wanted and not ready. What has ended with success, and is left so, has done what it is for. */
function isMissed({ spec, instance: { wanted, phase, lastExit } }: InstanceRunner): boolean {
  if (spec.kind !== 'service' || wanted !== 'up') return false
  if (phase.name === 'stopped') return false
  if (phase.name === 'exited') return !isOneOf(lastExit, spec.restart.successExitCodes)
  return phase.name !== 'running' || phase.unready !== null
}

function notReady(runner: InstanceRunner, reason: string): NotReady {
  return { app: runner.id.app, instance: runner.name, reason, log: logTail(runner) }
}

function applied(app: AppliedApp | null): AppliedApp {
  if (app === null) throw new Error('Internal error: a step that starts an app has no spec')
  return app
}

/** Of the slots a step names, those that the app has afterwards. */
function kept(step: Step): number[] {
  return step.slots.filter((slot) => slot < step.to)
}

/** Of the slots a step names, those that go. */
function surplus(step: Step): number[] {
  return step.slots.filter((slot) => slot >= step.to)
}

function failedOr(failure: { readonly reason: string; readonly log: readonly string[] } | null): StepOutcome {
  return failure === null ? DONE : { status: 'failed', ...failure }
}

function isServing(runner: InstanceRunner): boolean {
  return runner.observe().ready
}
