import type { AppKind, DependencyCondition } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import type { Report } from './problem.ts'
import { closest } from '../model/closest.ts'

/**
 * What an app depends on. A list means ready, or completed for a job.
 *
 * @param kinds every app of the environment, also those with problems of their own
 */
export function buildDependencies(
  app: AppNode,
  kinds: ReadonlyMap<string, AppKind>,
  report: Report,
): Record<string, DependencyCondition> {
  const dependsOn = app.data.depends_on ?? {}
  const named: (readonly [name: string, condition: DependencyCondition | null, path: string | number])[] =
    Array.isArray(dependsOn)
      ? dependsOn.map((name, index) => [name, null, index] as const)
      : Object.entries(dependsOn).map(([name, condition]) => [name, condition, name] as const)
  const result: [string, DependencyCondition][] = []
  for (const [name, wanted, path] of named) {
    const kind = kinds.get(name)
    const keyAt = Array.isArray(dependsOn) ? app.at('depends_on', path) : app.keyAt('depends_on', path)
    if (name === app.name) report(keyAt, `${app.label}.depends_on names the app itself`)
    else if (!kind) {
      const meant = closest(name, kinds.keys())
      const suggestion = meant === null ? '' : `; did you mean "${meant}"?`
      const hint = meant === null ? `apps: ${[...kinds.keys()].toSorted().join(', ')}` : null
      report(keyAt, `${app.label}.depends_on names an unknown app "${name}"${suggestion}`, hint)
    } else {
      const condition = wanted ?? (kind === 'job' ? 'completed' : 'ready')
      const problem = conditionProblem(name, kind, condition)
      const at = wanted === null ? keyAt : app.at('depends_on', path)
      if (problem) report(at, `${app.label}.depends_on.${name} ${problem}`)
      else result.push([name, condition])
    }
  }
  return Object.fromEntries(result.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function conditionProblem(name: string, kind: AppKind, condition: DependencyCondition): string | null {
  if (condition === 'completed' && kind !== 'job') return `cannot be completed: ${name} is a ${kind}, not a job`
  if (condition !== 'completed' && kind === 'cron') return `cannot be ${condition}: ${name} is a cron app`
  return null
}

/** Reports each cycle once, as the path that closes it: `api -> db -> api`. */
export function checkCycles(
  apps: readonly { readonly app: AppNode; readonly dependsOn: Readonly<Record<string, unknown>> }[],
  report: Report,
): void {
  const byName = new Map(apps.map((one) => [one.app.name, one]))
  const done = new Set<string>()
  const visit = (name: string, trail: readonly string[]): void => {
    const start = trail.indexOf(name)
    if (start >= 0) {
      const cycle = [...trail.slice(start), name]
      const app = byName.get(cycle[0] ?? '')?.app
      report(app?.keyAt('depends_on') ?? null, `these apps wait for each other: ${cycle.join(' -> ')}`)
      return
    }
    const one = byName.get(name)
    if (!one || done.has(name)) return
    for (const dependency of Object.keys(one.dependsOn).toSorted()) visit(dependency, [...trail, name])
    done.add(name)
  }
  for (const name of [...byName.keys()].toSorted()) visit(name, [])
}
