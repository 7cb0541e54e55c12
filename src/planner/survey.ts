import { unreachable } from '../errors.ts'
import { isOneOf } from '../model/exit.ts'
import type { ExitStatus } from '../model/spec.ts'
import type { InstanceStateName, ObservedInstance } from '../model/observed.ts'

/** The observed instances of an app, sorted by what a plan asks about them. */
export interface Survey {
  /** Version of each slot that is up, or on its way up by the supervisor's own doing. */
  readonly running: ReadonlyMap<number, number>
  /** Slots that ended with success and were left so. */
  readonly finished: ReadonlySet<number>
  /** The one instance that speaks for a slot: the one that is up, else the newest. */
  readonly bySlot: ReadonlyMap<number, ObservedInstance>
  /** True when at least one process of the app exists. */
  readonly hasProcess: boolean
}

const NOTHING: Survey = { running: new Map(), finished: new Set(), bySlot: new Map(), hasProcess: false }

/**
 * @param wanted instances wanted up to now: a slot below it that is being stopped comes back (a liveness restart, say),
 *   one above it does not
 * @param success exit codes and signals that are success
 */
export function survey(instances: readonly ObservedInstance[], wanted: number, success: readonly ExitStatus[]): Survey {
  if (instances.length === 0) return NOTHING
  const running = new Map<number, number>()
  const finished = new Set<number>()
  const bySlot = new Map<number, ObservedInstance>()
  let hasProcess = false
  for (const instance of instances) {
    const known = bySlot.get(instance.slot)
    if (known === undefined || rank(instance, wanted) > rank(known, wanted)) bySlot.set(instance.slot, instance)
    hasProcess ||= HAS_PROCESS.has(instance.state)
  }
  for (const [slot, instance] of bySlot) {
    if (isUp(instance, wanted)) running.set(slot, instance.version)
    else if (instance.state === 'exited' && isOneOf(instance.lastExit, success)) {
      finished.add(slot)
    }
  }
  // A rollout that was kept half-way leaves two copies that stay: the slot is as old as the older one.
  for (const { slot, state, version } of instances) {
    if (state !== 'starting' && state !== 'running' && state !== 'backoff') continue
    running.set(slot, Math.min(version, running.get(slot) ?? version))
  }
  return { running, finished, bySlot, hasProcess }
}

const HAS_PROCESS: ReadonlySet<InstanceStateName> = new Set(['starting', 'running', 'draining', 'stopping'])

function isUp(instance: ObservedInstance, wanted: number): boolean {
  switch (instance.state) {
    case 'starting':
    case 'running':
    case 'backoff':
      return true
    case 'draining':
    case 'stopping':
      return instance.slot < wanted
    case 'stopped':
    case 'exited':
    case 'failed':
      return false
    default:
      return unreachable(instance.state)
  }
}

/** During a rollout a slot has two instances: the one that is up counts, of two the newer. */
function rank(instance: ObservedInstance, wanted: number): number {
  const leaving = instance.state === 'draining' || instance.state === 'stopping'
  return (isUp(instance, wanted) ? (leaving ? 1e9 : 2e9) : 0) + instance.version
}
