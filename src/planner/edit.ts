import { unreachable } from '../errors.ts'
import { type AppliedApp, type Hold, isOver } from '../model/applied.ts'
import type { EpochMs } from '../model/ids.ts'
import type { Verb } from '../model/plan.ts'
import type { AppSpec } from '../model/spec.ts'
import type { Intent, VerbIntent, VerbTarget } from './intent.ts'

/** What an intent makes of one app. */
export interface Edit {
  /** Null: the app goes. */
  readonly after: AppSpec | null
  readonly hold: Hold | null
  /** The verb asked of this app; null for an apply. */
  readonly verb: Verb | null
  /** For `restart`; null: all slots. */
  readonly slots: readonly number[] | null
}

/**
 * Verbs are edits of what was applied; an apply takes what the file says and ends every hold. One whose time is over ends
 * with any of them.
 */
export function editApp(
  intent: Intent,
  target: VerbTarget | null,
  current: { desired: AppSpec | null; applied: AppliedApp | null; hold: Hold | null },
  now: EpochMs,
): Edit {
  const inForce = current.hold === null || isOver(current.hold, now) ? null : current.hold
  if (intent.kind === 'apply') {
    const hold = intent.keepHolds === true && current.desired !== null ? inForce : null
    return { after: current.desired, hold, verb: null, slots: null }
  }
  const { verb } = intent
  const spec = current.applied?.spec ?? null
  const after = verb === 'delete' ? null : spec
  const hold = spec === null || after === null ? null : holdAfter(intent, spec, inForce, now)
  return { after, hold, verb, slots: target?.slots ?? null }
}

function holdAfter(intent: VerbIntent, spec: AppSpec, hold: Hold | null, now: EpochMs): Hold | null {
  switch (intent.verb) {
    case 'stop':
      return holds(hold, 0, intent) ? hold : newHold(intent, 'stop', 0, now)
    case 'scale': {
      const instances = scaledTo(intent, spec, hold)
      if (spec.kind !== 'service' || holds(hold, instances, intent)) return hold
      return spec.instances === instances ? null : newHold(intent, 'scale', instances, now)
    }
    case 'start':
    case 'restart':
      // A scaled app that runs stays scaled: starting it is no reason to take instances away.
      return hold?.instances === 0 ? null : hold
    case 'reload':
      return hold
    case 'delete':
      return null
    default:
      return unreachable(intent.verb)
  }
}

/** A hold to go on as it is: of as many, and without an end, as it is asked for. */
function holds(hold: Hold | null, instances: number, { forMs }: VerbIntent): boolean {
  return hold?.instances === instances && hold.until === undefined && forMs === undefined
}

function newHold({ by, forMs }: VerbIntent, verb: Hold['verb'], instances: number, now: EpochMs): Hold {
  return { instances, verb, by, at: now, ...(forMs === undefined ? {} : { until: now + forMs }) }
}

function scaledTo({ instances, delta }: VerbIntent, spec: AppSpec, hold: Hold | null): number {
  if (delta !== undefined) return Math.max(0, wantedInstances(spec, hold) + delta)
  if (instances === null) throw new Error('Internal error: eco scale without a number')
  return instances
}

/** Service instances wanted; jobs and cron apps have runs, not instances that are kept up. */
export function wantedInstances(spec: AppSpec, hold: Hold | null): number {
  return spec.kind === 'service' ? (hold?.instances ?? spec.instances) : 0
}
