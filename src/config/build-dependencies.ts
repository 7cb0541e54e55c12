import type { AppKind, AppSpec, DependencyCondition } from '../model/spec.ts'
import type { AppNode } from './app-node.ts'
import type { Dependency } from './ecosystem.ts'
import type { Report } from './problem.ts'
import { closest } from '../model/closest.ts'

export type Dependencies = Pick<AppSpec, 'dependsOn' | 'restartsWith'>

/**
 * What an app depends on, and with which of these it restarts. A list means ready, or completed for a job.
 *
 * @param kinds every app of the environment, also those with problems of their own
 */
export function buildDependencies(app: AppNode, kinds: ReadonlyMap<string, AppKind>, report: Report): Dependencies {
  const dependsOn = app.data.depends_on ?? {}
  const isList = Array.isArray(dependsOn)
  const named: (readonly [name: string, wanted: Wanted, path: string | number])[] = isList
    ? dependsOn.map((name, index) => [name, NOTHING_SAID, index] as const)
    : Object.entries(dependsOn).map(([name, written]) => [name, readWanted(written), name] as const)
  const conditions: [string, DependencyCondition][] = []
  const restartsWith: string[] = []
  for (const [name, wanted, path] of named) {
    const kind = kinds.get(name)
    const keyAt = isList ? app.at('depends_on', path) : app.keyAt('depends_on', path)
    if (name === app.name) report(keyAt, `${app.label}.depends_on names the app itself`)
    else if (!kind) {
      const meant = closest(name, kinds.keys())
      const suggestion = meant === null ? '' : `; did you mean "${meant}"?`
      const hint = meant === null ? `apps: ${[...kinds.keys()].toSorted().join(', ')}` : null
      report(keyAt, `${app.label}.depends_on names an unknown app "${name}"${suggestion}`, hint)
    } else {
      const condition = wanted.condition ?? (kind === 'job' ? 'completed' : 'ready')
      const problem = conditionProblem(name, kind, condition) ?? (wanted.restart ? restartProblem(name, kind) : null)
      const at = wanted.condition === null ? keyAt : app.at('depends_on', path, ...wanted.path)
      if (problem) report(at, `${app.label}.depends_on.${name} ${problem}`)
      else conditions.push([name, condition])
      if (wanted.restart) restartsWith.push(name)
    }
  }
  const inOrder = conditions.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return { dependsOn: Object.fromEntries(inOrder), restartsWith: restartsWith.toSorted() }
}

/** What the file says about one dependency; null where it says nothing. */
interface Wanted {
  readonly condition: DependencyCondition | null
  readonly restart: boolean
  /** Where the condition stands, below the name. */
  readonly path: readonly string[]
}

const NOTHING_SAID: Wanted = { condition: null, restart: false, path: [] }

function readWanted(written: Dependency): Wanted {
  if (written === null) return NOTHING_SAID
  if (typeof written === 'string') return { condition: written, restart: false, path: [] }
  return { condition: written.condition ?? null, restart: written.restart ?? false, path: ['condition'] }
}

function restartProblem(name: string, kind: AppKind): string | null {
  return kind === 'service' ? null : `cannot have restart: ${name} is a ${kind}, which ends and is not restarted`
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
