import { join } from 'node:path'
import type { InstanceEventData, InstanceEventName } from '../model/events.ts'
import { isOneOf } from '../model/exit.ts'
import { instanceName } from '../model/ids.ts'
import type { ObservedInstance } from '../model/observed.ts'
import type { AppSpec, Hook, Listen } from '../model/spec.ts'
import { fromWall, steadyNow, toWall } from './clock.ts'
import { hasPrivateFolder, type InstanceContext } from './environment.ts'
import { eventData } from './event-data.ts'
import type { Group, Nest } from './group.ts'
import { HOOK_NAMES, hookOf, InstanceCommands } from './instance-commands.ts'
import { InstanceRun, type LogOffsets } from './instance-run.ts'
import {
  type Effect,
  type Instance,
  type InstanceEvent,
  type LifePolicy,
  NEW_INSTANCE,
  type Running,
  type Starting,
  pidOf,
  type Stopping,
} from './instance-state.ts'
import type { ProcIdentity } from './proc.ts'
import { retryPolicy } from './restart-policy.ts'
import type { RunnerHost, RunnerIdentity } from './runner-host.ts'
import { isSocketAt } from './socket-folders.ts'
import { transition } from './transition.ts'

/** What is remembered of an instance, whatever becomes of its run. */
export type Remembered = Pick<Instance, 'restarts' | 'history' | 'lastExit' | 'incarnation'>

/** What is remembered of the run of an adopted process. */
export interface AdoptedRun extends Remembered {
  readonly startedAt: number
  readonly isReady: boolean
  /** Why its readiness probe fails; null: it passes. */
  readonly unready: string | null
  /** It has been asked to end; times are those of a clock on the wall. null: it has not. */
  readonly ending: Pick<Stopping, 'deadline' | 'killed' | 'readyAt' | 'fault'> | null
  readonly logOffsets: LogOffsets
  readonly nest: Nest | null
  /** Ports that it was given on request. */
  readonly learnt: readonly Listen[]
}

/** For one that was over its time to start when an earlier daemon died. */
const ASKED_AGAIN_MS = 2000
/** A longer one would fire at once; a run may take a month. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Carries one instance through its life: feeds events to the pure transition, carries out its effects. */
export class InstanceRunner {
  readonly id: RunnerIdentity
  version: number
  spec: AppSpec
  readonly host: RunnerHost
  #instance: Instance = NEW_INSTANCE
  /** The latest; null before the first. */
  #run: InstanceRun | null = null
  readonly #commands: InstanceCommands
  #timer: NodeJS.Timeout | undefined
  #isKeptClosed = false
  readonly #told = new Set<string>()
  readonly #listeners = new Set<() => void>()

  constructor(id: RunnerIdentity, version: number, spec: AppSpec, host: RunnerHost) {
    this.id = id
    this.version = version
    this.spec = spec
    this.host = host
    this.#commands = new InstanceCommands(this)
  }

  /**
   * Takes over a process that an earlier daemon started. Its identity has been verified; when it has ended meanwhile,
   * and only the rest of its group lives, that is dealt with like an end that was watched.
   */
  adopt(process: ProcIdentity, run: AdoptedRun): void {
    const { startedAt, isReady, unready, ending, logOffsets, nest, learnt, ...instance } = run
    const { pid } = process
    const since = fromWall(startedAt)
    const { incarnation } = instance
    const phase = ending ? this.#endingPhase(pid, since, ending) : this.#livePhase(pid, since, isReady, unready)
    this.#instance = { ...NEW_INSTANCE, ...instance, wanted: ending && !ending.fault ? 'down' : 'up', phase }
    this.#run = new InstanceRun(this, incarnation, logOffsets, learnt)
    this.#run.adopt(process, nest)
    this.#record(`taken over from the daemon before, pid ${pid}`, 'adopted', { pid })
    this.#carryOut({ type: 'set-deadline', at: phase.deadline })
    if (ending) this.#carryOut({ type: 'await-group', incarnation, pid })
    else this.#carryOut({ type: isReady ? 'watch-life' : 'watch-ready', incarnation, pid })
    // The daemon before may have ended between the two, and knew better whether to keep it closed.
    if (phase.name === 'running') void this.#run.open()
    this.#run.follow(this.#instance)
  }

  #livePhase(pid: number, since: number, isReady: boolean, unready: string | null): Starting | Running {
    const { readyTimeoutMs, runTimeoutMs } = this.#policy()
    const now = steadyNow()
    // Its time goes on; but nobody has asked it for a while, and it is not ended for that.
    const deadline = Math.max(since + readyTimeoutMs, now + Math.min(readyTimeoutMs, ASKED_AGAIN_MS))
    if (!isReady) return { name: 'starting', step: 'ready', pid, since, deadline }
    // A run that is over its time already gets as much again as a start: nobody watched it.
    const runDeadline = runTimeoutMs === null ? null : Math.max(since + runTimeoutMs, now + readyTimeoutMs)
    return { name: 'running', pid, since, readyAt: since, unready, deadline: runDeadline }
  }

  #endingPhase(pid: number, since: number, ending: NonNullable<AdoptedRun['ending']>): Stopping {
    const { killed, fault } = ending
    // Whatever has become of the clock meanwhile: no later than a stop that begins now.
    const latest = steadyNow() + this.spec.stop.timeoutMs
    const deadline = ending.deadline === null ? latest : Math.min(fromWall(ending.deadline), latest)
    const readyAt = ending.readyAt === null ? null : fromWall(ending.readyAt)
    const over = { exit: null, endedAt: null }
    return { name: 'stopping', step: 'ending', pid, since, readyAt, deadline, killed, fault, ...over }
  }

  /** Deals with a process of which nothing is left since the daemon before like with an end that was watched. */
  adoptEnded(pid: number, instance: Remembered, startedAt: number, isReady: boolean): void {
    const { incarnation } = instance
    const phase = this.#livePhase(pid, fromWall(startedAt), isReady, null)
    this.#instance = { ...NEW_INSTANCE, ...instance, wanted: 'up', phase }
    this.feed({ type: 'exited', incarnation, exit: { kind: 'unknown', at: Date.now() } })
    this.feed({ type: 'group-empty', incarnation })
  }

  /** Restores how an instance without a process ended, so that a completed job stays completed. */
  restore(instance: Remembered, phase: 'stopped' | 'exited' | 'failed', reason: string): void {
    this.#instance = {
      ...NEW_INSTANCE,
      ...instance,
      wanted: phase === 'stopped' ? 'down' : 'up',
      phase: phase === 'failed' ? { name: 'failed', reason } : { name: phase },
    }
  }

  /** Goes on with the pause before its next attempt. */
  restoreBackoff(instance: Remembered, until: number, reason: string): void {
    const { maxMs, jitter } = this.spec.restart.backoff
    // Whatever has become of the clock meanwhile.
    const latest = steadyNow() + maxMs * (1 + jitter)
    const phase = { name: 'backoff', until: Math.min(fromWall(until), latest), reason } as const
    this.#instance = { ...NEW_INSTANCE, ...instance, wanted: 'up', phase }
    this.#carryOut({ type: 'set-deadline', at: phase.until })
  }

  get name(): string {
    return instanceName(this.id.app, this.id.slot)
  }

  get instance(): Instance {
    return this.#instance
  }

  get process(): ProcIdentity | null {
    return this.#run?.process ?? null
  }

  /** The processes of the latest run; null before the first. */
  get group(): Group | null {
    return this.#run?.group ?? null
  }

  /** The folder of its private sockets, while it may have some. */
  get privateFolder(): string | null {
    return this.#run?.privateFolder ?? null
  }

  /** Ports that it was given on request, in the order of its private sockets. */
  get learnt(): readonly Listen[] {
    return this.#run?.learnt ?? []
  }

  /** Whether it listens, or may come to listen, on a port that instances were given on request. */
  mayUse(port: Listen): boolean {
    return this.#run === null || this.#run.mayUse(port)
  }

  /** Every address whose socket it has, or is to have. */
  get listens(): readonly Listen[] {
    return [...this.spec.listen, ...this.learnt]
  }

  portsChanged(): void {
    this.host.changed(this)
  }

  /** The ends of its log files when the latest run began. */
  get logOffsets(): LogOffsets {
    return this.#run?.logOffsets ?? []
  }

  /** Where the output of the commands around it goes; null: nowhere. */
  get log(): string | null {
    const { scope, app, slot } = this.id
    const { out, err } = this.host.logPaths(scope, app, slot, this.spec.output)
    return err ?? out
  }

  /** Sentences about what is not as the spec asks for, although the process runs. */
  get notes(): readonly string[] {
    return this.#run?.notes ?? []
  }

  /** What the ready check of the latest run said last; null when it passed at once or has nothing to say. */
  get waitingFor(): string | null {
    const { phase } = this.#instance
    return phase.name === 'running' ? phase.unready : (this.#run?.waitingFor ?? null)
  }

  get context(): InstanceContext {
    return {
      ...this.id,
      revision: this.host.revision(this.id.scope),
      preload: this.host.preload,
      open: (sealed) => this.host.openSecret(sealed),
    }
  }

  start(): void {
    this.feed({ type: 'start' })
  }

  stop(): void {
    this.#commands.cancelCheck()
    this.feed({ type: 'stop' })
  }

  /** Called before `start`: until `open`, it accepts nothing on the addresses that it shares, ready or not. */
  keepClosed(): void {
    this.#isKeptClosed = true
  }

  /** From now on it accepts when it is ready; at once if it is so now. */
  async open(): Promise<void> {
    this.#isKeptClosed = false
    const { phase } = this.#instance
    const isReady = phase.name === 'running' || (phase.name === 'starting' && phase.step === 'post_start')
    const failure = isReady ? await this.#run?.open() : null
    if (failure) this.noted([failure])
  }

  get isKeptClosed(): boolean {
    return this.#isKeptClosed
  }

  /** Absolute path of its private socket for the first address of `listen`; null: it has none (yet). */
  get canarySocket(): string | null {
    if (this.privateFolder === null) return null
    const path = join(this.privateFolder, '0')
    return isSocketAt(path) ? path : null
  }

  /** Asks its ready check once more. @returns why it fails; null: it passes, or cannot be asked again */
  async askReady(): Promise<string | null> {
    const { pid } = this.process ?? {}
    return pid === undefined ? null : ((await this.#run?.askReady(pid)) ?? null)
  }

  /** Runs a command that judges it. @returns why it failed, with its last words; null: it succeeded */
  runCheck(check: Hook): Promise<string | null> {
    const { canarySocket } = this
    return this.#commands.runCheck(check, canarySocket === null ? {} : { ECO_CANARY_SOCKET: canarySocket })
  }

  /** Forgets its restarts; one that had given up tries again. */
  reset(): void {
    this.feed({ type: 'reset' })
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
    const { phase } = this.#instance
    if (phase.name === 'starting' && phase.pid !== null && JSON.stringify(spec.ready) !== wasAsked) {
      this.#run?.watchReady(phase.pid)
    }
    if (phase.name === 'running' && JSON.stringify([spec.readiness, spec.health]) !== wasWatched) {
      this.#run?.watchLife(phase.pid)
    }
    this.#run?.follow(this.#instance)
    this.host.changed(this)
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  observe(): ObservedInstance {
    const { phase, lastExit, restarts, history } = this.#instance
    const alive = pidOf(this.#instance) !== null
    const { notes } = this
    return {
      slot: this.id.slot,
      version: this.version,
      state: phase.name === 'stopping' && phase.step === 'drain' ? 'draining' : phase.name,
      ready: phase.name === 'running' && phase.unready === null,
      pid: pidOf(this.#instance),
      startedAt: alive && 'since' in phase ? toWall(phase.since) : null,
      restarts,
      lastExit,
      reason: this.#reason(),
      ...(phase.name === 'backoff' ? { nextAttemptAt: toWall(phase.until) } : {}),
      ...(history.marks.length > 0 ? { recentRestarts: history.marks.length } : {}),
      ...(notes.length > 0 ? { notes } : {}),
    }
  }

  /** Ends timers and watches; the process is left alone. */
  detach(): void {
    clearTimeout(this.#timer)
    this.#run?.close()
    this.#listeners.clear()
  }

  readonly feed = (event: InstanceEvent): void => {
    const before = this.#instance
    const { instance, effects } = transition(before, event, this.#policy(), steadyNow())
    this.#instance = instance
    this.#run?.follow(instance)
    for (const effect of effects) this.#carryOut(effect)
    if (this.#instance === before) return
    this.#run?.follow(this.#instance)
    this.host.changed(this)
    for (const listener of this.#listeners) listener()
  }

  /** What is not as the spec asks for is told once, and not again at every restart. */
  noted(notes: readonly string[]): void {
    for (const note of notes) {
      if (this.#told.has(note)) continue
      this.#told.add(note)
      this.#record(note)
    }
    this.host.changed(this)
  }

  #reason(): string | null {
    const { phase } = this.#instance
    if (phase.name === 'failed' || phase.name === 'backoff') return phase.reason
    if (phase.name === 'running') return phase.unready
    if (phase.name !== 'starting' && phase.name !== 'stopping') return null
    if (phase.step.includes('_')) return `its ${phase.step} hook runs`
    return phase.name === 'starting' ? this.waitingFor : (phase.fault?.reason ?? null)
  }

  #policy(): LifePolicy {
    const { spec } = this
    return {
      stop: spec.stop,
      drainMs: spec.kind === 'service' && hasPrivateFolder(spec) ? spec.stop.drainMs : 0,
      restart: spec.kind === 'service' ? spec.restart : retryPolicy(spec.restart, spec.job.retries),
      readyTimeoutMs: spec.ready.timeoutMs,
      runTimeoutMs: spec.kind === 'service' ? null : spec.job.timeoutMs,
      hasReadiness: spec.readiness !== null,
      hooks: new Set(HOOK_NAMES.filter((name) => hookOf(spec.hooks, name) !== null)),
      dice: Math.random(),
    }
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'spawn':
        return this.#spawn(effect.incarnation)
      case 'watch-ready':
        return this.#run?.watchReady(effect.pid)
      case 'watch-life':
        return this.#run?.watchLife(effect.pid)
      case 'run-hook':
        return this.#commands.runHook(effect.incarnation, effect.hook)
      case 'cancel-hook':
        return this.#commands.cancelHook()
      case 'drain':
        return this.#run?.drain()
      case 'ask-to-stop':
        return this.#askToStop(effect.pid)
      case 'signal-group':
        return this.group?.signal(effect.signal)
      case 'await-group':
        return this.#awaitEnd(effect.incarnation)
      case 'set-deadline':
        return this.#setDeadline(effect.at)
      case 'record':
        return this.#record(effect.message, effect.event, eventData(effect, this.#instance))
    }
  }

  #spawn(incarnation: number): void {
    const { scope, app } = this.id
    const sockets = this.host.prepareSockets(scope, app, this.spec)
    if (sockets === null) this.#queueSpawn(incarnation)
    else void sockets.then(() => this.#queueSpawn(incarnation))
  }

  #queueSpawn(incarnation: number): void {
    this.host.spawns.add(() => {
      const { phase } = this.#instance
      const isAwaited = phase.name === 'starting' && phase.step === 'spawn'
      if (!isAwaited || this.#instance.incarnation !== incarnation) return
      this.#run?.close()
      this.#run = new InstanceRun(this, incarnation)
      this.#run.spawn()
    })
  }

  #awaitEnd(incarnation: number): void {
    const run = this.#run
    run?.group?.whenEmpty(() => {
      run.isOver()
      this.feed({ type: 'group-empty', incarnation })
    })
  }

  /** By its message or command; where that does not reach it, by the signal. */
  #askToStop(pid: number): void {
    const { signal } = this.spec.stop
    this.#commands.askToStop(pid, (why) => {
      this.#record(`${why}; sent ${signal} instead`)
      this.group?.signal(signal)
    })
  }

  #setDeadline(at: number | null): void {
    clearTimeout(this.#timer)
    if (at === null) return
    // One that comes too early is set again.
    const pauseMs = Math.min(Math.max(0, at - steadyNow()), LONGEST_TIMER_MS)
    this.#timer = setTimeout(() => {
      this.feed({ type: 'deadline', waitingFor: this.waitingFor, left: this.#run?.connectionsLeft ?? null })
    }, pauseMs)
  }

  #record(message: string, event?: InstanceEventName, data?: InstanceEventData): void {
    this.host.record(this.id.scope, this.id.app, this.name, message, event, data)
  }
}
