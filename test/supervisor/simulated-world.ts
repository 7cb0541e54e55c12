/** A machine without processes: carries out the effects of one instance and checks what must hold at every moment. */

import type { Exit } from '../../src/model/observed.ts'
import type { HookName } from '../../src/model/spec.ts'
import {
  type Effect,
  type Instance,
  type InstanceEvent,
  type LifePolicy,
  NEW_INSTANCE,
  pidOf,
} from '../../src/supervisor/instance-state.ts'
import { transition } from '../../src/supervisor/transition.ts'

/** The processes of one incarnation. */
interface Group {
  readonly incarnation: number
  readonly pid: number
  leaderAlive: boolean
  /** Descendants of the leader that live. */
  members: number
  askedAt: number | null
  killed: boolean
  /** When it was asked to drain. */
  drainedFrom: number | null
  /** The end of the leader has been reported. */
  reported: boolean
}

export type Action =
  | {
      readonly do:
        | 'start'
        | 'stop'
        | 'reset'
        | 'spawn-error'
        | 'ready'
        | 'members-end'
        | 'report-empty'
        | 'early-deadline'
        | 'drained'
    }
  | { readonly do: 'readiness'; readonly reason: string | null }
  | { readonly do: 'fault'; readonly urgent: boolean; readonly serves: boolean }
  | { readonly do: 'hook-ends'; readonly failure: string | null }
  | { readonly do: 'spawned'; readonly members: number }
  | { readonly do: 'end'; readonly code: number | null }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'late'; readonly event: LateEvent; readonly age: number }

export type LateEvent =
  | 'spawned'
  | 'ready'
  | 'drained'
  | 'exited'
  | 'group-empty'
  | 'readiness'
  | 'fault'
  | 'hook-ended'

export class SimulatedWorld {
  now = 1_000_000
  instance: Instance = NEW_INSTANCE
  readonly #policy: LifePolicy
  #deadline: number | null = null
  #spawning: number | null = null
  #group: Group | null = null
  #awaited: number | null = null
  #hook: { readonly name: HookName; readonly incarnation: number; cancelled: boolean } | null = null
  #urgent = false
  #nextPid = 100

  constructor(policy: LifePolicy) {
    this.#policy = policy
  }

  act(action: Action): void {
    switch (action.do) {
      case 'start':
      case 'stop':
      case 'reset':
        this.#feed({ type: action.do })
        break
      case 'spawned':
        this.#spawned(action.members)
        break
      case 'spawn-error':
        this.#spawnError()
        break
      case 'ready':
        if (this.#group?.leaderAlive) this.#feed({ type: 'ready', incarnation: this.#group.incarnation })
        break
      case 'readiness':
        if (this.#group?.leaderAlive) {
          this.#feed({ type: 'readiness', incarnation: this.#group.incarnation, reason: action.reason })
        }
        break
      case 'fault':
        this.#fault(action.urgent, action.serves)
        break
      case 'drained':
        this.#drained()
        break
      case 'hook-ends':
        this.#hookEnds(action.failure)
        break
      case 'end':
        if (this.#group?.leaderAlive) this.#group.leaderAlive = false
        this.#reportExit(exitOf(action.code, this.now))
        break
      case 'members-end':
        if (this.#group) this.#group.members = 0
        break
      case 'report-empty':
        this.#reportEmpty()
        break
      case 'pass':
        this.#pass(action.ms)
        break
      case 'early-deadline':
        if (this.#deadline !== null && this.#deadline > this.now) this.#feed({ type: 'deadline' })
        break
      case 'late':
        this.#late(action.event, action.age)
        break
    }
    this.#check()
  }

  /** From now on every process does what it is asked, and every report arrives. */
  cooperate(): void {
    for (let i = 0; i < 200; i++) {
      const before = this.instance
      if (this.#hook !== null) {
        this.act({ do: 'hook-ends', failure: null })
        continue // one that was cancelled changes nothing
      }
      if (this.#spawning !== null) this.act({ do: 'spawned', members: 0 })
      else if (this.instance.phase.name === 'stopping' && this.instance.phase.step === 'drain')
        this.act({ do: 'drained' })
      else if (this.#group && this.#group.askedAt !== null) {
        this.act({ do: 'members-end' })
        this.act({ do: 'end', code: null })
        this.act({ do: 'report-empty' })
      } else if (this.instance.phase.name === 'starting') this.act({ do: 'ready' })
      else if (this.#deadline !== null) this.act({ do: 'pass', ms: this.#deadline - this.now })
      if (this.instance === before && this.#deadline === null) return
    }
  }

  #feed(event: InstanceEvent): void {
    const { instance, effects } = transition(this.instance, event, this.#policy, this.now)
    this.instance = instance
    for (const effect of effects) this.#carryOut(effect)
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'spawn':
        must(this.#spawning === null, 'two spawns at once')
        must(this.#group === null, 'spawned while a group may be alive')
        must(effect.incarnation === this.instance.incarnation, 'spawned another incarnation than its own')
        this.#spawning = effect.incarnation
        break
      case 'signal-group':
        this.#signal(effect.pid, effect.signal)
        break
      case 'await-group':
        must(effect.pid === this.#group?.pid, 'awaits another group')
        this.#awaited = effect.incarnation
        break
      case 'set-deadline':
        this.#deadline = effect.at
        break
      case 'run-hook':
        must(this.#hook === null || this.#hook.cancelled, 'two hooks at once')
        must(effect.incarnation === this.instance.incarnation, 'a hook of another incarnation')
        must(
          (effect.hook === 'pre_start' || effect.hook === 'post_stop') === (this.#group === null),
          'a hook out of turn',
        )
        this.#hook = { name: effect.hook, incarnation: effect.incarnation, cancelled: false }
        break
      case 'cancel-hook':
        if (this.#hook) this.#hook.cancelled = true
        break
      case 'drain':
        must(effect.pid === this.#group?.pid, 'drains another process')
        must(this.#policy.drainMs > 0, 'drains although there is no drain')
        must(this.#group?.leaderAlive === true || !this.#group?.reported, 'drains what has ended')
        if (this.#group) {
          must(this.#group.drainedFrom === null, 'drains twice')
          must(this.#group.askedAt === null, 'drains what was asked to end')
          this.#group.drainedFrom = this.now
        }
        break
      case 'ask-to-stop':
        must(effect.pid === this.#group?.pid, 'asks another process to stop')
        if (this.#group) this.#group.askedAt ??= this.now
        break
      case 'watch-life':
      case 'watch-ready':
        must(effect.pid === this.#group?.pid, 'watches another process')
        break
      case 'record':
        break
    }
  }

  #signal(pid: number, signal: NodeJS.Signals): void {
    const group = this.#group
    must(pid === group?.pid, 'a signal to a process that is not the current incarnation')
    if (!group) return
    if (signal !== 'SIGKILL') {
      group.askedAt ??= this.now
      return
    }
    group.killed = true
    if (this.#urgent) return
    must(group.askedAt !== null, 'killed without having been asked')
    must(this.now >= (group.askedAt ?? 0) + this.#policy.stop.timeoutMs, 'killed within the grace')
  }

  #spawned(members: number): void {
    if (this.#spawning === null) return
    const incarnation = this.#spawning
    const pid = this.#nextPid++
    this.#spawning = null
    this.#group = {
      incarnation,
      pid,
      leaderAlive: true,
      members,
      askedAt: null,
      drainedFrom: null,
      killed: false,
      reported: false,
    }
    this.#feed({ type: 'spawned', incarnation, pid })
  }

  #spawnError(): void {
    if (this.#spawning === null) return
    const incarnation = this.#spawning
    this.#spawning = null
    this.#feed({ type: 'exited', incarnation, exit: { kind: 'spawn-error', message: 'ENOENT', at: this.now } })
  }

  #fault(urgent: boolean, serves: boolean): void {
    if (!this.#group) return
    if (urgent) this.#urgent = true
    this.#group.askedAt ??= urgent ? this.now : null
    this.#feed({ type: 'fault', incarnation: this.#group.incarnation, reason: 'too much', urgent, serves })
  }

  #drained(): void {
    const group = this.#group
    if (group === null || group.drainedFrom === null) return
    const { phase } = this.instance
    const isDraining = phase.name === 'stopping' && phase.step === 'drain'
    this.#feed({ type: 'drained', incarnation: group.incarnation })
    if (isDraining) must(group.askedAt !== null, 'drained, and not asked to end')
  }

  #hookEnds(failure: string | null): void {
    if (!this.#hook) return
    const { name, incarnation, cancelled } = this.#hook
    this.#hook = null
    this.#feed({ type: 'hook-ended', incarnation, hook: name, failure: cancelled ? 'was cancelled' : failure })
  }

  #reportExit(exit: Exit): void {
    const group = this.#group
    if (!group || group.leaderAlive || group.reported) return
    group.reported = true
    this.#feed({ type: 'exited', incarnation: group.incarnation, exit })
  }

  #reportEmpty(): void {
    const group = this.#group
    if (!group || !group.reported || group.members > 0 || this.#awaited !== group.incarnation) return
    this.#group = null
    this.#awaited = null
    this.#urgent = false
    this.#feed({ type: 'group-empty', incarnation: group.incarnation })
  }

  #pass(ms: number): void {
    const until = this.now + ms
    while (this.#deadline !== null && this.#deadline <= until) {
      this.now = Math.max(this.now, this.#deadline)
      this.#deadline = null
      this.#feed({ type: 'deadline' })
      if (this.#group?.killed) {
        this.#group.members = 0
        this.#group.leaderAlive = false
      }
    }
    this.now = until
  }

  #late(event: LateEvent, age: number): void {
    const incarnation = this.instance.incarnation - age
    const before = this.instance
    const late: InstanceEvent =
      event === 'spawned'
        ? { type: event, incarnation, pid: 7 }
        : event === 'exited'
          ? { type: event, incarnation, exit: exitOf(1, this.now) }
          : lateOf(event, incarnation)
    const { instance, effects } = transition(before, late, this.#policy, this.now)
    must(instance === before && effects.length === 0, 'an event of an older incarnation changed something')
  }

  #check(): void {
    const { phase } = this.instance
    must(pidOf(this.instance) === (this.#group?.pid ?? null), 'the phase does not name the process that is there')
    const step = 'step' in phase ? phase.step : null
    const inHook = step !== null && step.includes('_')
    if (step === 'drain') {
      const until = (this.#group?.drainedFrom ?? Number.NaN) + this.#policy.drainMs
      must(this.now <= until, 'drains for longer than it may')
    }
    if (inHook) must(this.#hook?.name === step, `${phase.name}, but its ${step} hook does not run`)
    const runs = phase.name === 'running' && this.#policy.runTimeoutMs !== null
    const waits = phase.name === 'backoff' || step === 'ready' || step === 'ending' || step === 'drain' || runs
    if (waits) must(this.#deadline !== null, `${phase.name} without a deadline`)
    else must(this.#deadline === null, `${phase.name} ${step ?? ''} with a deadline`)
  }
}

/** Plain, not expect(): it is asked millions of times. */
function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise)
}

function exitOf(code: number | null, at: number): Exit {
  return code === null ? { kind: 'signal', signal: 'SIGTERM', at } : { kind: 'code', code, at }
}

function lateOf(event: Exclude<LateEvent, 'spawned' | 'exited'>, incarnation: number): InstanceEvent {
  switch (event) {
    case 'readiness':
      return { type: event, incarnation, reason: 'late' }
    case 'fault':
      return { type: event, incarnation, reason: 'late', urgent: true, serves: true }
    case 'hook-ended':
      return { type: event, incarnation, hook: 'pre_start', failure: null }
    case 'ready':
    case 'drained':
    case 'group-empty':
      return { type: event, incarnation }
  }
}
