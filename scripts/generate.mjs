/**
 * Generates what comes from schemas/ecosystem.schema.json:
 *
 *   src/config/validator.generated.js  the validator, compiled ahead of time (git-ignored: a build product)
 *   src/config/ecosystem.ts            the TypeScript types of an ecosystem file (committed: editors and reviews see it)
 *   docs/reference.md                  what every key means (committed)
 *
 * `--check` writes the validator only, and fails when a committed file is not what the schema says.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import standaloneCode from 'ajv/dist/standalone/index.js'
import { build } from 'esbuild'
import { compile } from 'json-schema-to-typescript'

const root = new URL('../', import.meta.url)
const schema = JSON.parse(readFileSync(new URL('schemas/ecosystem.schema.json', root), 'utf8'))

writeFileSync(new URL('src/config/validator.generated.js', root), validatorSource())
for (const [name, content] of [
  ['src/config/ecosystem.ts', await typesSource()],
  ['docs/reference.md', await referenceSource()],
]) {
  const file = new URL(name, root)
  if (readIfPresent(file) === content) continue
  if (process.argv.includes('--check')) {
    console.error(`${name} is not what schemas/ecosystem.schema.json says. Run: npm run gen`)
    process.exitCode = 1
  } else {
    writeFileSync(file, content)
  }
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
  // A text that may only be one of a few, beside other types.
  if (node['x-values'] !== undefined) {
    const { 'x-values': values, pattern: _, ...rest } = node
    const types = rest.type.filter((type) => type !== 'string')
    return { anyOf: [{ enum: values }, forTypes({ ...rest, type: types })], description: node.description }
  }
  const result = {}
  for (const [key, value] of Object.entries(node)) {
    if (key === 'patternProperties' || key === 'propertyNames' || key === 'minItems') continue
    if (key === 'default' || key === 'examples' || (key.startsWith('x-') && typeof value === 'string')) continue
    result[key] = forTypes(value)
  }
  return result
}

/** The reference page, from the same code as `eco explain`. */
async function referenceSource() {
  const { outputFiles } = await build({
    entryPoints: [new URL('src/config/reference.ts', root).pathname],
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
  })
  const code = Buffer.from(outputFiles[0].text).toString('base64')
  const { allKeys } = await import(`data:text/javascript;base64,${code}`)
  const show = (value) => (value === null || value === undefined ? 'none' : `\`${JSON.stringify(value)}\``)
  const entry = ({ key, description, type, default: fallback, impact, examples, values }) => [
    `### \`${key}\``,
    description,
    [
      `- type: ${type}`,
      ...(values.length > 0 ? [`- values: ${values.map((value) => `\`${value}\``).join(', ')}`] : []),
      ...(fallback === undefined
        ? []
        : [`- default: ${typeof fallback === 'string' && /\s/.test(fallback) ? fallback : show(fallback)}`]),
      ...(impact === null ? [] : [`- impact of a change: ${impact}`]),
      ...examples.map((example) => `- example: \`${key.split('.').at(-1)}: ${JSON.stringify(example)}\``),
    ].join('\n'),
  ]
  const head = [
    '# Reference of the ecosystem file',
    '<!-- Generated from schemas/ecosystem.schema.json by scripts/generate.mjs; do not edit. -->',
    'The same as `eco explain KEY`. `*` stands for a name of your own. A change has the impact `none` < `live` (no process is touched) < `scale` < `roll` (replaced one by one, each when its successor is ready) < `restart`.',
  ]
  return `${[
    ...head,
    ...allKeys()
      .filter(({ key }) => key !== '')
      .flatMap(entry),
  ].join('\n\n')}\n`
}

function readIfPresent(url) {
  try {
    return readFileSync(url, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}
