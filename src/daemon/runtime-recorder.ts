import { SPEC_FORMAT } from '../model/applied.ts'
import type { RuntimeRecord, RuntimeStore } from '../state/runtime-store.ts'
import { toWall } from '../supervisor/clock.ts'
import type { Instance, Phase } from '../supervisor/instance-state.ts'
import type { InstanceRunner } from '../supervisor/instance-runner.ts'
import { lifeName } from '../supervisor/proc.ts'
import { listenKey } from '../supervisor/sockets.ts'
import { TurnQueue } from '../supervisor/turn-queue.ts'

const SHARE_MS = 3
const RETRY_MS = 1000

/**
 * Keeps the runtime file of every instance as the next daemon would need it. Only the latest state is written, when it
 * differs: at once, or a few turns of the loop later while many change. A process of which no file tells yet is found by
 * the name of its run.
 */
export class RuntimeRecorder {
  readonly #store: RuntimeStore
  readonly #queue = new TurnQueue(SHARE_MS)
  readonly #written = new WeakMap<InstanceRunner, string>()
  /** Waits for its turn. */
  readonly #changed = new Set<InstanceRunner>()
  /** Could not be written or removed; tried again until it can. */
  readonly #failed = new Map<InstanceRunner, 'save' | 'remove'>()
  #failure: string | null = null
  #isRetrying = false

  constructor(store: RuntimeStore) {
    this.#store = store
  }

  changed(runner: InstanceRunner): void {
    if (this.#changed.has(runner) || keyOf(runner) === this.#written.get(runner)) return
    this.#changed.add(runner)
    this.#queue.add(() => {
      if (this.#changed.delete(runner)) this.#save(runner)
    })
  }

  removed(runner: InstanceRunner): void {
    this.#changed.delete(runner)
    this.#remove(runner)
  }

  /** Writes what waits: the daemon ends. */
  flush(): void {
    for (const runner of this.#changed) this.#save(runner)
    this.#changed.clear()
  }

  get isFlushed(): boolean {
    return this.#changed.size === 0
  }

  /** What a next daemon would not know; null: nothing. */
  get problem(): string | null {
    if (this.#failure === null) return null
    const names = [...this.#failed.keys()].map(({ name }) => name)
    const what = names.length > 3 ? `${names.length} instances` : names.join(', ')
    return `The state of ${what} cannot be written: ${this.#failure}. Supervision goes on; it is tried again every second.\n  hint: free space on the disk`
  }

  #save(runner: InstanceRunner): void {
    const key = keyOf(runner)
    const record = recordOf(runner)
    // Between the decision to spawn and the pid there is nothing to take over.
    if (key === this.#written.get(runner) || (record.phase === 'alive' && record.process === null)) return
    this.#attempt(runner, 'save', () => {
      this.#store.save(record)
      this.#written.set(runner, key)
    })
  }

  #remove(runner: InstanceRunner): void {
    this.#attempt(runner, 'remove', () => this.#store.remove(runner.id))
  }

  #attempt(runner: InstanceRunner, what: 'save' | 'remove', work: () => void): void {
    try {
      work()
      this.#failed.delete(runner)
      if (this.#failed.size > 0 || this.#failure === null) return
      console.error('the state of all instances is written again')
      this.#failure = null
    } catch (error) {
      this.#failed.set(runner, what)
      const { message } = error as Error
      if (this.#failure === null) {
        console.error(
          `cannot write the state of ${runner.name}: ${message}; supervision goes on, and it is tried again`,
        )
      }
      this.#failure = message
      if (this.#isRetrying) return
      this.#isRetrying = true
      setTimeout(() => this.#again(), RETRY_MS).unref()
    }
  }

  #again(): void {
    this.#isRetrying = false
    for (const [runner, what] of this.#failed) {
      this.#queue.add(() => {
        if (this.#failed.get(runner) !== what) return
        if (what === 'remove') return this.#remove(runner)
        // It may need no file any more.
        this.#failed.delete(runner)
        this.#save(runner)
        if (this.#failed.size === 0) this.#failure = null
      })
    }
  }
}

/** Changes with whatever the next daemon needs. */
function keyOf(runner: InstanceRunner): string {
  const { isReady, version, restarts, phase, process, unready, isLeaving, learnt = [], ...more } = recordOf(runner)
  const { until, ending, history } = more
  const flags = [
    isReady,
    unready !== undefined,
    isLeaving,
    until,
    ending?.killed,
    history?.inARow,
    history?.marks.length,
  ]
  return [phase, process?.pid, version, restarts, ...flags, ...learnt.map(listenKey)].join(':')
}

function recordOf(runner: InstanceRunner): RuntimeRecord {
  const { instance, process } = runner
  const { phase } = instance
  // Between two attempts of a run there is no process, and the next daemon does not go on with it.
  const waits = phase.name === 'backoff' && runner.spec.kind === 'service'
  const cutShort = phase.name === 'backoff' && runner.spec.kind !== 'service'
  return {
    format: 1,
    spec_format: SPEC_FORMAT,
    ...runner.id,
    version: runner.version,
    spec: runner.spec,
    process,
    nest: process === null ? null : (runner.group?.nest ?? null),
    phase: cutShort ? 'failed' : waits || ENDED.has(phase.name) ? (phase.name as RuntimeRecord['phase']) : 'alive',
    ...(waits ? { until: toWall(phase.until) } : {}),
    reason: cutShort ? `${phase.reason}; the daemon ended before its next attempt` : reasonOf(phase),
    life: lifeName(),
    startedAt: 'since' in phase ? toWall(phase.since) : null,
    isReady: phase.name === 'running',
    ...(isLeaving(phase) ? { isLeaving: true } : {}),
    ...endOf(phase),
    ...(phase.name === 'running' && phase.unready !== null ? { unready: phase.unready } : {}),
    ...(process !== null && runner.learnt.length > 0 ? { learnt: runner.learnt } : {}),
    logOffsets: runner.logOffsets,
    incarnation: instance.incarnation,
    restarts: instance.restarts,
    ...historyOf(instance),
    lastExit: instance.lastExit,
  }
}

const ENDED: ReadonlySet<Phase['name']> = new Set(['stopped', 'exited', 'failed'])

/** Once it has been asked to end, it ends by itself. */
function isLeaving(phase: Phase): boolean {
  return phase.name === 'stopping' && (phase.step === 'pre_stop' || phase.step === 'drain')
}

function endOf(phase: Phase): Pick<RuntimeRecord, 'ending'> {
  if (phase.name !== 'stopping' || phase.step !== 'ending') return {}
  const { killed, fault } = phase
  const [deadline, readyAt] = [phase.deadline, phase.readyAt].map((at) => (at === null ? null : toWall(at)))
  return { ending: { deadline: deadline ?? null, readyAt: readyAt ?? null, killed, fault } }
}

/** Its clock is its own: it counts the time that the instance was up. */
function historyOf({ history }: Instance): Pick<RuntimeRecord, 'history'> {
  return history.marks.length > 0 || history.inARow > 0 ? { history } : {}
}

function reasonOf(phase: Phase): string {
  return phase.name === 'failed' || phase.name === 'backoff' ? phase.reason : ''
}
