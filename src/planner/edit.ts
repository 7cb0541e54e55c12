import { unreachable } from '../errors.ts'
import type { AppliedApp, Hold } from '../model/applied.ts'
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

/** Verbs are edits of what was applied; an apply takes what the file says and ends every hold. */
export function editApp(
  intent: Intent,
  target: VerbTarget | null,
  current: { desired: AppSpec | null; applied: AppliedApp | null; hold: Hold | null },
  now: EpochMs,
): Edit {
  if (intent.kind === 'apply') {
    const hold = intent.keepHolds === true && current.desired !== null ? current.hold : null
    return { after: current.desired, hold, verb: null, slots: null }
  }
  const { verb } = intent
  const spec = current.applied?.spec ?? null
  const after = verb === 'delete' ? null : spec
  const hold = spec === null || after === null ? null : holdAfter(intent, spec, current.hold, now)
  return { after, hold, verb, slots: target?.slots ?? null }
}

function holdAfter(intent: VerbIntent, spec: AppSpec, hold: Hold | null, now: EpochMs): Hold | null {
  switch (intent.verb) {
    case 'stop':
      return hold?.instances === 0 ? hold : { instances: 0, verb: 'stop', by: intent.by, at: now }
    case 'scale': {
      if (intent.instances === null) throw new Error('Internal error: eco scale without a number')
      if (spec.kind !== 'service' || hold?.instances === intent.instances) return hold
      if (spec.instances === intent.instances) return null
      return { instances: intent.instances, verb: 'scale', by: intent.by, at: now }
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

/** Service instances wanted; jobs and cron apps have runs, not instances that are kept up. */
export function wantedInstances(spec: AppSpec, hold: Hold | null): number {
  return spec.kind === 'service' ? (hold?.instances ?? spec.instances) : 0
}
