import type { AppKind, RestartPolicy } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import { parseDuration } from './duration.ts'

/** What happens when an instance ends by itself. A job or cron app that ended has done its work. */
export function buildRestart(app: AppNode, kind: AppKind): RestartPolicy {
  const restart = app.data.restart ?? {}
  const backoff = restart.backoff ?? {}
  return {
    policy: restart.policy ?? (kind === 'service' ? 'always' : 'never'),
    max: restart.max ?? 16,
    windowMs: parseDuration(restart.window ?? '') ?? 60_000,
    backoff: {
      initialMs: parseDuration(backoff.initial ?? '') ?? 100,
      factor: backoff.factor ?? 2,
      maxMs: parseDuration(backoff.max ?? '') ?? 30_000,
    },
  }
}
