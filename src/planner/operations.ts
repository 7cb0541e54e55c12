import { instanceName } from '../model/ids.ts'
import type { Operation, StepAction } from '../model/plan.ts'
import { fenceposts, inRolloutOrder, isRolledOut, nextMoves, type RolloutSlot } from '../model/rollout.ts'
import type { Rollout } from '../model/spec.ts'

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
  readonly rollout: Rollout
}

const NONE: readonly Operation[] = []

/** Expands a step to what happens to each instance, in order: the preview of its rollout. */
export function expandOperations(step: Expandable): readonly Operation[] {
  if (step.action === 'update' || step.action === 'schedule') return NONE
  const operations: Operation[] = []
  const add = (op: Operation['op'], slot: number, version: number) =>
    operations.push({ op, instance: instanceName(step.app, slot), version })
  const stop = (slot: number) => {
    const version = step.running.get(slot)
    if (version === undefined) return
    add('stop', slot, version)
    add('wait_exit', slot, version)
  }
  if (step.action === 'roll') {
    for (const { op, slot } of previewRoll(step)) {
      if (op === 'stop') stop(slot)
      else add(op, slot, step.version)
    }
    return operations
  }
  const down = step.action === 'stop' || step.action === 'remove'
  for (const slot of step.slots) {
    stop(slot)
    if (down || slot >= step.to) continue
    add('start', slot, step.version)
    add(step.until, slot, step.version)
  }
  return operations
}

/**
 * What a rollout does when all goes well: the moves of the rollout itself, one look after the other, with every new
 * instance available by the next.
 */
function previewRoll({
  slots,
  to,
  running,
  rollout,
}: Expandable): { op: 'start' | 'wait_ready' | 'stop'; slot: number }[] {
  const limits = fenceposts(rollout, to)
  const isMeant = new Set(slots)
  let now = inRolloutOrder([...slots, ...running.keys()], to, rollout).map((slot): RolloutSlot => {
    const isKept = slot < to && !isMeant.has(slot)
    return { slot, old: !isKept && running.has(slot) ? 'available' : 'none', fresh: isKept ? 'available' : 'none' }
  })
  const operations: { op: 'start' | 'wait_ready' | 'stop'; slot: number }[] = []
  while (!isRolledOut(now, to)) {
    const moves = nextMoves(now, limits)
    const [starts, stops] = (['start', 'stop'] as const).map((kind) =>
      moves.filter(({ move }) => move === kind).map(({ slot }) => slot),
    ) as [number[], number[]]
    for (const slot of stops) operations.push({ op: 'stop', slot })
    for (const op of ['start', 'wait_ready'] as const) for (const slot of starts) operations.push({ op, slot })
    now = now.map((it) => ({
      slot: it.slot,
      old: stops.includes(it.slot) ? 'none' : it.old,
      fresh: starts.includes(it.slot) ? 'available' : it.fresh,
    }))
    if (moves.length === 0) throw new Error('Internal error: a rollout that does not go on')
  }
  return operations
}
