import type { AppliedApp } from '../../model/applied.ts'
import { isOneOf } from '../../model/exit.ts'
import { describeExit } from '../../model/observed.ts'
import {
  type Fenceposts,
  fenceposts,
  inRolloutOrder,
  isRolledOut,
  nextMoves,
  type RolloutSlot,
  type RolloutStatus,
} from '../../model/rollout.ts'
import type { AppGroup } from '../../supervisor/app-group.ts'
import type { InstanceRunner } from '../../supervisor/instance-runner.ts'
import type { StepOutcome } from '../engine.ts'
import { logTail } from './log-tail.ts'
import { AT_ONCE, type Failure, type Progress, prove } from './prove.ts'
import { CUT_SHORT, notBroughtBack, retire } from './replace.ts'

export interface RolloutRequest {
  readonly group: AppGroup
  readonly before: AppliedApp
  readonly after: AppliedApp
  readonly wanted: number
  /** The slots that get a new instance; those left out keep theirs. */
  readonly slots: readonly number[]
  /** Instances that run the new version already are not replaced. */
  readonly goesOn: boolean
  readonly progress: Progress
  /** Cuts it short: who gave it decides what becomes of the app. */
  readonly signal: AbortSignal
}

/** `kept`: it is right as it is, and nobody waits for it. `proven`: in this incarnation; another one is a failure. */
type Fresh = { readonly state: 'proving' | 'kept' } | { readonly state: 'proven'; readonly incarnation: number }

/**
 * One rollout, from the canary to the end of the last old instance. Level-based: after every change it looks at what
 * there is, and does what `nextMoves` allows.
 */
export class RolloutRun {
  readonly #request: RolloutRequest
  readonly #limits: Fenceposts
  readonly #since = Date.now()
  readonly #isReverse: boolean
  /** Successors, and the instances of slots that are left alone. */
  readonly #fresh = new Map<InstanceRunner, Fresh>()
  /** What was told to stop, until it is gone. */
  readonly #leaving = new Map<InstanceRunner, Promise<void>>()
  /** Slots that had an instance of the old version in the beginning. */
  readonly #original: readonly number[]
  #failure: Failure | null = null
  #abortedBy: string | null = null
  #paused: string | null = null
  #isGoingBack = false
  #isFinishing = false
  #isOver = false
  #started = 0
  #deadline: NodeJS.Timeout | undefined
  #wake: () => void = () => {}
  #ended: Promise<StepOutcome> | null = null

  /** @param survivors of a rollout that goes back: the instances that are right already */
  constructor(request: RolloutRequest, survivors: readonly InstanceRunner[] | null = null) {
    this.#request = request
    this.#isReverse = survivors !== null
    const { group, before, after, wanted, slots } = request
    this.#limits = fenceposts(after.spec.rollout, wanted)
    this.#original = group.runners.filter(({ version }) => version === before.version).map(({ id }) => id.slot)
    const replaced = new Set(slots)
    for (const runner of group.runners) {
      const { slot } = runner.id
      if (slot >= wanted || runner.instance.wanted === 'down') continue
      if (survivors?.includes(runner) || !replaced.has(slot)) this.#fresh.set(runner, { state: 'kept' })
      // Left by a rollout to the same version that did not get to its end.
      else if (request.goesOn && runner.version === after.version) this.#take(runner)
    }
  }

  /** Nothing is left to do but to wait for the end of the old instances. */
  get isFinishing(): boolean {
    return this.#isFinishing
  }

  get status(): RolloutStatus {
    const { before, after, wanted } = this.#request
    const updated = [...this.#fresh.values()].filter(({ state }) => state !== 'proving').length
    const [unproven] = [...this.#fresh].find(([, { state }]) => state === 'proving') ?? []
    const waiting = unproven ? `${unproven.name} ${unproven.waitingFor ?? 'has not proved itself yet'}` : null
    return {
      state: this.#isGoingBack ? 'rolling-back' : this.#paused === null ? 'progressing' : 'paused',
      fromVersion: before.version,
      toVersion: after.version,
      updated,
      wanted,
      since: this.#since,
      reason: this.#failure?.reason ?? this.#paused ?? waiting,
    }
  }

  /**
   * No further instance is started or stopped until `resume`; those on their way go on.
   *
   * @returns false: it goes back, or all that is left is the end of the old instances, and nothing pauses that
   */
  pause(by: string): boolean {
    if (this.#isGoingBack || this.#abortedBy !== null || this.#isFinishing) return false
    this.#paused ??= `paused by ${by}`
    clearTimeout(this.#deadline)
    this.#tell(this.#paused)
    return true
  }

  resume(by: string): void {
    if (this.#paused === null || this.#isGoingBack || this.#abortedBy !== null) return
    this.#paused = null
    this.#tell(`resumed by ${by}`)
    this.#expectProgress()
    this.#wake()
  }

  /** The old version comes back. @returns how that went */
  abort(by: string): Promise<StepOutcome> {
    this.#abortedBy ??= by
    this.#wake()
    return this.#ended ?? Promise.resolve(CUT_SHORT)
  }

  run(): Promise<StepOutcome> {
    this.#ended ??= this.#run().finally(() => {
      this.#isOver = true
      clearTimeout(this.#deadline)
    })
    return this.#ended
  }

  async #run(): Promise<StepOutcome> {
    const { group, signal } = this.#request
    const wake = (): void => this.#wake()
    signal.addEventListener('abort', wake)
    const off = group.onChange(wake)
    this.#expectProgress()
    this.#dropDoubles()
    try {
      for (;;) {
        const outcome = await this.#step()
        if (outcome !== null) return outcome
      }
    } finally {
      off()
      signal.removeEventListener('abort', wake)
    }
  }

  /** Rollouts that failed and kept both versions leave several old ones in a slot: one is enough, best one that serves. */
  #dropDoubles(): void {
    const olds = this.#request.group.runners.filter((runner) => isUp(runner) && !this.#fresh.has(runner))
    for (const runner of olds) {
      const siblings = olds.filter(({ id }) => id.slot === runner.id.slot)
      if (runner !== (siblings.find(isReady) ?? siblings.at(-1))) this.#retire(runner)
    }
  }

  /** One look at what there is, and what follows from it. @returns null: it goes on */
  async #step(): Promise<StepOutcome | null> {
    const { signal } = this.#request
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    if (signal.aborted) return this.#cutShort()
    if (this.#abortedBy !== null) return this.#goBack({ reason: `it was aborted by ${this.#abortedBy}`, log: [] })
    this.#failure ??= this.#relapse()
    if (this.#failure !== null && !(await this.#mayGoOn(this.#failure, woken))) return this.#give(this.#failure)
    if (this.#failure !== null) return null
    if (this.#paused === null) {
      const slots = this.#slots()
      if (isRolledOut(slots, this.#limits.wanted)) return this.#finish()
      const moves = nextMoves(slots, this.#limits)
      for (const { move, slot } of moves) {
        if (move === 'start') this.#start(slot)
        else this.#stop(slot)
      }
      if (moves.length > 0) return null
    }
    await woken
    return null
  }

  #slots(): RolloutSlot[] {
    const { group, after, wanted, slots } = this.#request
    const here = group.runners.filter((runner) => isUp(runner) || this.#fresh.has(runner))
    const known = [...slots, ...here.map(({ id }) => id.slot)]
    return inRolloutOrder(known, wanted, after.spec.rollout).map((slot) => {
      const mine = here.filter((runner) => runner.id.slot === slot)
      const olds = mine.filter((runner) => !this.#fresh.has(runner))
      const old = olds.some(isReady) ? 'available' : olds.length > 0 ? 'unavailable' : 'none'
      const fresh = mine.find((runner) => this.#fresh.has(runner))
      if (!fresh) return { slot, old, fresh: 'none' }
      const { state } = this.#fresh.get(fresh) ?? {}
      if (state !== 'proving' && (isReady(fresh) || hasDoneItsWork(fresh))) return { slot, old, fresh: 'available' }
      return { slot, old, fresh: state === 'kept' ? 'left' : 'starting' }
    })
  }

  /** A successor that has ended since it had proved itself was not as good as it looked. */
  #relapse(): Failure | null {
    if (this.#isReverse) return null
    for (const runner of this.#fresh.keys()) {
      if (!this.#hasRelapsed(runner)) continue
      const { phase, lastExit } = runner.instance
      const exit = phase.name === 'stopping' ? phase.exit : lastExit
      const why = exit === null ? 'had to be restarted' : describeExit(exit)
      return { reason: `${runner.name} ${why} after it had been ready`, log: logTail(runner) }
    }
    return null
  }

  #hasRelapsed(runner: InstanceRunner): boolean {
    const fresh = this.#fresh.get(runner)
    const { wanted, phase, incarnation } = runner.instance
    if (fresh?.state !== 'proven' || wanted === 'down' || hasDoneItsWork(runner)) return false
    return incarnation !== fresh.incarnation || phase.name !== 'running'
  }

  #start(slot: number): void {
    const { group, after, slots, wanted } = this.#request
    const count = slots.filter((it) => it < wanted).length
    this.#tell(`replacing ${group.app}#${slot} (${++this.#started} of ${count})`)
    const serves = group.runners.some(isReady)
    for (const ended of group.runners) if (ended.id.slot === slot && !isUp(ended)) this.#retire(ended)
    const runner = group.add(slot, after)
    // Who has nothing to lose gets its traffic as soon as there is somebody to answer it.
    if (serves && !this.#isReverse) runner.keepClosed()
    runner.start()
    this.#take(runner)
  }

  /** A successor is watched until it has proved itself, or failed. */
  #take(runner: InstanceRunner): void {
    this.#fresh.set(runner, { state: 'proving' })
    const { rollout } = this.#request.after.spec
    const isCanary = ![...this.#fresh.values()].some(({ state }) => state === 'proven')
    const proof = this.#isReverse ? AT_ONCE : { soakMs: rollout.soakMs, check: isCanary ? rollout.check : null }
    void prove(runner, proof, (message) => this.#tell(message)).then(async (failure) => {
      if (this.#fresh.get(runner)?.state !== 'proving') return // taken back meanwhile
      if (failure === null) {
        await runner.open()
        if (this.#fresh.get(runner)?.state !== 'proving') return
        this.#fresh.set(runner, { state: 'proven', incarnation: runner.instance.incarnation })
        this.#expectProgress()
      } else this.#failure ??= failure
      this.#wake()
    })
  }

  #stop(slot: number): void {
    const { group } = this.#request
    for (const runner of group.runners) {
      if (runner.id.slot === slot && isUp(runner) && !this.#fresh.has(runner)) this.#retire(runner)
    }
  }

  #retire(runner: InstanceRunner): void {
    if (this.#leaving.has(runner)) return
    const gone = retire(this.#request.group, runner).finally(() => this.#leaving.delete(runner))
    this.#leaving.set(runner, gone)
  }

  #expectProgress(): void {
    const { deadlineMs } = this.#request.after.spec.rollout
    clearTimeout(this.#deadline)
    if (this.#paused !== null || this.#isGoingBack || this.#isOver) return
    this.#deadline = setTimeout(() => {
      const { reason } = this.status
      const why = reason === null ? '' : `: ${reason}`
      this.#failure ??= { reason: `no further instance became available within ${deadlineMs / 1000}s${why}`, log: [] }
      this.#wake()
    }, deadlineMs)
  }

  /** All that is wanted is there; what is left of the old goes, and is waited for. */
  async #finish(): Promise<StepOutcome> {
    const { group, signal } = this.#request
    this.#isFinishing = true
    clearTimeout(this.#deadline)
    // Those that had ended by themselves are forgotten.
    for (const runner of group.runners) if (!this.#fresh.has(runner)) this.#retire(runner)
    if (this.#leaving.size > 0) this.#tell(`waiting for ${count(this.#leaving.size, 'old instance')} to end`)
    await Promise.race([Promise.all(this.#leaving.values()), whenAborted(signal)])
    return { status: 'done' }
  }

  async #cutShort(): Promise<StepOutcome> {
    await this.#dropUnproven()
    return { status: 'skipped', reason: String(this.#request.signal.reason) }
  }

  /** A successor that has not proved itself serves nobody. */
  async #dropUnproven(): Promise<void> {
    const { group } = this.#request
    const unproven = [...this.#fresh].flatMap(([runner, { state }]) => (state === 'proving' ? [runner] : []))
    for (const runner of unproven) this.#fresh.delete(runner)
    await Promise.all(unproven.map((runner) => retire(group, runner)))
  }

  /** With `on_failure: pause` the operator decides. @returns false: what follows a failure follows */
  async #mayGoOn({ reason }: Failure, woken: Promise<void>): Promise<boolean> {
    const { onFailure } = this.#request.after.spec.rollout
    if (onFailure !== 'pause' || this.#isReverse) return false
    clearTimeout(this.#deadline)
    if (this.#paused === null) {
      const { app } = this.#request.group
      this.#paused = reason
      this.#tell(
        `${reason}; paused: eco rollout resume ${app} tries again, eco rollout abort ${app} goes back`,
        'paused',
      )
    }
    await woken
    if (this.#paused === null) {
      await this.#dropUnproven()
      this.#proveAgain()
      this.#failure = null
    }
    return true
  }

  /** A successor that has ended since it had proved itself gets another chance. */
  #proveAgain(): void {
    for (const runner of this.#fresh.keys()) {
      if (!this.#hasRelapsed(runner)) continue
      if (isUp(runner)) this.#take(runner)
      else this.#fresh.delete(runner)
    }
  }

  async #give(failure: Failure): Promise<StepOutcome> {
    if (this.#isReverse) return { status: 'failed', ...failure }
    if (this.#request.after.spec.rollout.onFailure !== 'keep') return this.#goBack(failure)
    // They stay as they are, and get their traffic once they are ready.
    await Promise.all([...this.#fresh.keys()].map((runner) => runner.open()))
    return { status: 'kept', ...failure }
  }

  /** Brings the old version back where it is gone, in the same careful way. */
  async #goBack(failure: Failure): Promise<StepOutcome> {
    const { group, before, after, signal } = this.#request
    clearTimeout(this.#deadline)
    this.#isGoingBack = true
    this.#failure = failure
    this.#tell(`${failure.reason}; going back to version ${before.version}`)
    await this.#dropUnproven()
    // Instances of the same version that have proved themselves are as good as those they replaced.
    const isRight = (runner: InstanceRunner): boolean =>
      isUp(runner) && (runner.version === before.version || before.version === after.version)
    const survivors = group.runners.filter(isRight)
    // A rollout that this one took over may have stopped some of the old ones, or started more than there were.
    const applied = before.version === after.version ? 0 : before.spec.instances
    const wanted = Math.max(applied, ...this.#original.map((slot) => slot + 1))
    const request = { ...this.#request, before: after, after: before, wanted, slots: range(wanted), goesOn: true }
    const outcome = await new RolloutRun({ ...request, signal }, survivors).run()
    if (outcome.status === 'skipped') return outcome
    if (outcome.status === 'done') {
      const serves = group.runners.some(isReady)
      return { status: 'rolled-back', ...failure, ...(serves ? {} : { isDown: true as const }) }
    }
    return notBroughtBack(failure, outcome)
  }

  #tell(message: string, status: 'progress' | 'paused' = 'progress'): void {
    this.#request.progress(message, status)
  }
}

function isUp({ instance: { wanted, phase } }: InstanceRunner): boolean {
  return wanted === 'up' && phase.name !== 'failed' && phase.name !== 'exited' && phase.name !== 'stopped'
}

function isReady({ instance: { wanted, phase } }: InstanceRunner): boolean {
  return wanted === 'up' && phase.name === 'running' && phase.unready === null
}

/** It has ended with success, and is left so. */
function hasDoneItsWork({ instance: { phase, lastExit }, spec }: InstanceRunner): boolean {
  return phase.name === 'exited' && isOneOf(lastExit, spec.restart.successExitCodes)
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index)
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
