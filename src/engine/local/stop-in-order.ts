import type { AppGroup } from '../../supervisor/app-group.ts'
import { isGoingOn } from './run-watch.ts'
import { whenStopped } from './await.ts'

/** Stops the instances of these apps: each app once all that depend on it have stopped, everything else at the same time. */
export async function stopInOrder(groups: readonly AppGroup[]): Promise<void> {
  const byOwner = new Map(groups.map((group) => [group.owner, group]))
  const dependents = new Map<AppGroup, Set<AppGroup>>()
  for (const group of groups) {
    for (const app of group.runners.flatMap(({ spec }) => Object.keys(spec.dependsOn))) {
      const dependency = byOwner.get(group.owner.slice(0, group.owner.length - group.app.length) + app)
      if (dependency === undefined || dependency === group) continue
      dependents.set(dependency, (dependents.get(dependency) ?? new Set()).add(group))
    }
  }
  const stopped = new Map<AppGroup, Promise<void>>()
  const stop = (group: AppGroup, path: readonly AppGroup[]): Promise<void> => {
    const known = stopped.get(group)
    if (known) return known
    // Instances of several versions may depend on each other in a circle: then one of them goes first.
    const first = [...(dependents.get(group) ?? [])].filter((it) => !path.includes(it))
    const result = Promise.all(first.map((it) => stop(it, [...path, group]))).then(() => stopRunners(group))
    stopped.set(group, result)
    return result
  }
  await Promise.all(groups.map((group) => stop(group, [])))
}

async function stopRunners(group: AppGroup): Promise<void> {
  // How a run ended stays known: a completed job has not to run again.
  const runners = group.runners.filter((runner) => runner.spec.kind === 'service' || isGoingOn(runner))
  for (const runner of runners) runner.stop()
  await Promise.all(runners.map(whenStopped))
}
