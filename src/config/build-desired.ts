import path from 'node:path'
import type { AppKind, AppSpec } from '../model/spec.ts'
import { AppNode } from './app-node.ts'
import { buildApp } from './build-app.ts'
import type { BuildContext } from './build-context.ts'
import { buildDependencies, checkCycles } from './build-dependencies.ts'
import { buildListen, checkListenConflicts } from './build-listen.ts'
import { checkLogConflicts } from './log-conflicts.ts'
import { checkOversubscription } from './oversubscription.ts'
import type { EffectiveFile } from './prepare-environment.ts'
import { readCpus } from './read-cpus.ts'
import { entryAt, mapAt } from './tree.ts'
import type { MapNode, TreeNode } from './tree.ts'

/**
 * The specs of all apps of an effective file, by name in alphabetical order, so that the order of the file changes
 * nothing. Everything that is wrong goes to the context's problems; the result counts only when there is none.
 */
export async function buildDesired(file: EffectiveFile, context: BuildContext): Promise<Record<string, AppSpec>> {
  const entries = [...(mapAt(file.root, 'apps')?.entries ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const kinds = new Map(entries.map(([name, entry]) => [name, kindOf(entry.value)]))
  const drafts = entries
    .filter(([name]) => !file.flawed.has(name))
    .map(([name, entry]) => {
      const app = new AppNode(name, entry)
      const dependencies = buildDependencies(app, kinds, context.problems.error)
      return { app, dependencies, dependsOn: dependencies.dependsOn, declared: buildListen(app, context) }
    })
  checkCycles(drafts, context.problems.error)
  const inFileOrder = drafts
    .flatMap(({ declared }) => declared)
    .toSorted((a, b) => (a.at?.start ?? 0) - (b.at?.start ?? 0))
  checkListenConflicts(inFileOrder, context.text, context.problems.error)
  const built = await Promise.all(
    drafts.map(async ({ app, dependencies, declared }) => {
      const listen = declared.map((one) => one.listen)
      return [app.name, await buildApp(app, listen, dependencies, context)] as const
    }),
  )
  const specs = Object.fromEntries(built.filter((entry): entry is [string, AppSpec] => entry[1] !== null))
  const apps = drafts.map(({ app }) => app)
  checkOversubscription(apps, specs, readCpus, context.problems.warning)
  checkLogConflicts(apps, specs, context.problems.warning)
  return specs
}

/** The `project:` of a file, or its folder's name made to fit. */
export function projectName(root: MapNode, folder: string): string {
  const project = root.entries.get('project')?.value
  if (project?.kind === 'scalar' && typeof project.value === 'string') return project.value
  return fitName(path.basename(folder))
}

/** A name made to fit where projects, environments and apps have theirs. */
export function fitName(name: string): string {
  const fit = name
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 63)
  return fit || 'project'
}

function kindOf(app: TreeNode): AppKind {
  const kind = entryAt(app, ['kind'])?.value
  const name = kind?.kind === 'scalar' ? kind.value : null
  return name === 'job' || name === 'cron' ? name : 'service'
}
