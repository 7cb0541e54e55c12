import { fittingDefaults } from './kind-keys.ts'
import { EMPTY_MAP, isNull, mapAt } from './tree.ts'
import type { MapEntry, MapNode, Path, TreeNode } from './tree.ts'

/** Of each group one key may be set; one that comes later replaces the others instead of standing beside them. */
const CHECKS = ['signal', 'notify', 'http', 'tcp', 'log', 'exec', 'delay']
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  ready: CHECKS,
  readiness: CHECKS,
  health: CHECKS,
  stop: ['message', 'exec'],
}
const PROGRAM = ['script', 'command']

/** What an environment may lay over the file. */
const OVERLAID = ['env_file', 'defaults', 'apps']

/**
 * The file with one environment laid over it: maps are merged key by key, everything else is replaced, null removes.
 * A pure function of the file. Nulls stay in the result as a mark that also `defaults` must not bring the key back;
 * `mergeDefaults` takes them out.
 *
 * @param overlay the environment's map, or null for the file as it is
 */
export function mergeEnvironment(root: MapNode, overlay: MapNode | null): MapNode {
  const entries = new Map<string, MapEntry>()
  for (const key of ['project', ...OVERLAID]) {
    const base = root.entries.get(key)
    const over = overlay && OVERLAID.includes(key) ? overlay.entries.get(key) : undefined
    const merged = base && over && !isNull(over.value) ? mergeEntry(base, over, [key]) : (over ?? base)
    if (merged) entries.set(key, merged)
  }
  return { ...root, entries }
}

/** Every app with `defaults` under it; removed apps and settings are gone. The result has project, env_file and apps. */
export function mergeDefaults(merged: MapNode): MapNode {
  const defaults = mapAt(merged, 'defaults') ?? EMPTY_MAP
  const apps = new Map<string, MapEntry>()
  for (const [name, entry] of mapAt(merged, 'apps')?.entries ?? []) {
    if (entry.value.kind !== 'map') continue
    const value = mergeMaps(fitting(defaults, entry.value), entry.value, ['apps', name])
    apps.set(name, { keyAt: entry.keyAt, value: withoutNulls(value) })
  }
  const entries = new Map<string, MapEntry>()
  for (const key of ['project', 'env_file']) {
    const entry = merged.entries.get(key)
    if (entry && !isNull(entry.value)) entries.set(key, entry)
  }
  entries.set('apps', { keyAt: merged.entries.get('apps')?.keyAt ?? null, value: { ...EMPTY_MAP, entries: apps } })
  return { ...merged, entries }
}

/** The defaults that an app of its kind can have. */
function fitting(defaults: MapNode, app: MapNode): MapNode {
  const kind = (app.entries.get('kind') ?? defaults.entries.get('kind'))?.value
  return fittingDefaults(defaults, kind?.kind === 'scalar' ? String(kind.value) : 'service')
}

function mergeEntry(base: MapEntry, over: MapEntry, path: Path): MapEntry {
  if (base.value.kind !== 'map' || over.value.kind !== 'map' || isOneValue(path)) return over
  return { keyAt: over.keyAt ?? base.keyAt, value: mergeMaps(base.value, over.value, path) }
}

function mergeMaps(base: MapNode, over: MapNode, path: Path): MapNode {
  const entries = new Map(base.entries)
  const group = alternatives(path)
  const isSet = group.some((key) => over.entries.has(key) && !isNull(over.entries.get(key)?.value ?? over))
  if (isSet) for (const key of group) if (!over.entries.has(key)) entries.delete(key)
  for (const [key, entry] of over.entries) {
    const below = entries.get(key)
    entries.set(key, below ? mergeEntry(below, entry, [...path, key]) : entry)
  }
  return { kind: 'map', entries, at: over.at ?? base.at }
}

/** Keys of a map of which one takes the place of the others. Apps and variables may be called anything. */
function alternatives(path: Path): readonly string[] {
  const inApp = path[0] === 'apps' ? path.slice(2) : path[0] === 'defaults' ? path.slice(1) : null
  if (inApp === null || inApp.length > 1 || path.length < (path[0] === 'apps' ? 2 : 1)) return []
  const [key] = inApp
  if (key === undefined) return PROGRAM
  return Object.hasOwn(GROUPS, key) ? (GROUPS[key] ?? []) : []
}

/** `{ from_env: … }` over `{ value: … }` is another value, not a mixture of both; so is another message. */
function isOneValue(path: Path): boolean {
  if (isMessage(path)) return true
  return path.at(-2) === 'env' && (path[0] === 'defaults' ? path.length === 3 : path.length === 4)
}

function isMessage(path: Path): boolean {
  return path.at(-1) === 'message' && path.at(-2) === 'stop'
}

function withoutNulls(node: MapNode, path: Path = []): MapNode {
  const entries = new Map<string, MapEntry>()
  for (const [key, entry] of node.entries) {
    if (isNull(entry.value)) continue
    const inner = [...path, key]
    const value: TreeNode =
      entry.value.kind === 'map' && !isMessage(inner) ? withoutNulls(entry.value, inner) : entry.value
    entries.set(key, { keyAt: entry.keyAt, value })
  }
  return { ...node, entries }
}
