import type { RuntimeRecord, RuntimeStore } from '../state/runtime-store.ts'
import { toWall } from '../supervisor/clock.ts'
import type { InstanceRunner } from '../supervisor/instance-runner.ts'

/** Keeps the runtime file of every instance as the next daemon would need it; writes only when that changed. */
export class RuntimeRecorder {
  readonly #store: RuntimeStore
  readonly #written = new WeakMap<InstanceRunner, string>()

  constructor(store: RuntimeStore) {
    this.#store = store
  }

  changed(runner: InstanceRunner): void {
    const record = recordOf(runner)
    // Between the decision to spawn and the pid there is nothing to take over.
    if (record.phase === 'alive' && record.process === null) return
    const key = [
      record.phase,
      record.process?.pid,
      record.isReady,
      record.unready !== undefined,
      record.version,
      record.restarts,
    ].join(':')
    if (this.#written.get(runner) === key) return
    this.#written.set(runner, key)
    try {
      this.#store.save(record)
    } catch (error) {
      // Supervision goes on; the next daemon may not know this instance.
      console.error(`cannot write the runtime file of ${runner.name}: ${(error as Error).message}`)
    }
  }

  removed(runner: InstanceRunner): void {
    this.#store.remove(runner.id)
  }
}

function recordOf(runner: InstanceRunner): RuntimeRecord {
  const { instance, process } = runner
  const { phase } = instance
  return {
    format: 1,
    ...runner.id,
    version: runner.version,
    spec: runner.spec,
    process,
    nest: process === null ? null : (runner.group?.nest ?? null),
    phase: phase.name === 'stopped' || phase.name === 'exited' || phase.name === 'failed' ? phase.name : 'alive',
    reason: phase.name === 'failed' ? phase.reason : '',
    startedAt: 'since' in phase ? toWall(phase.since) : null,
    isReady: phase.name === 'running',
    ...(phase.name === 'running' && phase.unready !== null ? { unready: phase.unready } : {}),
    logOffsets: runner.logOffsets,
    incarnation: instance.incarnation,
    restarts: instance.restarts,
    lastExit: instance.lastExit,
  }
}
