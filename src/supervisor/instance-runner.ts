import { sizeOf } from '../logs/tail.ts'
import type { InstanceEventData, InstanceEventName } from '../model/events.ts'
import { instanceName, type ScopeId } from '../model/ids.ts'
import { isOneOf } from '../model/exit.ts'
import { commandOf } from '../model/instance-values.ts'
import type { Exit, ObservedInstance } from '../model/observed.ts'
import type { AppSpec, Hook, HookName } from '../model/spec.ts'
import { spawnInstance } from './child.ts'
import { fromWall, steadyNow, toWall } from './clock.ts'
import { type CommandRun, runCommand } from './command-run.ts'
import {
  commandEnvironment,
  instanceEnvironment,
  needsPreload,
  readyFd,
  type InstanceContext,
  usesSystemdProtocol,
} from './environment.ts'
import { eventData } from './event-data.ts'
import type { Group, Nest } from './group.ts'
import { InstanceLimits } from './instance-limits.ts'
import { oomKills } from './limits.ts'
import type { MemoryWatch } from './memory-watch.ts'
import type { OomWatch } from './oom-watch.ts'
import type { NotifySocket, NotifySockets } from './notify-socket.ts'
import { retryPolicy } from './restart-policy.ts'
import { identify, type ProcIdentity } from './proc.ts'
import { launchBeside } from './launch.ts'
import { leftBehind } from './left-behind.ts'
import { watchLife } from './life-watch.ts'
import type { ProbeSubject } from './probes/attempt.ts'
import { watchReady } from './ready-watch.ts'
import type { ProcessTrees } from './process-trees.ts'
import {
  type Effect,
  type Instance,
  type InstanceEvent,
  type LifePolicy,
  NEW_INSTANCE,
  type Phase,
  pidOf,
} from './instance-state.ts'
import { deliverStopMessage } from './stop-message.ts'
import { transition } from './transition.ts'
import type { TurnQueue } from './turn-queue.ts'

/** What the supervisor gives every instance: the outside world. */
export interface RunnerHost {
  readonly trees: ProcessTrees
  /** A spawn blocks for a millisecond and more: those of a storm take turns with everything else. */
  readonly spawns: TurnQueue
  readonly memory: MemoryWatch
  readonly oom: OomWatch
  readonly preload: string
  readonly notify: NotifySockets
  openSecret(sealed: string): string
  logPaths(scope: ScopeId, app: string, slot: number): { readonly out: string; readonly err: string }
  /** The descriptors of the app's sockets, in the order of spec.listen. */
  listenFds(scope: ScopeId, app: string, spec: AppSpec): readonly number[]
  revision(scope: ScopeId): number
  /** @param event 'note' when it is not given */
  record(
    scope: ScopeId,
    app: string,
    instance: string,
    message: string,
    event?: InstanceEventName,
    data?: InstanceEventData,
  ): void
  /** Called after every change, for the runtime file. */
  changed(runner: InstanceRunner): void
  /** The instance is forgotten. */
  removed(runner: InstanceRunner): void
}

export interface RunnerIdentity {
  readonly scope: ScopeId
  readonly app: string
  readonly slot: number
  /** Distinguishes two copies in one slot during a replacement. */
  readonly uid: number
}

/** What is remembered of the run of an adopted process. */
export interface AdoptedRun extends Pick<Instance, 'restarts' | 'lastExit' | 'incarnation'> {
  readonly startedAt: number
  readonly isReady: boolean
  /** Why its readiness probe fails; null: it passes. */
  readonly unready: string | null
  readonly logOffsets: InstanceRunner['logOffsets']
  readonly nest: Nest | null
}

const HOOK_NAMES: readonly HookName[] = ['pre_start', 'post_start', 'pre_stop', 'post_stop']

/** A longer one would fire at once; a run may take a month. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Carries one instance through its life: feeds events to the pure transition, carries out its effects. */
export class InstanceRunner {
  readonly id: RunnerIdentity
  version: number
  spec: AppSpec
  readonly #host: RunnerHost
  #instance: Instance = NEW_INSTANCE
  #process: ProcIdentity | null = null
  #group: Group | null = null
  #timer: NodeJS.Timeout | undefined
  #stopReadyWatch: () => void = () => {}
  #stopLifeWatch: () => void = () => {}
  /** What the probes of its life say that has no consequence yet. */
  #probeNote: string | null = null
  #hook: CommandRun | null = null
  #notifySocket: NotifySocket | null = null
  #waitingFor: string | null = null
  #notes: readonly string[] = []
  #limits: InstanceLimits | null = null
  readonly #told = new Set<string>()
  /** Log files with their sizes when the current run began. */
  logOffsets: readonly { readonly path: string; readonly offset: number }[] = []
  readonly #listeners = new Set<() => void>()

  constructor(id: RunnerIdentity, version: number, spec: AppSpec, host: RunnerHost) {
    this.id = id
    this.version = version
    this.spec = spec
    this.#host = host
  }

  /**
   * Takes over a process that an earlier daemon started. Its identity has been verified; when it has ended meanwhile,
   * and only the rest of its group lives, that is dealt with like an end that was watched.
   */
  adopt(process: ProcIdentity, run: AdoptedRun): void {
    const { startedAt, isReady, unready, logOffsets, nest, ...instance } = run
    const { pid } = process
    const since = fromWall(startedAt)
    this.#process = process
    this.logOffsets = logOffsets
    const { incarnation } = instance
    const { readyTimeoutMs, runTimeoutMs } = this.#policy()
    // A run that is over its time already gets as much again as a start: nobody watched it.
    const runDeadline = runTimeoutMs === null ? null : Math.max(since + runTimeoutMs, steadyNow() + readyTimeoutMs)
    const phase: Phase = isReady
      ? { name: 'running', pid, since, readyAt: since, unready, deadline: runDeadline }
      : { name: 'starting', step: 'ready', pid, since, deadline: steadyNow() + readyTimeoutMs }
    this.#instance = { ...NEW_INSTANCE, ...instance, wanted: 'up', phase }
    this.#watchGroup(process, nest, incarnation)
    this.#record(`taken over from the daemon before, pid ${pid}`, 'adopted', { pid })
    try {
      this.#openNotifySocket(incarnation)
    } catch (error) {
      this.#note([(error as Error).message])
    }
    this.#carryOut({ type: 'set-deadline', at: phase.deadline })
    this.#carryOut({ type: isReady ? 'watch-life' : 'watch-ready', incarnation, pid })
    this.#keepLimits()
  }

  /** Restores how an instance without a process ended, so that a completed job stays completed. */
  restore(
    instance: Pick<Instance, 'restarts' | 'lastExit' | 'incarnation'>,
    phase: 'stopped' | 'exited' | 'failed',
    reason: string,
  ): void {
    this.#instance = {
      ...NEW_INSTANCE,
      ...instance,
      wanted: phase === 'stopped' ? 'down' : 'up',
      phase: phase === 'failed' ? { name: 'failed', reason } : { name: phase },
    }
  }

  get name(): string {
    return instanceName(this.id.app, this.id.slot)
  }

  get instance(): Instance {
    return this.#instance
  }

  get process(): ProcIdentity | null {
    return this.#process
  }

  /** The processes of the latest run; null before the first. */
  get group(): Group | null {
    return this.#group
  }

  /** Sentences about what is not as the spec asks for, although the process runs. */
  get notes(): readonly string[] {
    const limits = this.#limits?.notes ?? []
    if (this.#probeNote === null || this.#instance.phase.name !== 'running') return [...this.#notes, ...limits]
    return [...this.#notes, ...limits, this.#probeNote]
  }

  /** What the ready check of the latest run said last; null when it passed at once or has nothing to say. */
  get waitingFor(): string | null {
    const { phase } = this.#instance
    return phase.name === 'running' ? phase.unready : this.#waitingFor
  }

  start(): void {
    this.#feed({ type: 'start' })
  }

  stop(): void {
    this.#feed({ type: 'stop' })
  }

  /** Forgets its restarts; one that had given up tries again. */
  reset(): void {
    this.#feed({ type: 'reset' })
  }

  /** Whether its last run ended as its spec calls success: what makes a job completed. */
  get hasSucceeded(): boolean {
    const { phase, lastExit } = this.#instance
    return phase.name === 'exited' && isOneOf(lastExit, this.spec.restart.successExitCodes)
  }

  /** Epoch ms of the next attempt, while it pauses before one. */
  get nextAttemptAt(): number | null {
    const { phase } = this.#instance
    return phase.name === 'backoff' ? toWall(phase.until) : null
  }

  /** Puts a new spec in force that needs no new process. */
  update(version: number, spec: AppSpec): void {
    const wasAsked = JSON.stringify(this.spec.ready)
    const wasWatched = JSON.stringify([this.spec.readiness, this.spec.health])
    this.version = version
    this.spec = spec
    const { phase, incarnation } = this.#instance
    if (phase.name === 'starting' && phase.pid !== null && JSON.stringify(spec.ready) !== wasAsked) {
      this.#stopReadyWatch()
      this.#watchReady(incarnation, phase.pid)
    }
    if (phase.name === 'running' && JSON.stringify([spec.readiness, spec.health]) !== wasWatched) {
      this.#watchLife(incarnation, phase.pid)
    }
    this.#keepLimits()
    this.#host.changed(this)
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  observe(): ObservedInstance {
    const { phase, lastExit, restarts, history } = this.#instance
    const alive = pidOf(this.#instance) !== null
    return {
      slot: this.id.slot,
      version: this.version,
      state: phase.name,
      ready: phase.name === 'running' && phase.unready === null,
      pid: pidOf(this.#instance),
      startedAt: alive && 'since' in phase ? toWall(phase.since) : null,
      restarts,
      lastExit,
      reason: this.#reason(),
      ...(phase.name === 'backoff' ? { nextAttemptAt: toWall(phase.until) } : {}),
      ...(history.marks.length > 0 ? { recentRestarts: history.marks.length } : {}),
      ...(this.notes.length > 0 ? { notes: this.notes } : {}),
    }
  }

  /** Ends timers and watches; the process is left alone. */
  detach(): void {
    clearTimeout(this.#timer)
    this.#stopReadyWatch()
    this.#stopLifeWatch()
    this.#limits?.close()
    this.#closeNotifySocket()
    this.#group?.close()
    this.#listeners.clear()
  }

  #reason(): string | null {
    const { phase } = this.#instance
    if (phase.name === 'failed' || phase.name === 'backoff') return phase.reason
    if (phase.name === 'running') return phase.unready
    if (phase.name !== 'starting' && phase.name !== 'stopping') return null
    if (phase.step.includes('_')) return `its ${phase.step} hook runs`
    return phase.name === 'starting' ? this.#waitingFor : (phase.fault?.reason ?? null)
  }

  #feed(event: InstanceEvent): void {
    const before = this.#instance
    const { instance, effects } = transition(before, event, this.#policy(), steadyNow())
    this.#instance = instance
    if (instance.phase.name !== 'starting') this.#stopReadyWatch()
    if (instance.phase.name !== 'running') this.#stopLifeWatch()
    if (pidOf(instance) === null && instance.phase.name !== 'starting') this.#closeNotifySocket()
    for (const effect of effects) this.#carryOut(effect)
    if (this.#instance === before) return
    this.#keepLimits()
    this.#host.changed(this)
    for (const listener of this.#listeners) listener()
  }

  /** They hold for as long as it has processes. */
  #keepLimits(): void {
    const { limits } = this.spec
    const { incarnation } = this.#instance
    const pid = pidOf(this.#instance)
    if (this.#limits !== null && this.#limits.leader !== pid) {
      this.#limits.close()
      this.#limits = null
    }
    if (this.#limits === null && limits.memoryBytes === null && limits.cpu === null) return
    if (pid === null || this.#group === null) return
    this.#limits ??= new InstanceLimits(pid, this.#group, {
      cgroups: this.#host.trees.cgroups,
      memory: this.#host.memory,
      exceeded: (reason, urgent) => this.#feed({ type: 'fault', incarnation, reason, urgent }),
    })
    if (this.#limits.isApplied(limits)) return
    this.#limits.apply(limits)
    this.#tellNotes(this.#limits.notes)
  }

  /** Each once, and not again at every restart. */
  #tellNotes(notes: readonly string[]): void {
    for (const note of notes) {
      if (this.#told.has(note)) continue
      this.#told.add(note)
      this.#record(note)
    }
  }

  #policy(): LifePolicy {
    const { spec } = this
    return {
      stop: spec.stop,
      restart: spec.kind === 'service' ? spec.restart : retryPolicy(spec.restart, spec.job.retries),
      readyTimeoutMs: spec.ready.timeoutMs,
      runTimeoutMs: spec.kind === 'service' ? null : spec.job.timeoutMs,
      hasReadiness: spec.readiness !== null,
      hooks: new Set(HOOK_NAMES.filter((name) => this.#hookOf(name) !== null)),
      dice: Math.random(),
    }
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'spawn':
        return this.#spawn(effect.incarnation)
      case 'watch-ready':
        return this.#watchReady(effect.incarnation, effect.pid)
      case 'watch-life':
        return this.#watchLife(effect.incarnation, effect.pid)
      case 'run-hook':
        return this.#runHook(effect.incarnation, effect.hook)
      case 'cancel-hook':
        return this.#hook?.cancel()
      case 'ask-to-stop':
        return this.#askToStop(effect.pid)
      case 'signal-group':
        return this.#group?.signal(effect.signal)
      case 'await-group':
        return this.#group?.whenEmpty(() => {
          this.#process = null
          this.#feed({ type: 'group-empty', incarnation: effect.incarnation })
        })
      case 'set-deadline':
        clearTimeout(this.#timer)
        if (effect.at !== null) {
          // One that comes too early is set again.
          const pauseMs = Math.min(Math.max(0, effect.at - steadyNow()), LONGEST_TIMER_MS)
          this.#timer = setTimeout(() => this.#feed({ type: 'deadline' }), pauseMs)
        }
        return
      case 'record':
        return this.#record(effect.message, effect.event, eventData(effect, this.#instance))
    }
  }

  #logs(): { out: string; err: string } {
    return this.#host.logPaths(this.id.scope, this.id.app, this.id.slot)
  }

  #environment(): Record<string, string> {
    return instanceEnvironment(this.spec, this.#context())
  }

  #context(): InstanceContext {
    return {
      ...this.id,
      revision: this.#host.revision(this.id.scope),
      preload: this.#host.preload,
      open: (sealed) => this.#host.openSecret(sealed),
    }
  }

  #hookOf(name: HookName): Hook | null {
    const { preStart, postStart, preStop, postStop } = this.spec.hooks
    return { pre_start: preStart, post_start: postStart, pre_stop: preStop, post_stop: postStop }[name]
  }

  #runHook(incarnation: number, hook: HookName): void {
    const ended = (failure: string | null): void => {
      if (this.#hook === run) this.#hook = null
      this.#feed({ type: 'hook-ended', incarnation, hook, failure })
    }
    // Taken away by an update just now: there is nothing to run.
    const command = this.#hookOf(hook)
    if (command === null) return queueMicrotask(() => ended(null))
    const run = this.#runCommand(command, { ECO_HOOK: hook }, ended)
    this.#hook = run
  }

  /** By its message or command; where that does not reach it, by the signal. */
  #askToStop(pid: number): void {
    const { signal, message, exec, timeoutMs } = this.spec.stop
    const bySignal = (why: string): void => {
      this.#record(`${why}; sent ${signal} instead`)
      this.#group?.signal(signal)
    }
    if (exec !== null) {
      this.#runCommand({ command: exec, timeoutMs }, {}, (failure) => {
        if (failure !== null && pidOf(this.#instance) === pid) bySignal(`its stop command failed: ${failure}`)
      })
    } else if (!deliverStopMessage(pid)) bySignal(`no process of it takes the message ${message}`)
  }

  #runCommand(hook: Hook, extra: Record<string, string>, ended: (failure: string | null) => void): CommandRun {
    const { lastExit } = this.#instance
    const env = { ...commandEnvironment(this.spec, this.#context(), pidOf(this.#instance), lastExit), ...extra }
    const { cwd, attributes } = this.spec
    return runCommand(hook, { cwd, env, attributes, log: this.#logs().err }, ended)
  }

  #record(message: string, event?: InstanceEventName, data?: InstanceEventData): void {
    this.#host.record(this.id.scope, this.id.app, this.name, message, event, data)
  }

  #spawn(incarnation: number): void {
    this.#host.spawns.add(() => {
      const { phase } = this.#instance
      const isAwaited = phase.name === 'starting' && phase.step === 'spawn'
      if (isAwaited && this.#instance.incarnation === incarnation) this.#spawnNow(incarnation)
    })
  }

  #spawnNow(incarnation: number): void {
    const { spec } = this
    this.#notes = []
    const nest = this.#host.trees.begin({ ...this.id, version: this.version })
    this.#host.oom.look()
    const logs = this.#logs()
    this.logOffsets = [logs.out, logs.err].map((path) => ({ path, offset: sizeOf(path) }))
    let pid: number | null
    try {
      pid = spawnInstance(
        {
          command: commandOf(spec, this.id.slot),
          cwd: spec.cwd,
          env: {
            ...this.#environment(),
            ...this.#host.trees.environment(nest),
            ...this.#openNotifySocket(incarnation),
          },
          attributes: spec.attributes,
          preload: needsPreload(spec) ? this.#host.preload : null,
          stdout: logs.out,
          stderr: logs.err,
          listenFds: this.#host.listenFds(this.id.scope, this.id.app, spec),
          systemdFds: usesSystemdProtocol(spec),
          readyFd: spec.ready.check.type === 'signal' ? readyFd(spec) : null,
        },
        {
          exited: (exit) => {
            this.#group?.leaderEnded()
            this.#feed({
              type: 'exited',
              incarnation,
              exit: this.#attributed(leftBehind(exit, this.#instance, this.spec, this.#group)),
            })
          },
          ready: () => this.#feed({ type: 'ready', incarnation }),
          noted: (notes) => this.#note(notes),
        },
      )
    } catch (error) {
      const message = (error as Error).message
      setImmediate(() =>
        this.#feed({ type: 'exited', incarnation, exit: { kind: 'spawn-error', message, at: Date.now() } }),
      )
      pid = null
    }
    if (pid === null) return this.#host.trees.abandon(nest)
    this.#process = identify(pid)
    this.#group = this.#host.trees.ofChild(pid, nest)
    // The transition that asked for the spawn must be over before its outcome goes in.
    queueMicrotask(() => this.#feed({ type: 'spawned', incarnation, pid }))
  }

  /** Of a SIGKILL that was not ours, the kernel tells whether its OOM killer sent it. */
  #attributed(exit: Exit): Exit {
    const { phase } = this.#instance
    if (exit.kind !== 'signal' || exit.signal !== 'SIGKILL') return exit
    if (phase.name === 'stopping' && phase.killed) return exit
    const cgroup = this.#group?.cgroup ?? null
    const kills = cgroup === null ? null : oomKills(cgroup)
    const isOom = kills === null ? this.#host.oom.hasJustKilled() : kills > 0
    return isOom ? { ...exit, oom: true } : exit
  }

  /** What is not as the spec asks for, although it runs. */
  #note(notes: readonly string[]): void {
    this.#notes = [...this.#notes, ...notes]
    this.#tellNotes(notes)
    this.#host.changed(this)
  }

  #watchReady(incarnation: number, pid: number): void {
    if (this.spec.kind !== 'service') return this.#feed({ type: 'ready', incarnation })
    this.#waitingFor = null
    const subject = { ...this.#probed(pid), isStarting: true, logs: this.logOffsets }
    this.#stopReadyWatch = watchReady(this.spec.ready, subject, {
      ready: () => this.#feed({ type: 'ready', incarnation }),
      waiting: (reason) => {
        this.#waitingFor = reason
      },
    })
  }

  #watchLife(incarnation: number, pid: number): void {
    this.#stopLifeWatch()
    this.#probeNote = null
    const { phase } = this.#instance
    const isReady = phase.name === 'running' && phase.unready === null
    this.#stopLifeWatch = watchLife(
      this.spec,
      { ...this.#probed(pid), isStarting: false, isReady },
      {
        readiness: (reason) => this.#feed({ type: 'readiness', incarnation, reason }),
        fault: (reason) => this.#feed({ type: 'fault', incarnation, reason, urgent: false }),
        note: (reason) => {
          this.#probeNote = reason
        },
      },
    )
  }

  #probed(pid: number): Omit<ProbeSubject, 'isStarting'> {
    const { cwd, attributes } = this.spec
    // Marked as the instance's own: one that a killed daemon leaves behind goes with the instance.
    const environment = () => ({
      ...commandEnvironment(this.spec, this.#context(), pid, null),
      ...(this.#group === null ? {} : this.#host.trees.environment(this.#group.nest)),
    })
    return { pid, slot: this.id.slot, cwd, attributes, environment }
  }

  /** @returns the variable by which it finds the socket; none when its start is not told that way */
  #openNotifySocket(incarnation: number): Record<string, string> {
    this.#closeNotifySocket()
    if (this.spec.ready.check.type !== 'notify') return {}
    const { scope, app, slot, uid } = this.id
    const name = `${scope.project}/${scope.environment}/${app}#${slot}.${uid}`
    const { owner } = launchBeside(this.spec.command, this.spec.attributes)
    this.#notifySocket = this.#host.notify.open(name, owner, {
      ready: () => this.#feed({ type: 'ready', incarnation }),
      status: (text) => {
        this.#waitingFor = `waiting for READY=1; it says: ${text}`
      },
    })
    return { NOTIFY_SOCKET: this.#notifySocket.path }
  }

  #closeNotifySocket(): void {
    this.#notifySocket?.close()
    this.#notifySocket = null
  }

  #watchGroup(process: ProcIdentity, nest: Nest | null, incarnation: number): void {
    const group = this.#host.trees.ofAdopted(process, nest)
    this.#group = group
    group.watchAdopted(() => {
      group.leaderEnded()
      this.#feed({ type: 'exited', incarnation, exit: { kind: 'unknown', at: Date.now() } })
    })
  }
}
