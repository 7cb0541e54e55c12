import type { ProblemList } from './problem.ts'
import { resolveRef, schemaAt, typesOf } from './schema.ts'
import type { Schema } from './schema.ts'
import { closest } from '../model/closest.ts'
import { showPerInstance } from '../model/instance-values.ts'
import { PM2_KEYS } from './pm2-keys.ts'
import { entryAt, formatPath } from './tree.ts'
import type { MapNode, Path, TreeNode } from './tree.ts'
import type { Mismatch } from './validate.ts'

/** Says what ajv found in the words of the file, one problem for each place. */
export function describeMismatches(mismatches: readonly Mismatch[], root: MapNode, problems: ProblemList): void {
  const described = new Set<string>()
  for (const { error, path } of mismatches) {
    const schema = schemaAt(path)
    const node = entryAt(root, path)
    if (!schema || !node) continue
    // The name of a key went wrong behind a $ref: ajv reports that again, as propertyNames, and then names the key.
    if (node.value.kind === 'map' && (error.keyword === 'pattern' || error.keyword === 'minLength')) continue
    const key = keyOf(error)
    const place = JSON.stringify([path, key])
    if (described.has(place)) continue
    described.add(place)
    if (error.keyword === 'additionalProperties' && key !== null) unknownKey(key, path, schema, root, problems)
    else if (key !== null) {
      const at = entryAt(root, [...path, key])?.keyAt ?? node.keyAt
      const expects = schema['x-key'] ?? 'a name of letters, digits, dot, dash and underscore, at most 63 long'
      problems.error(at, `a key of ${formatPath(path)} must be ${expects}, but was ${JSON.stringify(key)}`)
    } else if (error.keyword === 'required') {
      problems.error(
        node.value.at ?? node.keyAt,
        `${formatPath(path)} needs a ${String(error.params['missingProperty'])}`,
      )
    } else {
      const [message, hint] = describeValue(path, schema, node.value)
      problems.error(node.value.at ?? node.keyAt, message, hint)
    }
  }
}

/** The key a problem is about, when it is about a key. */
function keyOf(error: Mismatch['error']): string | null {
  if (error.keyword === 'additionalProperties') return String(error.params['additionalProperty'])
  if (error.keyword === 'propertyNames') return String(error.params['propertyName'])
  return error.propertyName ?? null
}

function unknownKey(key: string, path: Path, schema: Schema, root: MapNode, problems: ProblemList): void {
  const known = Object.keys(schema.properties ?? {}).filter((name) => !name.startsWith('$'))
  const [pm2, pm2Hint] = (known.includes('script') && Object.hasOwn(PM2_KEYS, key) && PM2_KEYS[key]) || [null, null]
  const meant = pm2 ?? (pm2Hint === null ? closest(key, known) : null)
  const where = path.length === 0 ? '' : ` in ${formatPath(path)}`
  const suggestion = meant === null ? '' : `; did you mean "${meant}"?`
  const entry = entryAt(root, [...path, key])
  problems.error(
    entry?.keyAt ?? null,
    `unknown key ${JSON.stringify(key)}${where}${suggestion}`,
    pm2Hint ?? (meant === null ? `known keys: ${known.join(', ')}` : null),
  )
}

function describeValue(path: Path, schema: Schema, node: TreeNode): readonly [message: string, hint: string | null] {
  const where = formatPath(path)
  const choices = schema.enum?.filter((choice) => choice !== null).map(String) ?? schema['x-values']
  if (choices) {
    const meant = node.kind === 'scalar' && typeof node.value === 'string' ? closest(node.value, choices) : null
    const suggestion = meant === null ? '' : `; did you mean "${meant}"?`
    return [`${where} must be ${expectation(schema)}, but was ${show(node)}${suggestion}`, null]
  }
  const units = UNITS.find(([expects]) => schema['x-expects']?.startsWith(expects))?.[1]
  if (units && node.kind === 'scalar' && /^\d+(\.\d+)?$/.test(String(node.value))) {
    const amount = node.written ?? String(node.value)
    const [first, second, third] = units.map((unit) => `${amount}${unit}`)
    return [`${where}: ${amount} has no unit; write ${first}, ${second} or ${third}`, null]
  }
  const isUnquoted = node.kind === 'scalar' && (typeof node.value === 'number' || typeof node.value === 'boolean')
  const quoted = isUnquoted ? (node.written ?? String(node.value)) : ''
  const hint = isUnquoted && wouldFit(quoted, schema) ? `quote it: "${quoted}"` : null
  return [`${where} must be ${expectation(schema)}, but was ${show(node)}`, hint]
}

/** The units to suggest for a number without one. */
const UNITS = [
  ['a duration', ['s', 'ms', 'm']],
  ['a size', ['M', 'K', 'G']],
] as const

/** Whether a value is a text that only lacks its quotes. */
function wouldFit(text: string, schema: Schema): boolean {
  if (!typesOf(schema).every((type) => type === 'string')) return false
  return schema.pattern === undefined ? !schema['x-expects'] : new RegExp(schema.pattern).test(text)
}

/** What a schema asks for, in words: its own (`x-expects`), or made from its types and limits. */
export function expectation(schema: Schema): string {
  if (schema['x-expects']) return schema['x-expects']
  if (schema.enum) return oneOf(schema.enum.filter((choice) => choice !== null).map(String))
  const words = typesOf(schema).map((type) => {
    if (type === 'integer') return `a whole number${range(schema)}`
    if (type === 'number') return `a number${range(schema)}`
    if (type === 'boolean') return 'true or false'
    if (type === 'array') return schema.items ? `a list of ${plural(resolveRef(schema.items))}` : 'a list'
    if (type === 'object') return 'a map'
    return schema.pattern === undefined ? 'a string' : `a string matching ${schema.pattern}`
  })
  return words.join(' or ')
}

function range({ minimum, maximum }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`
  return minimum === undefined ? '' : ` of at least ${minimum}`
}

function plural(schema: Schema): string {
  return typesOf(schema).join() === 'string' ? 'strings' : 'values'
}

function oneOf(choices: readonly string[]): string {
  if (choices.length < 2) return choices.join('')
  return `${choices.slice(0, -1).join(', ')} or ${choices.at(-1) ?? ''}`
}

/** A value as seen in a message: short, and never what is inside a map, which may hold a secret. */
export function show(node: TreeNode): string {
  if (node.kind !== 'scalar') return node.kind === 'map' ? 'a map' : 'a list'
  if (node.value === null) return 'empty'
  if (typeof node.value !== 'string') return node.written ?? String(node.value)
  return JSON.stringify(shorten(showPerInstance(node.value)))
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
