import { instanceName } from '../model/ids.ts'
import type { Operation, StepAction } from '../model/plan.ts'

/** A step before its operations. */
export interface Expandable {
  readonly app: string
  readonly action: StepAction
  readonly slots: readonly number[]
  /** Slots below it are started, the others stopped. */
  readonly to: number
  /** Version that is started. */
  readonly version: number
  /** Version each slot runs now; a slot without a process is absent. */
  readonly running: ReadonlyMap<number, number>
  /** What ends a start: readiness, or for a job its exit. */
  readonly until: 'wait_ready' | 'wait_exit'
}

const NONE: readonly Operation[] = []

/**
 * Expands a step to what happens to each instance, in order: the preview of its rollout.
 *
 * A roll starts the new instance, waits until it is ready, then stops the old one (surge 1, unavailable 0); a restart
 * stops first. Slots that are added come after those that are replaced, and slots that go are stopped last, highest first.
 */
export function expandOperations(step: Expandable): readonly Operation[] {
  if (step.action === 'update' || step.action === 'schedule') return NONE
  const operations: Operation[] = []
  const add = (op: Operation['op'], slot: number, version: number) =>
    operations.push({ op, instance: instanceName(step.app, slot), version })
  const start = (slot: number) => {
    add('start', slot, step.version)
    add(step.until, slot, step.version)
  }
  const stop = (slot: number, wait: boolean) => {
    const version = step.running.get(slot)
    if (version === undefined) return
    add('stop', slot, version)
    if (wait) add('wait_exit', slot, version)
  }
  const down = step.action === 'stop' || step.action === 'remove'
  for (const slot of step.slots) {
    if (down || slot >= step.to) {
      stop(slot, true)
    } else if (step.action === 'roll') {
      start(slot)
      stop(slot, true)
    } else {
      stop(slot, true)
      start(slot)
    }
  }
  return operations
}
