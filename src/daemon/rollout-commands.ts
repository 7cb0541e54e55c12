import type { LocalEngine } from '../engine/local/local-engine.ts'
import { EcoError } from '../errors.ts'
import type { RolloutStatus } from '../model/rollout.ts'
import { isoTime, type ListedRollout, type RolloutAction, type RolloutText } from './protocol.ts'
import type { SelectedApp } from './selection.ts'

/**
 * Looks at the rollouts of these apps, or takes a hand in them.
 *
 * @throws EcoError UNKNOWN_TARGET when there is none to take a hand in, LOCKED when none of them can pause any more
 */
export async function commandRollouts(
  apps: readonly SelectedApp[],
  { action, by }: { readonly action: RolloutAction; readonly by: string },
  engine: LocalEngine,
): Promise<{ readonly rollouts: readonly ListedRollout[] }> {
  const found = apps.flatMap(({ scope, app }) => {
    const run = engine.rollout(scope, app)
    return run === null ? [] : [{ scope, app, run }]
  })
  if (found.length === 0 && action !== 'status') {
    const names = apps.length > 3 ? `${apps.length} apps` : apps.map(({ app }) => app).join(', ')
    throw new EcoError('UNKNOWN_TARGET', `There is no rollout to ${action}: none is under way for ${names}.`, {
      hint: 'eco rollout status; eco history shows what was applied',
    })
  }
  const [first] = found
  // Whoever pauses wants nothing more to happen: that it does all the same is not for the fine print.
  if (action === 'pause' && first && found.map(({ run }) => run.pause(by)).every((isPaused) => !isPaused)) {
    const [what, hint] = first.run.isFinishing
      ? ['waits for its last old instances to end', 'eco rollback takes it back when it is over']
      : ['is going back already', 'eco rollout status shows how far it is; a newer eco apply takes it over']
    throw new EcoError('LOCKED', `There is no rollout to pause: that of ${first.app} ${what}.`, { hint })
  }
  const rollouts = found.map(async ({ scope, app, run }): Promise<ListedRollout> => {
    if (action === 'resume') run.resume(by)
    const outcome = action === 'abort' ? await run.abort(by) : undefined
    const { project, environment } = scope
    return { project, environment, app, ...rolloutText(run.status), ...(outcome && { outcome }) }
  })
  return { rollouts: await Promise.all(rollouts) }
}

export function rolloutText({
  state,
  fromVersion,
  toVersion,
  updated,
  wanted,
  since,
  reason,
}: RolloutStatus): RolloutText {
  return {
    state,
    from_version: fromVersion,
    to_version: toVersion,
    updated,
    wanted,
    since: isoTime(since),
    reason,
  }
}
