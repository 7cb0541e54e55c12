import { DEFAULT_ENVIRONMENT, NAME_PATTERN } from '../model/ids.ts'
import { hasExpression, interpolate } from './interpolate.ts'
import { mergeDefaults, mergeEnvironment } from './overlay.ts'
import type { ParsedFile } from './parse-file.ts'
import type { ProblemList, Report } from './problem.ts'
import { closest } from '../model/closest.ts'
import { isNull, mapAt, mapScalars } from './tree.ts'
import type { MapNode, Path, TreeNode } from './tree.ts'
import { validateTree } from './validate.ts'

/** The effective file of one environment: overlay, defaults and interpolation done. It has project, env_file and apps. */
export interface EffectiveFile {
  readonly root: MapNode
  /** Apps with a problem of their own: they are not looked at further, so that one mistake is reported once. */
  readonly flawed: ReadonlySet<string>
}

export interface PrepareOptions {
  readonly environment: string | null
  readonly lookup: (name: string) => string | undefined
  readonly problems: ProblemList
  readonly missing: Report
}

/**
 * Makes the effective file of one environment.
 *
 * @returns null when a problem touches the whole file, so that looking at single apps would only repeat it
 */
export async function prepareEnvironment(parsed: ParsedFile, options: PrepareOptions): Promise<EffectiveFile | null> {
  const { problems, environment } = options
  const { root } = parsed
  if (!root) return null
  const rawMismatches = await validateTree(root, problems, hasExpression)
  const isRootWrong = rawMismatches.some((path) => path.length === 0)
  checkNames(root, problems, isRootWrong)
  const overlay = chooseOverlay(parsed, root, environment, problems)
  if (overlay === undefined || mapAt(root, 'apps') === null) return null
  const flawed = new Set<string>()
  for (const path of rawMismatches) {
    const name = flawedApp(path, environment)
    if (name === null) return null
    if (name !== '') flawed.add(name)
  }
  return finish(mergeDefaults(mergeEnvironment(root, overlay)), parsed.text, flawed, options)
}

/** Names of the overlays in a file, in its order. */
export function environmentNames(root: MapNode): string[] {
  return [...(mapAt(root, 'environments')?.entries.keys() ?? [])]
}

async function finish(
  merged: MapNode,
  text: string,
  flawed: Set<string>,
  { lookup, problems, missing }: PrepareOptions,
): Promise<EffectiveFile | null> {
  const interpolated = interpolate(merged, { lookup, text, error: problems.error, missing })
  if (interpolated === merged) return { root: merged, flawed }
  const { convertInterpolated } = await import('./convert.ts')
  const root = convertInterpolated(interpolated)
  const mismatches = [...(await validateTree(root, problems, isUnresolved))]
  mapScalars(root, (node, path) => {
    // A variable is text whatever it says, so the rest of its app can still be looked at.
    if (isUnresolved(node) && path[2] !== 'env') mismatches.push(path)
    return node
  })
  for (const path of mismatches) {
    if (path[0] !== 'apps') return null
    flawed.add(String(path[1]))
  }
  return { root, flawed }
}

/** What the schema cannot say about the file as a whole. */
function checkNames(root: MapNode, problems: ProblemList, isRootWrong: boolean): void {
  const apps = root.entries.get('apps')
  if (!apps && !isRootWrong)
    problems.error(null, 'the file has no apps', 'add apps: with at least a name and a script or command')
  for (const [name, entry] of mapAt(root, 'apps')?.entries ?? []) {
    if (name === 'all') {
      problems.error(
        entry.keyAt,
        'an app cannot be called "all": commands mean every app by it',
        'give it another name',
      )
    }
    if (isNull(entry.value)) problems.error(entry.keyAt, `apps.${name} is empty`, 'give it a script or a command')
  }
  const reserved = mapAt(root, 'environments')?.entries.get(DEFAULT_ENVIRONMENT)
  if (reserved) {
    problems.error(
      reserved.keyAt,
      `"${DEFAULT_ENVIRONMENT}" is the file without an overlay: give this environment another name`,
    )
  }
}

/** The overlay of an environment, null for none, undefined when there is no such environment. */
function chooseOverlay(
  parsed: ParsedFile,
  root: MapNode,
  environment: string | null,
  problems: ProblemList,
): MapNode | null | undefined {
  if (environment === null) return null
  const environments = root.entries.get('environments')
  const overlay = mapAt(root, 'environments')?.entries.get(environment)
  if (overlay) return overlay.value.kind === 'map' ? overlay.value : null
  // A file that exports a function may do all of it in there, and name no environment.
  if (parsed.isFunction && !environments && NAME_PATTERN.test(environment)) return null
  const names = environmentNames(root)
  const meant = closest(environment, names)
  const suggestion = meant === null ? '' : `; did you mean "${meant}"?`
  const known = names.length > 0 ? `environments of this file: ${names.join(', ')}` : 'this file has no environments'
  problems.error(environments?.keyAt ?? null, `unknown environment ${JSON.stringify(environment)}${suggestion}`, known)
  return undefined
}

/** The app a path of the raw file belongs to; `''` for another environment's; null when it concerns all apps. */
function flawedApp(path: Path, environment: string | null): string | null {
  if (path[0] === 'apps') return path.length > 1 ? String(path[1]) : null
  if (path[0] !== 'environments' || path.length < 2) return null
  if (path[1] !== environment) return ''
  return path[2] === 'apps' && path.length > 3 ? String(path[3]) : null
}

function isUnresolved(node: TreeNode): boolean {
  return node.kind === 'scalar' && node.origin === 'unresolved'
}
