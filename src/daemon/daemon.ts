import { EcoError } from '../errors.ts'
import { ownerName } from '../engine/local/group-register.ts'
import { LocalEngine } from '../engine/local/local-engine.ts'
import type { LogKeeper } from '../logs/keeper.ts'
import { PLAIN_LOGS } from '../logs/run-logs.ts'
import { type LogPaths, logPaths } from '../logs/layout.ts'
import type { InstanceEventData, InstanceEventName } from '../model/events.ts'
import { instanceName, type ScopeId, scopeName } from '../model/ids.ts'
import type { Output } from '../model/spec.ts'
import { openSecretBox, type SecretBox } from '../secrets/seal.ts'
import { refuseNewerState } from '../state/known-formats.ts'
import { RevisionStore } from '../state/revision-store.ts'
import { RunHistoryStore } from '../state/run-history.ts'
import { RuntimeStore } from '../state/runtime-store.ts'
import { learnPort } from '../supervisor/learnt-ports.ts'
import { prepareSockets } from '../supervisor/prepare-sockets.ts'
import type { InstanceRunner } from '../supervisor/instance-runner.ts'
import type { RunnerHost } from '../supervisor/runner-host.ts'
import { ProcessTrees } from '../supervisor/process-trees.ts'
import { MemoryWatch } from '../supervisor/memory-watch.ts'
import { OomWatch } from '../supervisor/oom-watch.ts'
import { NotifySockets } from '../supervisor/notify-socket.ts'
import type { Outputs } from '../supervisor/outputs.ts'
import { ProbeSockets } from '../supervisor/probe-sockets.ts'
import { openSocket } from '../supervisor/bind-socket.ts'
import { SocketRegain } from '../supervisor/regain/regain.ts'
import { SocketRegister } from '../supervisor/sockets.ts'
import { TurnQueue } from '../supervisor/turn-queue.ts'
import { adoptScope } from './adoption.ts'
import { EventLog } from './event-log.ts'
import type { InheritedSocket } from './hand-over.ts'
import { HoldEnds } from './hold-ends.ts'
import { LogAlarm } from './log-alarm.ts'
import { Monitor } from './monitor.ts'
import { type Elsewhere, moveIn, type OwnUnit } from './move-in.ts'
import { Renewals } from './renewals.ts'
import { RuntimeRecorder } from './runtime-recorder.ts'
import { ScopeKeeper } from './scope-keeper.ts'
import { Watches } from './watches.ts'

const SPAWN_SHARE_MS = 5

/** Everything the daemon keeps: one engine, one keeper for each scope. */
export class Daemon {
  readonly home: string
  readonly engine: LocalEngine
  readonly events: EventLog
  readonly monitor: Monitor
  /** null: the output of the apps goes elsewhere. */
  readonly logs: LogKeeper | null
  /** null: output does not go into files. */
  readonly logAlarm: LogAlarm | null
  readonly startedAt = Date.now()
  readonly trees: ProcessTrees
  readonly outputs: Outputs
  readonly #probeSockets: ProbeSockets
  readonly #sockets = new SocketRegister()
  readonly #runtime: RuntimeStore
  readonly #recorder: RuntimeRecorder
  readonly #keepers = new Map<string, ScopeKeeper>()
  readonly #watches: Watches
  readonly #renewalsByScope = new Map<string, Renewals>()
  readonly #holdEnds = new Map<string, HoldEnds>()
  /** Scopes whose state cannot be used, with the reason; their apps are left alone. */
  readonly #damaged = new Map<string, EcoError>()
  #secrets: SecretBox | null = null
  /** Everything that runs is known. */
  onAdopted: () => void = () => {}

  /** @param logs null: what the apps print goes elsewhere than into log files */
  constructor(home: string, preload: string, outputs: Outputs, logs: LogKeeper | null = null) {
    this.home = home
    this.outputs = outputs
    this.logs = logs
    this.events = new EventLog(home)
    this.#runtime = new RuntimeStore(home)
    this.#recorder = new RuntimeRecorder(this.#runtime)
    this.trees = new ProcessTrees(home)
    this.#probeSockets = new ProbeSockets(home)
    this.engine = new LocalEngine(this.#host(preload), this.#sockets, new RunHistoryStore(home))
    this.#watches = new Watches({
      home,
      renewals: (scope) => this.#renewals(scope),
      note: (scope, app, message) => this.#note(scope, app, message),
    })
    this.engine.listen({
      succeeded: (runner) => this.#cascade(runner),
      unblocked: (scope, app) => {
        this.#renewals(scope)?.request(app, { verb: 'start', cause: 'what it depends on is there', isDue: () => true })
      },
    })
    const tell = this.events.emit.bind(this.events)
    this.logAlarm = logs !== null ? new LogAlarm(home, this.engine, outputs, tell) : null
    this.monitor = new Monitor(() => [...this.#livePids()])
  }

  /**
   * Takes over what runs, and starts what should run and does not.
   *
   * @param unit of systemd that this daemon is; null: it is none
   */
  async boot(unit: OwnUnit | null): Promise<void> {
    const healing: Promise<unknown>[] = []
    let isComplete = true
    const { engine, trees } = this
    const pass = trees.sweep.pass()
    const moved: Elsewhere = unit === null ? new Map() : moveIn(unit, pass)
    const regain = new SocketRegain(this.#sockets, ({ scope }, problem) => this.#tell(scope, problem))
    const adoption = { engine, trees, regain, store: this.#runtime, pass, moved }
    // Before anything is started: a new one is empty until its process is there.
    trees.removeEmptyCgroups()
    for (const scope of this.#runtime.scopes()) {
      try {
        const keeper = this.keeper(scope)
        for (const message of adoptScope(keeper, adoption)) this.#tell(scope, message)
        healing.push(this.#converge(keeper))
      } catch (error) {
        isComplete = false
        console.error(error instanceof EcoError ? `${error.message} ${error.hint ?? ''}` : error)
      }
    }
    // Of instances that ended while no daemon ran.
    if (isComplete) this.#probeSockets.keepOnly(this.#privateFolders())
    this.onAdopted()
    this.monitor.start()
    this.logs?.start()
    this.logAlarm?.start()
    await Promise.all(healing)
  }

  /**
   * The keeper of a scope, made when it is first applied to.
   *
   * @throws EcoError STATE_DAMAGED or STATE_NEWER, every time until the files are mended and the daemon restarted
   */
  keeper(scope: ScopeId): ScopeKeeper {
    const name = scopeName(scope)
    const damage = this.#damaged.get(name)
    if (damage) throw damage
    const known = this.#keepers.get(name)
    if (known) return known
    try {
      refuseNewerState(this.home, scope)
      const keeper = new ScopeKeeper(scope, new RevisionStore(this.home, scope), this.engine, this.events)
      this.#keepers.set(name, keeper)
      const holdEnds = new HoldEnds(keeper, (message) => this.#tell(scope, message))
      this.#holdEnds.set(name, holdEnds)
      keeper.onCarriedOut = ({ steps }, isOwn) => {
        this.#watches.sync(keeper)
        holdEnds.sync()
        if (!isOwn)
          this.#watches.trust(
            scope,
            steps.map(({ app }) => app),
          )
      }
      this.#watches.sync(keeper)
      return keeper
    } catch (error) {
      if (error instanceof EcoError) this.#damaged.set(name, error)
      throw error
    }
  }

  /** Scopes in the order of their names. */
  keepers(): ScopeKeeper[] {
    return [...this.#keepers.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, keeper]) => keeper)
  }

  /** The bound sockets of all apps, as whoever is the daemon next inherits them. */
  sockets(): InheritedSocket[] {
    return [...this.#sockets.all()].map(({ listen, owner, handle }) => ({ listen, owner, fd: handle.fd }))
  }

  /** Takes over the sockets that the daemon before this one left; to be called before `boot`. */
  inherit(sockets: readonly InheritedSocket[]): void {
    for (const { listen, owner, fd } of sockets) this.#sockets.takeIn(listen, owner, openSocket(fd))
  }

  /** Plans that are being carried out, and runs of jobs and cron apps, each a clause; empty: none. */
  underWay(): string[] {
    const plans = this.keepers().flatMap(({ scope, occupation }) =>
      occupation === null ? [] : [`${scopeName(scope)}: ${occupation}${this.#pausedText(scope)}`],
    )
    const runners = [...this.engine.allGroups()].flatMap((group) => group.runners)
    const runs = runners.filter(({ spec, process }) => spec.kind !== 'service' && process !== null)
    return [...plans, ...runs.map(({ id, spec }) => `${scopeName(id.scope)}: a run of the ${spec.kind} app ${id.app}`)]
  }

  /** What waits for a person ends by itself never: whoever waits for that needs to know. */
  #pausedText(scope: ScopeId): string {
    const paused = [...this.engine.groups(scope).keys()].filter(
      (app) => this.engine.rollout(scope, app)?.status.state === 'paused',
    )
    const [app] = paused
    return app === undefined ? '' : `, paused at ${paused.join(', ')} (eco rollout resume ${app}, or abort)`
  }

  /** What is wrong with the state of scopes, for those who list them. */
  damage(): [scope: string, error: EcoError][] {
    return [...this.#damaged]
  }

  /** Stops every instance, without forgetting what was applied; they stay down until somebody starts them. */
  async stopApps(): Promise<number> {
    const keepers = [...this.#keepers.values()]
    // What an apply has begun to start would come after us.
    for (const keeper of keepers) keeper.setDown(true)
    await Promise.all(keepers.map((keeper) => keeper.cancelAll('cancelled by eco daemon stop --apps')))
    return this.engine.stopAll()
  }

  /** The machine goes down: every instance is stopped, in order, and what was applied comes back with the next boot. */
  async stopForShutdown(): Promise<void> {
    const keepers = [...this.#keepers.values()]
    for (const keeper of keepers) keeper.downUntilBoot()
    await Promise.all(keepers.map((keeper) => keeper.cancelAll('cancelled: the machine goes down')))
    await this.engine.stopAll()
  }

  /** @throws EcoError STATE_DAMAGED when it was sealed under another key */
  openSecret(sealed: string): string {
    return (this.#secrets ??= openSecretBox(this.home)).open(sealed)
  }

  /** Starts the scopes that were stopped as a whole. @returns their names */
  async resume(): Promise<string[]> {
    const down = this.keepers().filter((keeper) => keeper.isDown)
    for (const keeper of down) keeper.setDown(false)
    await Promise.all(down.map((keeper) => this.#converge(keeper)))
    return down.map((keeper) => scopeName(keeper.scope))
  }

  liveInstances(): number {
    return [...this.#livePids()].length
  }

  /** The log files of an instance. */
  logPaths(scope: ScopeId, app: string, slot: number, output: Output): LogPaths {
    return logPaths(this.home, scope, app, slot, this.outputs.inForce(output))
  }

  /** The runs that have processes. */
  liveRuns(): Set<string> {
    const runners = [...this.engine.allGroups()].flatMap((group) => group.runners)
    return new Set(runners.flatMap(({ process, group }) => (process === null ? [] : (group?.nest.run ?? []))))
  }

  /** After a reboot, or when something died while no daemon watched: the applied state comes back. */
  async #converge(keeper: ScopeKeeper): Promise<void> {
    try {
      const healed = keeper.heal()
      if (keeper.isDown) return await healed
      const { apps, holds } = keeper.applied
      for (const [app, applied] of Object.entries(apps)) {
        if (!Object.hasOwn(holds, app)) await this.engine.resumeSchedule(keeper.scope, app, applied)
      }
      await healed
    } catch (error) {
      this.#tell(keeper.scope, `could not bring back what was applied: ${(error as Error).message}`)
    }
    this.#holdEnds.get(scopeName(keeper.scope))?.sync()
  }

  /** What asks for it is restarted after an app it depends on was, once that is ready: at most once for each restart. */
  #cascade(runner: InstanceRunner): void {
    const { scope, app } = runner.id
    const { phase } = runner.instance
    const apps = this.#keepers.get(scopeName(scope))?.applied.apps ?? {}
    if (phase.name !== 'running') return
    for (const [dependent, { spec }] of Object.entries(apps)) {
      if (spec.kind !== 'service' || !spec.restartsWith.includes(app)) continue
      this.#renewals(scope)?.request(dependent, {
        verb: 'reload',
        cause: `restarts with ${app}`,
        backoff: spec.restart.backoff,
        isDue: () =>
          this.engine.areDependenciesMet(scope, spec) && this.#runsSinceBefore(scope, dependent, phase.since),
      })
    }
  }

  /** Whether a process of the app is older than that; one that was restarted meanwhile, by whatever, is not. */
  #runsSinceBefore(scope: ScopeId, app: string, at: number): boolean {
    const runners = this.engine.groups(scope).get(app)?.runners ?? []
    return runners.some(({ instance: { phase } }) => phase.name === 'running' && phase.since < at)
  }

  #renewals(scope: ScopeId): Renewals | null {
    const name = scopeName(scope)
    const keeper = this.#keepers.get(name)
    if (!keeper) return null
    let renewals = this.#renewalsByScope.get(name)
    if (!renewals) {
      renewals = new Renewals(keeper, (app, message) => this.#note(scope, app, message))
      this.#renewalsByScope.set(name, renewals)
    }
    return renewals
  }

  #note(scope: ScopeId, app: string, message: string): void {
    const [first] = this.engine.groups(scope).get(app)?.runners ?? []
    this.#record(scope, app, first?.name ?? instanceName(app, 0), message)
  }

  /** What cannot be written at the moment, by the daemon or by its apps. */
  unwritable(): string[] {
    const state = this.#recorder.problem
    return [...this.events.problems(), ...(state === null ? [] : [state]), ...(this.logAlarm?.problems() ?? [])]
  }

  /** All that happened is written, as far as it can be. */
  get isFlushed(): boolean {
    return this.events.isFlushed && this.#recorder.isFlushed
  }

  /** Writes what waits to be written. */
  async flush(): Promise<void> {
    this.#recorder.flush()
    await this.logs?.whenIdle()
    await this.events.flushed()
  }

  /** An event about the daemon, in the stream of every scope. */
  tellScopes(event: 'daemon_started' | 'daemon_stopped', message: string): void {
    const data = { pid: process.pid }
    for (const { scope } of this.#keepers.values()) {
      this.events.emit(scope, { type: 'scope', event, at: Date.now(), scope: scopeName(scope), message, data })
    }
  }

  #tell(scope: ScopeId, message: string): void {
    console.error(`${scopeName(scope)}: ${message}`)
    this.events.emit(scope, { type: 'scope', event: 'problem', at: Date.now(), scope: scopeName(scope), message })
  }

  #record(
    scope: ScopeId,
    app: string,
    instance: string,
    message: string,
    event: InstanceEventName = 'note',
    data: InstanceEventData = {},
  ): void {
    const about = { at: Date.now(), scope: scopeName(scope), app, instance }
    this.events.emit(scope, { type: 'instance', event, ...about, message, data })
  }

  #privateFolders(): Set<string> {
    const runners = [...this.engine.allGroups()].flatMap((group) => group.runners)
    return new Set(runners.flatMap(({ privateFolder }) => privateFolder ?? []))
  }

  *#livePids(): Generator<number> {
    for (const group of this.engine.allGroups()) {
      for (const runner of group.runners) if (runner.process !== null) yield runner.process.pid
    }
  }

  #host(preload: string): RunnerHost {
    const recorder = this.#recorder
    return {
      preload,
      logs: this.logs ?? PLAIN_LOGS,
      outputs: this.outputs,
      spawns: new TurnQueue(SPAWN_SHARE_MS),
      trees: this.trees,
      memory: new MemoryWatch(),
      oom: new OomWatch(),
      notify: new NotifySockets(this.home, preload),
      probeSockets: this.#probeSockets,
      openSecret: (sealed) => this.openSecret(sealed),
      logPaths: (scope, app, slot, output) => this.logPaths(scope, app, slot, output),
      prepareSockets: (scope, app, spec) => {
        const group = this.engine.group(scope, app)
        const prepare = (): Promise<unknown> | null => prepareSockets(group, spec, this.#sockets)
        return group.regaining === null ? prepare() : group.regaining.then(prepare)
      },
      listenFds: (scope, app, listens) => listens.map((one) => this.#sockets.give(one, ownerName(scope, app))),
      learnPort: (scope, app, listen) => learnPort(this.engine.group(scope, app), listen, this.#sockets),
      revision: (scope) => this.#keepers.get(scopeName(scope))?.revision ?? 0,
      record: (scope, app, instance, message, event = 'note', data = {}) =>
        this.#record(scope, app, instance, message, event, data),
      changed: (runner: InstanceRunner) => recorder.changed(runner),
      removed: (runner: InstanceRunner) => recorder.removed(runner),
    }
  }
}
