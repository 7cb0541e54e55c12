/**
 * Generates what comes from schemas/ecosystem.schema.json:
 *
 *   src/config/validator.generated.js  the validator, compiled ahead of time (git-ignored: a build product)
 *   src/config/ecosystem.ts            the TypeScript types of an ecosystem file (committed: editors and reviews see it)
 *
 * `--check` writes the validator only, and fails when the committed types are not what the schema says.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import standaloneCode from 'ajv/dist/standalone/index.js'
import { compile } from 'json-schema-to-typescript'

const root = new URL('../', import.meta.url)
const schema = JSON.parse(readFileSync(new URL('schemas/ecosystem.schema.json', root), 'utf8'))
const typesFile = new URL('src/config/ecosystem.ts', root)

writeFileSync(new URL('src/config/validator.generated.js', root), validatorSource())
const types = await typesSource()
if (process.argv.includes('--check')) {
  if (readIfPresent(typesFile) !== types) {
    console.error('src/config/ecosystem.ts is not what schemas/ecosystem.schema.json says. Run: npm run gen')
    process.exitCode = 1
  }
} else if (readIfPresent(typesFile) !== types) {
  writeFileSync(typesFile, types)
}

function validatorSource() {
  // inlineRefs off: `app` is used four times; as a function it is emitted once.
  const ajv = new Ajv({
    allErrors: true,
    strict: false,
    messages: false,
    inlineRefs: false,
    code: { source: true, esm: true, lines: true },
  })
  const code = standaloneCode(ajv, ajv.compile(forValidator(schema)))
  // ajv writes require() for its runtime helpers even in ESM; the only one we use counts code points.
  const inlined = code.replaceAll(/require\("ajv\/dist\/runtime\/ucs2length"\)\.default/g, '(text) => [...text].length')
  if (/\brequire\(/.test(inlined))
    throw new Error('The compiled validator needs another ajv runtime helper: inline it here.')
  return inlined
}

/** The compiled code carries the schema as a literal: what only people read would cost every start a few milliseconds. */
function forValidator(node) {
  if (Array.isArray(node)) return node.map(forValidator)
  if (node === null || typeof node !== 'object') return node
  const texts = ['title', 'description', 'default', 'examples']
  const isText = (key, value) => (texts.includes(key) && !isSchema(value)) || (key.startsWith('x-') && !isSchema(value))
  const kept = Object.entries(node).filter(([key, value]) => !isText(key, value))
  return Object.fromEntries(kept.map(([key, value]) => [key, forValidator(value)]))
}

/** A property may be called `default`; an annotation is no schema. */
function isSchema(value) {
  return typeof value === 'object' && value !== null && ('type' in value || '$ref' in value || 'enum' in value)
}

async function typesSource() {
  return compile(forTypes(schema), 'Ecosystem', {
    additionalProperties: false,
    unreachableDefinitions: false,
    strictIndexSignatures: false,
    bannerComment:
      '/** Generated from schemas/ecosystem.schema.json by scripts/generate.mjs; do not edit. The shape of an ecosystem file. */',
    style: { semi: false, singleQuote: true, printWidth: 120, trailingComma: 'all' },
  })
}

/**
 * The schema as the type generator should see it: no `^x-` keys (an index signature would accept every typo), and no
 * eco-only keywords. Names for the definitions come from their keys.
 */
function forTypes(node) {
  if (Array.isArray(node)) return node.map(forTypes)
  if (node === null || typeof node !== 'object') return node
  // A $ref with neighbours becomes a copy of its type under a new name; inside allOf it stays the type it refers to.
  if (node.$ref !== undefined) return { allOf: [{ $ref: node.$ref }], description: node.description }
  const result = {}
  for (const [key, value] of Object.entries(node)) {
    if (key === 'patternProperties' || key === 'propertyNames' || key === 'minItems') continue
    if (key === 'default' || key === 'examples' || (key.startsWith('x-') && typeof value === 'string')) continue
    result[key] = forTypes(value)
  }
  return result
}

function readIfPresent(url) {
  try {
    return readFileSync(url, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}
