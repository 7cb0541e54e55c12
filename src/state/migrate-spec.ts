import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { AppSpec, Endpoint, ReadyCheck } from '../model/spec.ts'

/**
 * A stored spec as this eco would have written it: fields that did not exist yet get their defaults, so that an upgrade
 * of eco changes nothing and restarts nobody.
 */
export function currentSpec(stored: AppSpec): AppSpec {
  const { ready, stop, restart, rollout, schedule } = stored
  return {
    ...SPEC_DEFAULTS,
    ...stored,
    ready: { ...SPEC_DEFAULTS.ready, ...ready, check: currentCheck(ready.check) },
    stop: { ...SPEC_DEFAULTS.stop, ...stop },
    restart: {
      ...SPEC_DEFAULTS.restart,
      ...restart,
      backoff: { ...SPEC_DEFAULTS.restart.backoff, ...restart.backoff },
    },
    output: { ...SPEC_DEFAULTS.output, ...stored.output },
    rotation: { ...SPEC_DEFAULTS.rotation, ...stored.rotation },
    rollout: { ...SPEC_DEFAULTS.rollout, ...rollout },
    schedule: schedule && { ...SCHEDULE_DEFAULTS, ...schedule },
  }
}

const SCHEDULE_DEFAULTS = { overlap: 'skip', missed: 'skip', history: 10 } as const

/** Format 1 had the host and the port of a check beside its type. */
type CheckOfFormat1 = ReadyCheck & { readonly host?: string; readonly port?: number }

function currentCheck(stored: CheckOfFormat1): ReadyCheck {
  if (stored.type !== 'http' && stored.type !== 'tcp') return stored
  const { host, port, ...check } = stored
  if (port === undefined) return check
  const endpoint: Endpoint = { type: 'tcp', host: host ?? '127.0.0.1', port, perInstance: false }
  return check.type === 'tcp' ? { ...check, endpoint } : { ...check, endpoint, tls: false, headers: {}, body: null }
}
