import type { App } from './ecosystem.ts'
import { entryAt, toData } from './tree.ts'
import type { MapEntry, MapNode, Path, Span } from './tree.ts'

/** One app of the effective file: its data, and where each part of it was written. */
export class AppNode {
  readonly name: string
  readonly node: MapNode
  /** Fits the schema: apps that do not are never built. */
  readonly data: NonNullable<App>
  readonly #keyAt: Span | null

  constructor(name: string, entry: MapEntry) {
    if (entry.value.kind !== 'map') throw new Error('Internal error: an app that is no map was not refused')
    this.name = name
    this.node = entry.value
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- apps that do not fit the schema are never built
    this.data = toData(entry.value) as NonNullable<App>
    this.#keyAt = entry.keyAt
  }

  /** `apps.api` */
  get label(): string {
    return `apps.${this.name}`
  }

  /** Where a value was written; where it is missing, the app's name. */
  at(...path: Path): Span | null {
    const entry = entryAt(this.node, path)
    if (path.length === 0 || !entry) return this.#keyAt
    return entry.value.at ?? entry.keyAt ?? this.#keyAt
  }

  /** Where a key was written; where it is missing, the app's name. */
  keyAt(...path: Path): Span | null {
    return (path.length > 0 ? entryAt(this.node, path)?.keyAt : null) ?? this.#keyAt
  }
}
