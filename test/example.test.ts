/**
 * ecosystem.example.yaml is the first thing a newcomer opens: it uses every key of the schema, and explains each where
 * it stands first.
 */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'

interface Schema {
  $ref?: string
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  items?: Schema
  $defs?: Record<string, Schema>
}

/** A schema property that the example uses: `app.ready.http`, and the line (from 1) of its first use. */
type FirstUses = Map<string, number>

const root: Schema = JSON.parse(read('../schemas/ecosystem.schema.json'))
const source = read('../ecosystem.example.yaml')
const uses = firstUses()

test('the example uses every property of the schema', () => {
  const unused = [...properties()].filter((property) => !uses.has(property))
  expect(unused, 'schema properties that ecosystem.example.yaml does not show').toEqual([])
})

test('the first use of each property has a comment on its line or above it', () => {
  const lines = source.split('\n')
  const unexplained = [...uses]
    .filter(([, line]) => !/(^|\s)#\s*\S/.test(lines[line - 1] ?? '') && !/^\s*#\s*\S/.test(lines[line - 2] ?? ''))
    .map(([property, line]) => `${property} (line ${line})`)
  expect(unexplained, 'keys of ecosystem.example.yaml without a comment').toEqual([])
})

function read(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8')
}

/** Every property of the schema, named after the definition it stands in. */
function properties(): Set<string> {
  const found = new Set<string>()
  const collect = (schema: Schema, name: string): void => {
    for (const [key, value] of Object.entries(schema.properties ?? {})) {
      found.add(join(name, key))
      collect(value, join(name, key))
    }
    if (typeof schema.additionalProperties === 'object') collect(schema.additionalProperties, name)
    if (schema.items) collect(schema.items, name)
  }
  collect(root, '')
  for (const [name, schema] of Object.entries(root.$defs ?? {})) collect(schema, name)
  return found
}

function firstUses(): FirstUses {
  const lineCounter = new LineCounter()
  const document = parseDocument(source, { lineCounter })
  const found: FirstUses = new Map()
  const visit = (node: unknown, schema: Schema, name: string): void => {
    if (schema.$ref) return visit(node, ...definition(schema.$ref))
    const value = isAlias(node) ? node.resolve(document) : node
    if (isSeq(value)) return value.items.forEach((item) => schema.items && visit(item, schema.items, name))
    if (!isMap(value)) return
    for (const { key, value: child } of value.items) {
      if (!isScalar(key) || !key.range) continue
      const property = schema.properties?.[String(key.value)]
      const path = join(name, String(key.value))
      if (property) {
        const line = lineCounter.linePos(key.range[0]).line
        found.set(path, Math.min(line, found.get(path) ?? line))
        visit(child, property, path)
      } else if (typeof schema.additionalProperties === 'object') {
        visit(child, schema.additionalProperties, name)
      }
    }
  }
  visit(document.contents, root, '')
  return found
}

/** `#/$defs/app` → the definition and its name. */
function definition(ref: string): [Schema, string] {
  const name = ref.replace('#/$defs/', '')
  const found = root.$defs?.[name]
  if (!found) throw new Error(`the schema has no definition ${ref}`)
  return [found, name]
}

function join(name: string, key: string): string {
  return name ? `${name}.${key}` : key
}
