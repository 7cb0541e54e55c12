import { unreachable } from '../../errors.ts'
import type { AppliedApp } from '../../model/applied.ts'
import { type ScopeId, scopeName } from '../../model/ids.ts'
import type { ObservedApp, ObservedState, PortHolder } from '../../model/observed.ts'
import { portsOf } from '../../model/ports.ts'
import type { PlannedChange, Step } from '../../model/plan.ts'
import type { AppSpec, DesiredState, Listen } from '../../model/spec.ts'
import { AppGroup } from '../../supervisor/app-group.ts'
import type { InstanceRunner, RunnerHost } from '../../supervisor/instance-runner.ts'
import { inTree, listeningInodes, portHolder } from '../../supervisor/proc.ts'
import { listenKey, type SocketRegister } from '../../supervisor/sockets.ts'
import type { Engine, NotReady, StepOrder, StepOutcome } from '../engine.ts'
import { whenCompleted, whenReady, whenStopped } from './await.ts'
import { awaitDependencies } from './dependencies.ts'
import { logTail } from './log-tail.ts'
import { type Progress, replaceAll, replaceSlots, retire, startSlots, stopSlots } from './replace.ts'
import { Scheduler } from './scheduler.ts'

const DONE: StepOutcome = { status: 'done' }

/** The supervisor of this machine behind the Engine interface. */
export class LocalEngine implements Engine {
  readonly #host: RunnerHost
  readonly #sockets: SocketRegister
  readonly #scopes = new Map<string, Map<string, AppGroup>>()
  readonly #scheduler = new Scheduler()

  constructor(host: RunnerHost, sockets: SocketRegister) {
    this.#host = host
    this.#sockets = sockets
  }

  groups(scope: ScopeId): ReadonlyMap<string, AppGroup> {
    return this.#groups(scope)
  }

  *allGroups(): Generator<AppGroup> {
    for (const groups of this.#scopes.values()) yield* groups.values()
  }

  /** The group of an app, made now if it has none: for adoption. */
  group(scope: ScopeId, app: string): AppGroup {
    const groups = this.#groups(scope)
    const known = groups.get(app)
    if (known) return known
    const group = new AppGroup(scope, app, this.#host)
    groups.set(app, group)
    return group
  }

  nextRun(scope: ScopeId, app: string): number | null {
    return this.#scheduler.nextRun(ownerName(scope, app))
  }

  /** Arms the schedule of a cron app; its instances are runs. */
  async schedule(scope: ScopeId, app: string, applied: AppliedApp): Promise<void> {
    const { schedule } = applied.spec
    if (schedule) await this.#scheduler.set(ownerName(scope, app), schedule, () => this.#fire(scope, app, applied))
  }

  /** A replacement that was cut short left two instances in a slot: the one of the applied version stays. */
  async dropUnapplied(scope: ScopeId, apps: Readonly<Record<string, AppliedApp>>): Promise<void> {
    const surplus = [...this.#groups(scope).values()].flatMap((group) => {
      const version = Object.hasOwn(apps, group.app) ? apps[group.app]?.version : undefined
      const kept = new Set(group.runners.filter((it) => it.version === version).map((it) => it.id.slot))
      const dropped = group.runners.filter((it) => it.version !== version && kept.has(it.id.slot))
      return dropped.map((runner) => retire(group, runner))
    })
    await Promise.all(surplus)
  }

  /** Stops every instance and every schedule; a pause before a restart ends too. @returns how many processes ran */
  async stopAll(): Promise<number> {
    const runners = [...this.allGroups()].flatMap((group) => {
      this.#scheduler.clear(group.owner)
      return group.runners
    })
    const running = runners.filter((runner) => runner.process !== null).length
    for (const runner of runners) runner.stop()
    await Promise.all(runners.map(whenStopped))
    return running
  }

  observe(scope: ScopeId, desired: DesiredState | null): ObservedState {
    const apps: Record<string, ObservedApp> = {}
    for (const [app, group] of this.#groups(scope)) apps[app] = group.observe()
    return { apps, foreignPorts: desired ? this.#foreignPorts(scope, desired) : [] }
  }

  /** Waits for the instances of these apps that are being started, or started again, outside any step. */
  async whenSettled(scope: ScopeId, apps: readonly string[]): Promise<readonly NotReady[]> {
    const groups = apps.flatMap((app) => this.#groups(scope).get(app) ?? [])
    const open = groups.flatMap(({ runners }) => runners.filter(isBeingStarted))
    const failures = open.map(async (runner) => {
      // Whoever applies has mended something, and does not wait for the end of a long pause.
      if (runner.instance.phase.name === 'backoff') runner.start()
      const verdict = await whenReady(runner)
      return verdict && { app: runner.id.app, instance: runner.name, reason: verdict.reason, log: logTail(runner) }
    })
    return (await Promise.all(failures)).filter((failure) => failure !== null)
  }

  prepare(scope: ScopeId, change: PlannedChange): void {
    const acquired: string[] = []
    const handedOver: { readonly listen: Listen; readonly from: string }[] = []
    try {
      for (const step of change.plan.steps) {
        const after = change.next[step.app]
        // What running instances hold can be bound only once they are gone.
        if (!after || step.action === 'stop' || this.#groups(scope).get(step.app)?.socketsLost) continue
        const owner = ownerName(scope, step.app)
        acquired.push(owner)
        for (const listen of after.spec.listen) {
          const from = this.#sockets.ownerOf(listen)
          if (from !== null && from !== owner && givesUp(scope, change, from, listen)) {
            this.#sockets.handOver(listen, owner)
            handedOver.push({ listen, from })
          }
          this.#sockets.acquire(listen, owner)
        }
      }
    } catch (error) {
      for (const { listen, from } of handedOver) this.#sockets.handOver(listen, from)
      for (const owner of acquired) this.#sockets.release(owner, this.#listensInUse(owner))
      throw error
    }
  }

  async perform(order: StepOrder, progress: Progress): Promise<StepOutcome> {
    const { scope, step, after } = order
    const group = this.group(scope, step.app)
    if (after && step.action !== 'update' && step.action !== 'stop' && step.action !== 'schedule') {
      const blocked = await awaitDependencies(after.spec, (app) => this.#groups(scope).get(app), progress)
      // Nothing was touched yet: where there is an old version, it serves.
      const status = step.action === 'roll' || step.action === 'restart' ? 'rolled-back' : 'failed'
      if (blocked !== null) return { status, reason: blocked, log: [] }
    }
    const outcome = await this.#act(order, group, progress)
    if (after && outcome.status === 'done') this.#update(group, after)
    const inForce = outcome.status === 'done' ? after : order.before
    // A failed start goes on trying, and its other instances serve: what they use stays bound.
    const inUse = this.#listensInUse(group.owner)
    if (step.action !== 'remove') this.#sockets.release(group.owner, [...(inForce?.spec.listen ?? []), ...inUse])
    return outcome
  }

  async #act(order: StepOrder, group: AppGroup, progress: Progress): Promise<StepOutcome> {
    const { scope, step, before, after } = order
    switch (step.action) {
      case 'start':
        return failedOr(await startSlots(group, applied(after), step.slots, progress))
      case 'scale':
        await stopSlots(group, surplus(step))
        return failedOr(await startSlots(group, applied(after), kept(step), progress))
      case 'update':
        if (after?.spec.kind === 'cron') await this.schedule(scope, step.app, after)
        return DONE
      case 'schedule':
        await this.schedule(scope, step.app, applied(after))
        return DONE
      case 'run':
        return this.#run(group, applied(after))
      case 'stop':
        this.#scheduler.clear(group.owner) // of a cron app: no runs while it is held
        await stopSlots(group, step.slots)
        return DONE
      case 'remove':
        await this.#remove(scope, group)
        return DONE
      case 'roll':
      case 'restart':
        return this.#replace(order, group, before ?? applied(after), applied(after), progress)
      default:
        return unreachable(step.action)
    }
  }

  async #replace(
    { scope, step }: StepOrder,
    group: AppGroup,
    before: AppliedApp,
    after: AppliedApp,
    progress: Progress,
  ): Promise<StepOutcome> {
    if (before.spec.kind !== after.spec.kind) return this.#changeKind(scope, group, after, progress)
    if (group.socketsLost) return replaceAll(group, before, after, step.to, progress)
    const live = new Set(group.runners.map((runner) => runner.id.slot))
    const how = step.action === 'roll' ? 'surge' : 'exclusive'
    const replaced = kept(step).filter((slot) => live.has(slot))
    const outcome = await replaceSlots(group, before, after, replaced, how, progress)
    if (outcome.status !== 'done') return outcome
    const fresh = kept(step).filter((slot) => !live.has(slot))
    const failure = await startSlots(group, after, fresh, progress)
    if (failure) return { status: 'failed', ...failure }
    await stopSlots(group, surplus(step))
    return DONE
  }

  async #changeKind(scope: ScopeId, group: AppGroup, after: AppliedApp, progress: Progress): Promise<StepOutcome> {
    this.#scheduler.clear(group.owner)
    await Promise.all(group.runners.map((runner) => retire(group, runner)))
    if (after.spec.kind === 'job') return this.#run(group, after)
    if (after.spec.kind === 'cron') {
      await this.schedule(scope, group.app, after)
      return DONE
    }
    const slots = Array.from({ length: after.spec.instances }, (_, slot) => slot)
    return failedOr(await startSlots(group, after, slots, progress))
  }

  async #run(group: AppGroup, after: AppliedApp): Promise<StepOutcome> {
    await Promise.all(group.runners.map((runner) => retire(group, runner)))
    const runner = group.add(0, after)
    runner.start()
    const verdict = await whenCompleted(runner)
    if (verdict === null) return DONE
    return { status: 'failed', reason: `${group.app} ${verdict.reason}`, log: logTail(runner) }
  }

  async #remove(scope: ScopeId, group: AppGroup): Promise<void> {
    this.#scheduler.clear(group.owner)
    await Promise.all(group.runners.map((runner) => retire(group, runner)))
    this.#sockets.release(group.owner)
    this.#groups(scope).delete(group.app)
  }

  /** Instances that were not replaced go on under the new version: what differs for them needs no new process. */
  #update(group: AppGroup, after: AppliedApp): void {
    for (const runner of group.runners) {
      if (runner.version !== after.version) runner.update(after.version, after.spec)
    }
  }

  #fire(scope: ScopeId, app: string, after: AppliedApp): void {
    const group = this.group(scope, app)
    const last = group.inSlot(0)
    const name = last?.instance.phase.name
    if (last && (name === 'starting' || name === 'running' || name === 'stopping')) {
      this.#host.record(scope, app, last.name, 'scheduled run skipped: the previous one is still running')
      return
    }
    if (last) group.drop(last)
    const runner = group.add(0, after)
    this.#host.record(scope, app, runner.name, 'scheduled run started')
    runner.start()
  }

  /** Ports the desired apps name that somebody outside eco listens on. */
  #foreignPorts(scope: ScopeId, desired: DesiredState): PortHolder[] {
    const holders: PortHolder[] = []
    for (const [app, spec] of Object.entries(desired.apps)) {
      const running = this.#groups(scope)
        .get(app)
        ?.runners.some((runner) => runner.process !== null)
      if (running) continue
      for (const port of portsOf(spec)) {
        if (this.#sockets.ownerOf({ type: 'tcp', host: null, port }) !== null) continue
        if (listeningInodes(port).length === 0) continue
        const holder = portHolder(port)
        // An app of this scope that the plan may remove or rename is no stranger.
        if (holder.pid !== null && this.#isOwn(scope, holder.pid)) continue
        holders.push({ port, ...holder })
      }
    }
    return holders
  }

  #isOwn(scope: ScopeId, pid: number): boolean {
    const runners = [...this.#groups(scope).values()].flatMap((group) => group.runners)
    return runners.some((runner) => runner.process !== null && inTree(pid, runner.process.pid))
  }

  /** Gives back what `prepare` took for an app whose step was never performed. */
  releaseUnused(scope: ScopeId, app: string): void {
    const owner = ownerName(scope, app)
    this.#sockets.release(owner, this.#listensInUse(owner))
  }

  #listensInUse(owner: string): AppSpec['listen'] {
    for (const group of this.allGroups()) {
      if (group.owner === owner) return group.runners.flatMap((runner) => runner.spec.listen)
    }
    return []
  }

  #groups(scope: ScopeId): Map<string, AppGroup> {
    const name = scopeName(scope)
    let groups = this.#scopes.get(name)
    if (!groups) this.#scopes.set(name, (groups = new Map<string, AppGroup>()))
    return groups
  }
}

function isBeingStarted({ spec, instance: { wanted, phase } }: InstanceRunner): boolean {
  if (spec.kind !== 'service' || wanted !== 'up') return false
  return phase.name === 'starting' || phase.name === 'backoff' || phase.name === 'stopping'
}

function ownerName(scope: ScopeId, app: string): string {
  return `${scopeName(scope)}/${app}`
}

/** Whether the plan takes an address away from the app that holds it now. */
function givesUp(scope: ScopeId, change: PlannedChange, holder: string, listen: Listen): boolean {
  const prefix = `${scopeName(scope)}/`
  if (!holder.startsWith(prefix)) return false
  const next = change.next[holder.slice(prefix.length)]
  return !next?.spec.listen.some((it) => listenKey(it) === listenKey(listen))
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
