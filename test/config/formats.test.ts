import { writeFileSync } from 'node:fs'
import path from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadEcosystem } from '../../src/config/load-ecosystem.ts'
import { EXTENSIONS } from '../../src/config/locate.ts'
import { parseJson } from '../../src/config/parse-json.ts'
import { toData } from '../../src/config/tree.ts'
import type { DesiredState } from '../../src/model/spec.ts'
import { BASE_ENV, Project, headlines } from './project.ts'

const VALID = path.resolve('fixtures/config/valid')

describe('means the same as ecosystem.yaml:', () => {
  test.each(EXTENSIONS)('ecosystem.%s', async (extension) => {
    for (const environment of [null, 'production']) {
      const expected = await desired('yaml', environment)
      expect(Object.keys(expected.apps)).toEqual(['api', 'seed'])
      expect(await desired(extension, environment)).toEqual(expected)
    }
  })
})

const seal = (value: string): { fingerprint: string; sealed: string } => ({ fingerprint: value, sealed: value })

/** The desired state of a fixture, with what must differ between folders taken out. */
async function desired(extension: string, environment: string | null): Promise<DesiredState> {
  const file = path.join(VALID, extension, `ecosystem.${extension}`)
  const result = await loadEcosystem({ file, cwd: '/', environment, env: BASE_ENV, seal })
  if (!result.ok) throw new Error(result.diagnostics.map((one) => `${one.line}: ${one.message}`).join('\n'))
  return JSON.parse(
    JSON.stringify(result.desired)
      .replaceAll(`/${extension}/`, '/')
      .replaceAll(`/${extension}"`, '"')
      .replace(`ecosystem.${extension}`, ''),
  )
}

const parse = (text: string, dialect: 'json' | 'jsonc' = 'json') => {
  const problems: string[] = []
  const tree = parseJson(text, dialect, (at, message) => problems.push(`${at?.start} ${message}`))
  return { data: tree && toData(tree), problems }
}

describe('JSON', () => {
  test('accepts what JSON.parse accepts, and reads the same', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom('', ' ', '\t', 4), (value, space) => {
        const text = JSON.stringify(value, null, space)
        expect(JSON.stringify(parse(text).data)).toBe(JSON.stringify(JSON.parse(text)))
        expect(JSON.stringify(parse(text, 'jsonc').data)).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
  })

  test('refuses what JSON.parse refuses', () => {
    const damaged = fc
      .tuple(fc.jsonValue(), fc.nat(), fc.constantFrom('', ',', '{', '}', ']', '"', '0', '\\', '/', 'a', '\n', ' '))
      .map(([value, at, inserted]) => {
        const text = JSON.stringify(value)
        const index = at % (text.length + 1)
        return text.slice(0, index) + inserted + text.slice(index + (inserted === '' ? 1 : 0))
      })
    fc.assert(
      fc.property(damaged, (text) => {
        const { data, problems } = parse(text)
        const twice = problems.every((problem) => problem.includes('already there'))
        expect(twice && (data !== null || text.trim() === 'null')).toBe(isJson(text))
      }),
      { numRuns: 1000 },
    )
  })

  test.each([
    ['{"apps": {},}', '11 invalid JSON: a comma before "}"'],
    ['{"apps": {} "x": 1}', '12 invalid JSON: expected "," or "}", but found "\\""'],
    ['{apps: 1}', '1 invalid JSON: expected a key in double quotes, but found "a"'],
    ['// no\n{}', '0 invalid JSON: expected a value, but found "/"'],
    ['{"a": 1, "a": 2}', '9 this key is already there in the same map'],
    ['{"a": 01}', '7 invalid JSON: expected "," or "}", but found "1"'],
    ['{"a": 1', '7 invalid JSON: expected "," or "}", but found the end of the file'],
    ['{"a": require("x")}', '6 invalid JSON: expected a value, but found "r"'],
    ['[', '1 invalid JSON: expected a value, but found the end of the file'],
  ])('says where %s is wrong', (text, problem) => {
    expect(parse(text).problems).toEqual([problem])
  })

  test('points at the value, as in YAML', async () => {
    using project = new Project({
      'ecosystem.json': '{\n  "apps": {\n    "api": { "script": "app.js", "instances": "two" }\n  }\n}',
    })
    expect(headlines(await project.complaints())).toEqual([
      'ecosystem.json:3:47 apps.api.instances must be a whole number, "max" or a share like "50%", but was "two"',
    ])
  })
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const GOOD = '{ apps: { api: { script: "app.js" } } }'

describe('a TS or JS file', () => {
  test.each([
    ['throws', 'mjs', 'const x = 1\nthrow new Error("no database")', ['2:7 the file threw Error: no database']],
    [
      'throws in TypeScript',
      'ts',
      'const x: number = 1\nfunction f(): never {\n  throw new Error("no")\n}\nf()\nexport default {}',
      ['3:9 the file threw Error: no'],
    ],
    [
      'throws in its function',
      'mjs',
      'export default () => {\n  null.x\n}',
      ["2:8 the file threw TypeError: Cannot read properties of null (reading 'x')"],
    ],
    ['rejects', 'mjs', 'export default Promise.reject(new Error("later"))', ['1:31 the file threw Error: later']],
    ['throws a string', 'mjs', 'throw "a string"', [' the file threw Error: threw a string']],
    [
      'has a syntax error',
      'mjs',
      'export default {\n  apps: {{\n}',
      ["2:10 the file threw SyntaxError: Unexpected token '{'"],
    ],
    ['exits', 'mjs', 'process.exit(0)', [' the file called process.exit(0)']],
    ['exits in CommonJS', 'cjs', 'process.exit(3)', [' the file called process.exit(3)']],
    ['loops for ever', 'mjs', 'while (true) {}', [' the file did not finish within 1500ms']],
    ['loops for ever in TypeScript', 'ts', 'for (;;) {}', [' the file did not finish within 1500ms']],
    [
      'never settles',
      'mjs',
      'export default new Promise(() => {})',
      [' the promise that the file exports never settles'],
    ],
    [
      'never settles, with a timer',
      'mjs',
      'setInterval(() => {}, 100)\nexport default new Promise(() => {})',
      [' the file did not finish within 1500ms'],
    ],
    ['exports nothing', 'mjs', 'export const apps = {}', [' the file threw Error: the file has no default export']],
    ['exports a number', 'mjs', 'export default 3', [' an ecosystem file must be a map with "apps", but this is 3']],
    [
      'holds a function',
      'mjs',
      'export default {\n  apps: {\n    api: { script: () => 1 } } }',
      ['3:12 apps.api.script must be plain data, but is a function'],
    ],
    [
      'holds a class instance',
      'mjs',
      'export default { apps: { api: { script: new Date(0) } } }',
      ['1:33 apps.api.script must be plain data, but is an instance of Date'],
    ],
    [
      'holds a map',
      'cjs',
      'module.exports = { apps: new Map() }',
      ['1:20 apps must be plain data, but is an instance of Map'],
    ],
    [
      'holds NaN',
      'mjs',
      'export default { apps: { api: { instances: NaN } } }',
      ['1:33 apps.api.instances must be plain data, but is NaN'],
    ],
    [
      'holds a bigint',
      'mjs',
      'export default { apps: { api: { instances: 1n } } }',
      ['1:33 apps.api.instances must be plain data, but is a bigint'],
    ],
    [
      'holds itself',
      'mjs',
      'const a = {}\na.apps = a\nexport default a',
      [' apps must be plain data, but is a reference to a value that contains it'],
    ],
    [
      'holds a symbol',
      'mjs',
      'export default { apps: { api: { script: Symbol("x") } } }',
      ['1:33 apps.api.script must be plain data, but is a symbol'],
    ],
    [
      'imports what is not there',
      'mjs',
      'import "./no.js"',
      [" the file threw Error: Cannot find module '<folder>/no.js' imported from <folder>/ecosystem.mjs"],
    ],
    [
      'has an unknown key',
      'ts',
      'export default {\n  apps: {\n    api: { script: "app.js", instnaces: 2 },\n  },\n}',
      ['3:30 unknown key "instnaces" in apps.api; did you mean "instances"?'],
    ],
    [
      'has a bad value',
      'js',
      `export default ${GOOD.replace('"app.js"', '"app.js", instances: "two"')}`,
      ['1:62 apps.api.instances must be a whole number, "max" or a share like "50%", but was "two"'],
    ],
  ])('that %s is an error', async (_, extension, text, expected) => {
    using project = new Project({ [`ecosystem.${extension}`]: text })
    const complaints = await project.complaints({ env: { ECO_CONFIG_TIMEOUT_MS: '1500' } })
    expect(headlines(complaints)).toEqual(
      expected.map((line) => `ecosystem.${extension}${line.startsWith(' ') ? line : `:${line}`}`),
    )
  })

  test("prints the config's own frames only", async () => {
    using project = new Project({
      'ecosystem.ts': 'import { load } from "./lib.ts"\nexport default load()',
      'lib.ts': 'export function load(): object {\n  throw new Error("broken")\n}',
    })
    const complaints = await project.complaints()
    expect(complaints).toContain('<folder>/lib.ts:2:9')
    expect(complaints).toContain('<folder>/ecosystem.ts:2:')
    expect(complaints).not.toMatch(/jiti|node:|evaluate-worker/)
  })

  test('is given the environment, and the variables of the caller', async () => {
    using project = new Project({
      'ecosystem.mjs':
        'export default ({ env }) => ({ apps: { api: { script: "app.js", env: { E: String(env), X: process.env.X } } } })',
    })
    const app = await project.app('api', { environment: 'production', env: { X: 'yes' } })
    expect(app.env).toEqual({ E: { type: 'plain', value: 'production' }, X: { type: 'plain', value: 'yes' } })
    expect(process.env['X']).toBeUndefined()
  })

  test('can import eco-orchestrator where it is not installed', async () => {
    using project = new Project({
      'ecosystem.ts': `import { defineEcosystem } from 'eco-orchestrator'\nexport default defineEcosystem(${GOOD})`,
    })
    expect((await project.app('api')).kind).toBe('service')
  })

  test('sees a changed file at the next load', async () => {
    using project = new Project({ 'ecosystem.mts': `export default ${GOOD}` })
    expect((await project.app('api')).instances).toBe(1)
    const changed = GOOD.replace('"app.js"', '"app.js", instances: 2')
    writeFileSync(path.join(project.folder, 'ecosystem.mts'), `export default ${changed}`)
    expect((await project.app('api')).instances).toBe(2)
  })
})
