import type { LogPaths } from '../logs/layout.ts'
import type { LogAddress, LogUser } from '../logs/run-logs.ts'
import { neutraliseLines } from '../model/neutralise.ts'
import { asksForPorts } from '../model/asks-for-ports.ts'
import { commandOf } from '../model/instance-values.ts'
import { instanceName } from '../model/ids.ts'
import type { Exit } from '../model/observed.ts'
import type { AppSpec, Listen } from '../model/spec.ts'
import { type GivenSocket, spawnInstance } from './child.ts'
import { concealSecrets } from './conceal-secrets.ts'
import {
  commandEnvironment,
  hasPrivateFolder,
  hasPrivateSockets,
  type InstanceContext,
  instanceEnvironment,
  isHeldBack,
  needsPreload,
  readyFd,
  usesSystemdProtocol,
} from './environment.ts'
import { GivenPorts } from './given-ports.ts'
import type { Group, Nest } from './group.ts'
import { InstanceLimits } from './instance-limits.ts'
import { type Instance, type InstanceEvent, pidOf } from './instance-state.ts'
import { InstanceTraffic } from './instance-traffic.ts'
import { askedPort } from './learnt-ports.ts'
import { launchBeside } from './launch.ts'
import { leftBehind } from './left-behind.ts'
import { watchLife } from './life-watch.ts'
import { oomKills } from './limits.ts'
import type { NotifySocket } from './notify-socket.ts'
import { identify, isAlive, type ProcIdentity } from './proc.ts'
import { attempt, type ProbeSubject } from './probes/attempt.ts'
import { watchReady } from './ready-watch.ts'
import type { RunnerHost, RunnerIdentity } from './runner-host.ts'

/** The instance that a run belongs to. */
export interface RunOwner {
  readonly id: RunnerIdentity
  /** In force now: it may change while the run goes on. */
  readonly spec: AppSpec
  readonly version: number
  readonly instance: Instance
  readonly host: RunnerHost
  readonly context: InstanceContext
  /** It accepts nothing on the addresses that it shares, ready or not. */
  readonly isKeptClosed: boolean
  readonly feed: (event: InstanceEvent) => void
  /** It has been given another port. */
  portsChanged(): void
  /** There are sentences about what is not as the spec asks for. */
  noted(notes: readonly string[]): void
}

/** The ends of log files when a run began: what comes after is its own. */
export type LogOffsets = readonly LogAddress[]

/** One run of an instance, from one spawn to its end: its processes, and all that watches them. */
export class InstanceRun {
  readonly incarnation: number
  #logOffsets: LogOffsets
  readonly #owner: RunOwner
  readonly #logs: LogPaths
  readonly #logUser: LogUser
  #process: ProcIdentity | null = null
  #group: Group | null = null
  #notifySocket: NotifySocket | null = null
  /** The folder of its private sockets, while it has a process that may open them. */
  #privateFolder: string | null = null
  #limits: InstanceLimits | null = null
  #stopReadyWatch: () => void = () => {}
  #stopLifeWatch: () => void = () => {}
  readonly #given: GivenPorts
  /** What its ready check said last. */
  #waitingFor: string | null = null
  /** What the probes of its life say that has no consequence yet. */
  #probeNote: string | null = null
  #launchNotes: readonly string[] = []
  #isOpening = false
  readonly #traffic: InstanceTraffic

  /** @param logOffsets of one that an earlier daemon began */
  constructor(owner: RunOwner, incarnation: number, logOffsets: LogOffsets = [], learnt: readonly Listen[] = []) {
    this.#owner = owner
    this.#given = new GivenPorts(learnt)
    this.incarnation = incarnation
    this.#traffic = new InstanceTraffic({
      drained: () => owner.feed({ type: 'drained', incarnation }),
      noted: (notes) => owner.noted(notes),
    })
    const { scope, app, slot } = owner.id
    this.#logs = owner.host.logPaths(scope, app, slot, owner.spec.output)
    this.#logUser = {
      paths: [...new Set([this.#logs.out, this.#logs.err])].filter((path) => path !== null),
      get rotation() {
        return owner.spec.rotation
      },
      tell: (message) => owner.host.record(scope, app, instanceName(app, slot), message),
    }
    this.#logOffsets = logOffsets
  }

  get logOffsets(): LogOffsets {
    return this.#logOffsets
  }

  get process(): ProcIdentity | null {
    return this.#process
  }

  get group(): Group | null {
    return this.#group
  }

  get privateFolder(): string | null {
    return this.#privateFolder
  }

  /** Open ones, as its drain told; null: it did not. */
  get connectionsLeft(): number | null {
    return this.#traffic.connectionsLeft
  }

  get learnt(): readonly Listen[] {
    return this.#given.all
  }

  /** Whether it listens, or may come to listen, on a port that instances were given on request. */
  mayUse(port: Listen): boolean {
    return this.#owner.instance.phase.name !== 'running' || this.#given.mayUse(port, this.#privateFolder)
  }

  get waitingFor(): string | null {
    return this.#waitingFor
  }

  /** Sentences about what is not as the spec asks for, although the process runs. */
  get notes(): readonly string[] {
    const isRunning = this.#owner.instance.phase.name === 'running'
    const probe = this.#probeNote === null || !isRunning ? [] : [this.#probeNote]
    return [...this.#launchNotes, ...(this.#limits?.notes ?? []), ...probe]
  }

  /** Feeds `spawned`, or `exited` with the reason, once whoever asked for it is done. */
  spawn(): void {
    const { spec, id, version, host } = this.#owner
    const { incarnation } = this
    const isAsking = asksForPorts(spec)
    this.#logOffsets = host.logs.begin(this.#logUser)
    const nest = host.trees.begin({ ...id, version })
    host.oom.look()
    let pid: number | null
    try {
      pid = spawnInstance(
        {
          command: commandOf(spec, id.slot),
          cwd: spec.cwd,
          env: {
            ...instanceEnvironment(spec, this.#owner.context),
            ...host.trees.environment(nest),
            ...this.#openNotifySocket(),
            ...this.#openPrivateFolder(),
          },
          attributes: spec.attributes,
          preload: needsPreload(spec) ? host.preload : null,
          stdout: this.#logs.out,
          stderr: this.#logs.err,
          outputs: host.outputs,
          listenFds: host.listenFds(id.scope, id.app, spec.listen),
          hasChannel: isAsking,
          systemdFds: usesSystemdProtocol(spec),
          readyFd: spec.ready.check.type === 'signal' ? readyFd(spec) : null,
        },
        {
          exited: (exit) => this.#exited(exit),
          asked: (asked) => this.#givePort(asked),
          ready: () => void this.#becomeReady(),
          noted: (notes) => this.#note(notes),
        },
      )
    } catch (error) {
      const { message } = error as Error
      setImmediate(() => this.#exited({ kind: 'spawn-error', message, at: Date.now() }))
      pid = null
    }
    if (pid === null) {
      host.logs.end(this.#logUser)
      return host.trees.abandon(nest)
    }
    const spawned = pid
    this.#process = identify(pid)
    this.#group = host.trees.ofChild(pid, nest)
    queueMicrotask(() => this.#owner.feed({ type: 'spawned', incarnation, pid: spawned }))
  }

  /** Takes over the process of a run that an earlier daemon began. */
  adopt(process: ProcIdentity, nest: Nest | null): void {
    this.#process = process
    this.#owner.host.logs.follow(this.#logUser)
    const group = this.#owner.host.trees.ofAdopted(process, nest)
    this.#group = group
    const seen = isAlive(process) ? ({ seen: true } as const) : {}
    group.watchAdopted(() => this.#exited({ kind: 'unknown', ...seen, at: Date.now() }))
    try {
      this.#openNotifySocket()
      if (hasPrivateFolder(this.#owner.spec)) {
        this.#privateFolder = this.#owner.host.probeSockets.path(this.#lastingName, this.#user)
      }
    } catch (error) {
      this.#note([(error as Error).message])
    }
  }

  #givePort(asked: { readonly port?: unknown; readonly host?: unknown }): GivenSocket | null {
    const { id, host } = this.#owner
    const wanted = askedPort(asked, this.#user)
    const handle = wanted && host.learnPort(id.scope, id.app, wanted)
    if (wanted === null || handle === null) return null
    const index = this.#given.add(wanted)
    this.#owner.portsChanged()
    return { handle, index }
  }

  /** Nothing of it lives any more. */
  isOver(): void {
    this.#process = null
    this.#owner.host.logs.end(this.#logUser)
  }

  watchReady(pid: number): void {
    this.#stopReadyWatch()
    const { spec, feed } = this.#owner
    const { incarnation } = this
    if (spec.kind !== 'service') return feed({ type: 'ready', incarnation })
    this.#waitingFor = null
    // It was started with another check.
    if (!isHeldBack(spec) && hasPrivateSockets(spec)) void this.open()
    const subject = {
      ...this.#probed(pid),
      isStarting: true,
      logs: this.#logOffsets.map((from) => this.#owner.host.logs.tail(from)),
    }
    this.#stopReadyWatch = watchReady(spec.ready, subject, {
      ready: () => void this.#becomeReady(),
      waiting: (reason) => {
        this.#waitingFor = this.#shown(reason)
      },
    })
  }

  /** @returns why its ready check fails now; null: it passes, or is none that can be asked again */
  async askReady(pid: number): Promise<string | null> {
    const { check, attemptTimeoutMs } = this.#owner.spec.ready
    if (check.type !== 'http' && check.type !== 'tcp' && check.type !== 'exec') return null
    const subject = { ...this.#probed(pid), isStarting: false }
    const result = await attempt(check, subject, attemptTimeoutMs, new AbortController().signal)
    return result.type === 'failure' ? this.#shown(result.reason) : null
  }

  /** Its start has succeeded: it accepts, and then it counts as ready. */
  async #becomeReady(): Promise<void> {
    if (this.#isOpening) return
    this.#isOpening = true
    const failure = this.#owner.isKeptClosed ? null : await this.open()
    this.#isOpening = false
    if (failure !== null) this.#waitingFor = failure
    else this.#owner.feed({ type: 'ready', incarnation: this.incarnation })
  }

  /** Lets it accept on the addresses that it shares. @returns what keeps it from that; null: nothing */
  open(): Promise<string | null> {
    return this.#traffic.open(this.#privateFolder)
  }

  /** It takes nothing new, and finishes what it has begun; feeds `drained`. */
  drain(): void {
    this.#traffic.drain(this.#privateFolder, this.#owner.spec.stop.signal)
  }

  watchLife(pid: number): void {
    this.#stopLifeWatch()
    this.#probeNote = null
    const { spec, instance, feed } = this.#owner
    const { incarnation } = this
    const isReady = instance.phase.name === 'running' && instance.phase.unready === null
    const subject = { ...this.#probed(pid), isStarting: false, isReady }
    this.#stopLifeWatch = watchLife(spec, subject, {
      readiness: (reason) =>
        feed({ type: 'readiness', incarnation, reason: reason === null ? null : this.#shown(reason) }),
      fault: (reason) =>
        feed({ type: 'fault', incarnation, reason: this.#shown(reason), urgent: false, serves: false }),
      note: (reason) => {
        this.#probeNote = reason === null ? null : this.#shown(reason)
      },
    })
  }

  /** After every step of the instance: watches that its phase has no use for end, its limits are those of the spec. */
  follow(instance: Instance): void {
    const { name } = instance.phase
    if (name !== 'starting') this.#stopReadyWatch()
    if (name !== 'running') this.#stopLifeWatch()
    if (name !== 'stopping' || instance.phase.step !== 'drain') this.#traffic.endDrain()
    if (pidOf(instance) === null && name !== 'starting') {
      this.#closeNotifySocket()
      this.#removePrivateFolder()
    }
    this.#keepLimits(pidOf(instance))
  }

  /** Ends its watches; the processes are left alone. */
  close(): void {
    this.#traffic.close()
    this.#stopReadyWatch()
    this.#stopLifeWatch()
    this.#limits?.close()
    this.#closeNotifySocket()
    this.#group?.close()
    this.#owner.host.logs.end(this.#logUser)
  }

  /** For everybody's eyes: without the secrets and the control characters that a check may have printed. */
  #shown(reason: string): string {
    return neutraliseLines(concealSecrets(reason, this.#owner.spec, this.#owner.context))
  }

  #note(notes: readonly string[]): void {
    this.#launchNotes = [...this.#launchNotes, ...notes]
    this.#owner.noted(notes)
  }

  /** @returns the variable by which it finds the socket; none when its start is not told that way */
  #openNotifySocket(): Record<string, string> {
    const { spec, host } = this.#owner
    if (spec.ready.check.type !== 'notify') return {}
    this.#notifySocket = host.notify.open(this.#lastingName, this.#user, {
      ready: () => void this.#becomeReady(),
      status: (text) => {
        this.#waitingFor = `waiting for READY=1; it says: ${this.#shown(text)}`
      },
    })
    return { NOTIFY_SOCKET: this.#notifySocket.path }
  }

  #closeNotifySocket(): void {
    this.#notifySocket?.close()
    this.#notifySocket = null
  }

  /** @returns the variable by which eco's preload finds the folder; without it the instance runs all the same */
  #openPrivateFolder(): Record<string, string> {
    const { spec, host } = this.#owner
    if (!hasPrivateFolder(spec)) return {}
    try {
      this.#privateFolder = host.probeSockets.open(this.#lastingName, this.#user)
      return { ECO_PROBE_DIR: this.#privateFolder }
    } catch (error) {
      this.#note([`it cannot be drained, nor be told from its siblings: ${(error as Error).message}`])
      return {}
    }
  }

  #removePrivateFolder(): void {
    if (this.#privateFolder !== null) this.#owner.host.probeSockets.remove(this.#privateFolder)
    this.#privateFolder = null
  }

  /** Of this copy in its slot, under whatever daemon. */
  get #lastingName(): string {
    const { scope, app, slot, uid } = this.#owner.id
    return `${scope.project}/${scope.environment}/${app}#${slot}.${uid}`
  }

  /** The user it runs as; null: the daemon's own. */
  get #user(): number | null {
    const { command, attributes } = this.#owner.spec
    return launchBeside(command, attributes).owner
  }

  #exited(exit: Exit): void {
    const { instance, spec, feed } = this.#owner
    this.#group?.leaderEnded()
    const told = this.#attributed(leftBehind(exit, instance, spec, this.#group), instance)
    feed({ type: 'exited', incarnation: this.incarnation, exit: told })
  }

  /** Of a SIGKILL that was not ours, the kernel tells whether its OOM killer sent it. */
  #attributed(exit: Exit, { phase }: Instance): Exit {
    if (exit.kind !== 'signal' || exit.signal !== 'SIGKILL') return exit
    if (phase.name === 'stopping' && phase.killed) return exit
    const cgroup = this.#group?.cgroup ?? null
    const kills = cgroup === null ? null : oomKills(cgroup)
    const isOom = kills === null ? this.#owner.host.oom.hasJustKilled() : kills > 0
    return isOom ? { ...exit, oom: true } : exit
  }

  /** They hold for as long as it has processes. */
  #keepLimits(pid: number | null): void {
    const { spec, host, feed } = this.#owner
    if (pid === null || this.#group === null) {
      this.#limits?.close()
      this.#limits = null
      return
    }
    if (this.#limits === null && spec.limits.memoryBytes === null && spec.limits.cpu === null) return
    const { incarnation } = this
    this.#limits ??= new InstanceLimits(pid, this.#group, {
      cgroups: host.trees.cgroups,
      memory: host.memory,
      exceeded: (reason, urgent) => feed({ type: 'fault', incarnation, reason, urgent, serves: true }),
    })
    if (this.#limits.isApplied(spec.limits)) return
    this.#limits.apply(spec.limits)
    this.#owner.noted(this.#limits.notes)
  }

  #probed(pid: number): Omit<ProbeSubject, 'isStarting'> {
    const { spec, id, host, context } = this.#owner
    const { cwd, attributes } = spec
    // Those it asks for come later.
    const listen = asksForPorts(spec) ? this.#given.all : spec.listen
    // Marked as the instance's own: one that a killed daemon leaves behind goes with the instance.
    const environment = () => ({
      ...commandEnvironment(spec, context, pid, null),
      ...(this.#group === null ? {} : host.trees.environment(this.#group.nest)),
    })
    return { pid, slot: id.slot, cwd, listen, privateFolder: this.#privateFolder, attributes, environment }
  }
}
