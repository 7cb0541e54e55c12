import { expectation } from './schema-errors.ts'
import { ECOSYSTEM_SCHEMA, resolveRef } from './schema.ts'
import type { Schema } from './schema.ts'
import { closest } from '../model/closest.ts'

/** What the schema says about one key: for `eco explain` and the reference page. */
export interface KeyReference {
  /** `apps.*.ready.http`; empty for the file itself. `*` stands for a name of your own. */
  readonly key: string
  readonly description: string
  /** What a value must be, in words. */
  readonly type: string
  /** A JSON value, or undefined where the key has no default. */
  readonly default: unknown
  /** What a change does to running instances: an Impact, or null where no single one can be named. */
  readonly impact: string | null
  readonly examples: readonly unknown[]
  readonly children: readonly { readonly key: string; readonly description: string }[]
  /** The choices of a key that has a fixed set of them. */
  readonly values: readonly string[]
}

export type Explanation =
  | { readonly reference: KeyReference; readonly suggestions: readonly [] }
  | { readonly reference: null; readonly suggestions: readonly string[] }

/**
 * Explains a key by its full path (`apps.api.ready.http`, `apps.*.ready`) or the end of one (`ready.http`, `ready`), in
 * which names of your own may be left out (`depends_on.restart`); of several keys that fit, the one nearest to the root
 * that is a setting of an app.
 *
 * @param path null for the file itself
 */
export function explainKey(path: string | null): Explanation {
  const keys = listKeys()
  const asked = (path ?? '').split('.').filter((part) => part !== '')
  const found =
    keys.find(({ segments }) => matches(segments, asked)) ??
    keys.find(({ segments }) => endsWith(segments.filter(isNamed), asked)) ??
    keys.find(({ segments }) => endsWith(segments, asked))
  if (found) return { reference: describe(found), suggestions: [] }
  return { reference: null, suggestions: suggest(asked, keys) }
}

/** Every key of the schema, the file itself first. Overlays repeat the keys of apps and are left at their own level. */
export function allKeys(): KeyReference[] {
  return listKeys().map(describe)
}

interface Key {
  readonly segments: readonly string[]
  readonly schema: Schema
}

function listKeys(): Key[] {
  const keys: Key[] = []
  // Breadth first, so that of several fitting keys the shortest is found first.
  const queue: Key[] = [{ segments: [], schema: resolveRef(ECOSYSTEM_SCHEMA) }]
  for (let key = queue.shift(); key; key = queue.shift()) {
    keys.push(key)
    const { segments } = key
    const isRepetition = segments[0] === 'defaults' || (segments[0] === 'environments' && segments.length > 2)
    if (isRepetition) continue
    for (const [name, schema] of childrenOf(key.schema)) queue.push({ segments: [...segments, name], schema })
  }
  return keys
}

function childrenOf(schema: Schema): [string, Schema][] {
  const inside = schema.properties ?? (schema.items ? resolveRef(schema.items).properties : undefined)
  const children: [string, Schema][] = Object.entries(inside ?? {}).map(([name, child]) => [name, resolveRef(child)])
  if (typeof schema.additionalProperties === 'object') children.push(['*', resolveRef(schema.additionalProperties)])
  return children
}

function describe({ segments, schema }: Key): KeyReference {
  return {
    key: segments.join('.'),
    description: schema.description ?? '',
    type: expectation(schema),
    default: schema.default,
    impact: schema['x-impact'] ?? null,
    examples: schema.examples ?? [],
    children: childrenOf(schema).map(([key, child]) => ({ key, description: child.description ?? '' })),
    values: (schema.enum ?? []).filter((value) => value !== null).map(String),
  }
}

function matches(segments: readonly string[], asked: readonly string[]): boolean {
  return (
    segments.length === asked.length && segments.every((segment, index) => segment === '*' || segment === asked[index])
  )
}

function isNamed(segment: string): boolean {
  return segment !== '*'
}

/** The last segment must be named: `api` alone is no key. */
function endsWith(segments: readonly string[], asked: readonly string[]): boolean {
  if (asked.length === 0 || segments.length < asked.length || segments.at(-1) !== asked.at(-1)) return false
  return matches(segments.slice(segments.length - asked.length), asked)
}

function suggest(asked: readonly string[], keys: readonly Key[]): string[] {
  const [last = ''] = asked.slice(-1)
  const names = new Set(keys.flatMap(({ segments }) => segments.slice(-1)).filter((name) => name !== '*'))
  const name = closest(last, names)
  if (name === null) return []
  return keys
    .filter(({ segments }) => segments.at(-1) === name)
    .map(({ segments }) => segments.join('.'))
    .slice(0, 3)
}
