import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { Rollout, Share } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import type { Search } from './build-command.ts'
import { buildHook } from './build-hooks.ts'
import type { Report } from './problem.ts'
import { readDuration } from './read-duration.ts'

/**
 * How the instances of an app give way to those of another version.
 *
 * @param exclusive what it is when the file does not say it
 */
export function buildRollout(app: AppNode, search: Search, exclusive: boolean, report: Report): Rollout {
  const { rollout } = app.data
  const usual = SPEC_DEFAULTS.rollout
  if (!rollout) return { ...usual, exclusive }
  return {
    maxSurge: share(rollout.max_surge) ?? usual.maxSurge,
    maxUnavailable: share(rollout.max_unavailable) ?? usual.maxUnavailable,
    soakMs: readDuration(app, ['rollout', 'soak'], usual.soakMs, report),
    check: buildHook(app, ['rollout', 'check'], rollout.check, search, report),
    deadlineMs: readDuration(app, ['rollout', 'deadline'], usual.deadlineMs, report, { min: 1 }),
    onFailure: rollout.on_failure ?? usual.onFailure,
    order: rollout.order ?? usual.order,
    exclusive: rollout.exclusive ?? exclusive,
  }
}

/** `2` in quotes is a number too. */
function share(written: number | string | null | undefined): Share | null {
  if (written === null || written === undefined) return null
  const [, percent] = /^(\d+)%$/.exec(String(written)) ?? []
  return percent === undefined ? Number(written) : `${Number(percent)}%`
}
