/**
 * An ecosystem file as a tree that remembers where each key and value was written. Every stage of the pipeline maps
 * trees to trees, so a merged value still points at the line it came from.
 */

/** A range of the file's text, in UTF-16 code units. */
export interface Span {
  readonly start: number
  readonly length: number
}

export type ScalarValue = string | number | boolean | null

export interface ScalarNode {
  readonly kind: 'scalar'
  readonly value: ScalarValue
  readonly at: Span | null
  /** How a number or boolean was written, where the format says: `1.10`, `0x10`. */
  readonly written: string | null
  /** `unresolved`: holds a `${VAR}` that has no value and that nobody needs yet. */
  readonly origin: 'literal' | 'interpolated' | 'unresolved'
}

export interface ListNode {
  readonly kind: 'list'
  readonly items: readonly TreeNode[]
  readonly at: Span | null
}

export interface MapEntry {
  readonly keyAt: Span | null
  readonly value: TreeNode
}

export interface MapNode {
  readonly kind: 'map'
  readonly entries: ReadonlyMap<string, MapEntry>
  readonly at: Span | null
}

export type TreeNode = ScalarNode | ListNode | MapNode
export type Path = ReadonlyArray<string | number>

export const EMPTY_MAP: MapNode = { kind: 'map', entries: new Map(), at: null }

export function scalar(value: ScalarValue, at: Span | null, written: string | null = null): ScalarNode {
  return { kind: 'scalar', value, at, written, origin: 'literal' }
}

export function isNull(node: TreeNode): boolean {
  return node.kind === 'scalar' && node.value === null
}

/** The map under a key, or null when it is absent or not a map. */
export function mapAt(node: MapNode, key: string): MapNode | null {
  const value = node.entries.get(key)?.value
  return value?.kind === 'map' ? value : null
}

/** The node a path leads to, and where its key was written. */
export function entryAt(root: TreeNode, path: Path): MapEntry | null {
  let entry: MapEntry = { keyAt: null, value: root }
  for (const segment of path) {
    const node: TreeNode = entry.value
    let next: MapEntry | undefined
    if (node.kind === 'map') next = node.entries.get(String(segment))
    else if (node.kind === 'list') {
      const item = node.items[Number(segment)]
      if (item) next = { keyAt: entry.keyAt, value: item }
    }
    if (!next) return null
    entry = next
  }
  return entry
}

/** Plain data. Maps have no prototype, so a key like `__proto__` or `constructor` is a key like any other. */
export function toData(node: TreeNode): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(toData)
  return toRecord(node)
}

/** `toData` of a map. */
export function toRecord(node: MapNode): Record<string, unknown> {
  const data: Record<string, unknown> = Object.create(null)
  for (const [key, entry] of node.entries) data[key] = toData(entry.value)
  return data
}

type Change = (scalar: ScalarNode, path: Path) => ScalarNode

/** A copy in which `change` replaced the scalars. */
export function mapScalars(root: MapNode, change: Change, path: Path = []): MapNode {
  const entries = new Map<string, MapEntry>()
  for (const [key, entry] of root.entries) {
    entries.set(key, { keyAt: entry.keyAt, value: changeNode(entry.value, change, [...path, key]) })
  }
  return { ...root, entries }
}

function changeNode(node: TreeNode, change: Change, path: Path): TreeNode {
  if (node.kind === 'scalar') return change(node, path)
  if (node.kind === 'map') return mapScalars(node, change, path)
  return { ...node, items: node.items.map((item, index) => changeNode(item, change, [...path, index])) }
}

/** `apps.api.command[2]`; keys that are no plain word are quoted. */
export function formatPath(path: Path): string {
  let text = ''
  for (const segment of path) {
    if (typeof segment === 'number') text += `[${segment}]`
    else text += `${text ? '.' : ''}${/^[\w-]+$/.test(segment) ? segment : JSON.stringify(segment)}`
  }
  return text || 'the file'
}
