import type { AppKind, RestartPolicy } from '../model/spec.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { AppNode } from './app-node.ts'
import { parseDuration } from './duration.ts'

/** What happens when an instance ends by itself. A job or cron app that ended has done its work. */
export function buildRestart(app: AppNode, kind: AppKind): RestartPolicy {
  const restart = app.data.restart ?? {}
  const backoff = restart.backoff ?? {}
  const usual = SPEC_DEFAULTS.restart
  return {
    ...usual,
    policy: restart.policy ?? (kind === 'service' ? 'always' : 'never'),
    max: restart.max ?? usual.max,
    windowMs: parseDuration(restart.window ?? '') ?? usual.windowMs,
    backoff: {
      ...usual.backoff,
      initialMs: parseDuration(backoff.initial ?? '') ?? usual.backoff.initialMs,
      factor: backoff.factor ?? usual.backoff.factor,
      maxMs: parseDuration(backoff.max ?? '') ?? usual.backoff.maxMs,
    },
  }
}
