import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { Rollout, Share } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import type { Search } from './build-command.ts'
import { buildHook } from './build-hooks.ts'
import type { Report } from './problem.ts'
import { formatDuration } from './duration.ts'
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
  const built: Rollout = {
    maxSurge: share(rollout.max_surge) ?? usual.maxSurge,
    maxUnavailable: share(rollout.max_unavailable) ?? usual.maxUnavailable,
    soakMs: readDuration(app, ['rollout', 'soak'], usual.soakMs, report),
    check: buildHook(app, ['rollout', 'check'], rollout.check, search, report),
    deadlineMs: readDuration(app, ['rollout', 'deadline'], usual.deadlineMs, report, { min: 1 }),
    onFailure: rollout.on_failure ?? usual.onFailure,
    order: rollout.order ?? usual.order,
    exclusive: rollout.exclusive ?? exclusive,
  }
  if (!built.exclusive) checkDeadline(app, built, report)
  return built
}

/** The first new instance is good after its soak at the earliest: no rollout could ever succeed. */
function checkDeadline(app: AppNode, { soakMs, deadlineMs }: Rollout, report: Report): void {
  if (soakMs < deadlineMs) return
  const { soak } = app.data.rollout ?? {}
  const key = typeof soak === 'string' ? 'soak' : 'deadline'
  const [soakText, deadlineText] = [formatDuration(soakMs), formatDuration(deadlineMs)]
  const message = `${app.label}.rollout.deadline (${deadlineText}) is over before a new instance has soaked (${soakText})`
  report(
    app.at('rollout', key),
    message,
    `a deadline of more than ${soakText}, with the time that it takes to get ready`,
  )
}

/** `2` in quotes is a number too. */
function share(written: number | string | null | undefined): Share | null {
  if (written === null || written === undefined) return null
  const [, percent] = /^(\d+)%$/.exec(String(written)) ?? []
  return percent === undefined ? Number(written) : `${Number(percent)}%`
}
