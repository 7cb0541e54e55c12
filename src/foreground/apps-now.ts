import { STARTS_BEFORE_GIVING_UP } from '../engine/local/await.ts'
import type { AppliedState } from '../model/applied.ts'
import type { AppSpec } from '../model/spec.ts'
import type { AppGroup } from '../supervisor/app-group.ts'
import type { InstanceRunner } from '../supervisor/instance-runner.ts'
import type { AppNow, InstanceNow } from './verdict.ts'

/** @param desired what is being applied; its apps count although nothing of them has been recorded yet */
export function appsNow(
  desired: Readonly<Record<string, AppSpec>>,
  applied: AppliedState['apps'],
  groups: ReadonlyMap<string, AppGroup>,
): AppNow[] {
  const specs = new Map(Object.entries(desired))
  for (const [app, { spec }] of Object.entries(applied)) specs.set(app, spec)
  return [...specs].map(([app, spec]) => ({
    app,
    kind: spec.kind,
    wanted: spec.kind === 'service' ? spec.instances : 1,
    isWatched: spec.kind === 'service' && spec.watch !== null,
    instances: (groups.get(app)?.runners ?? []).map(instanceNow),
  }))
}

function instanceNow(runner: InstanceRunner): InstanceNow {
  return { instance: runner.name, state: stateOf(runner) }
}

function stateOf({ instance: { phase, wanted }, hasSucceeded }: InstanceRunner): InstanceNow['state'] {
  if (phase.name === 'failed') return 'failed'
  if (phase.name === 'exited') return hasSucceeded ? 'succeeded' : 'failed'
  return phase.name === 'stopped' && wanted === 'down' ? 'held' : 'lives'
}

/**
 * Whoever waited for its start has given it up, but its restart policy has not: what it needs may come up yet, in another
 * container say. Of an instance that was not ready in time, that is another matter.
 */
export function isTriedAgain({ instance: { phase, restarts } }: InstanceRunner): boolean {
  const isUnderWay = phase.name === 'backoff' || phase.name === 'starting' || phase.name === 'stopping'
  return isUnderWay && restarts >= STARTS_BEFORE_GIVING_UP
}
