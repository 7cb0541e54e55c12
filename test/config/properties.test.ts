import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { formatDiagnostics } from '../../src/config/diagnostic.ts'
import { fromData } from '../../src/config/from-data.ts'
import { mergeDefaults, mergeEnvironment } from '../../src/config/overlay.ts'
import { mapAt, toData } from '../../src/config/tree.ts'
import type { MapNode } from '../../src/config/tree.ts'
import { Project } from './project.ts'

/** A map of settings, deep enough to be merged. */
const settings = fc.record(
  {
    stop: fc.record(
      { timeout: fc.constantFrom('1s', '5m'), signal: fc.constantFrom('SIGINT', 'SIGTERM') },
      { requiredKeys: [] },
    ),
    restart: fc.record({ max: fc.nat(9), window: fc.constantFrom('1s', '1h') }, { requiredKeys: [] }),
    env: fc
      .dictionary(fc.constantFrom('A', 'B', 'C', 'D'), fc.oneof(fc.string(), fc.integer(), fc.boolean()))
      .map(escaped),
    inherit_env: fc.subarray(['HTTPS_PROXY', 'X_*']),
    instances: fc.nat(4),
    node_args: fc.subarray(['--no-warnings', '--enable-source-maps']),
  },
  { requiredKeys: [] },
)
const app = settings.map((own) => ({ script: 'app.js', ...own }))
const apps = fc.dictionary(fc.constantFrom('api', 'web', 'worker', 'db'), app, { minKeys: 1 })
const ecosystem = fc.record({ defaults: settings, apps, environments: fc.record({ prod: fc.record({ apps }) }) })

/** Interpolation has its own tests. */
function escaped(env: Record<string, string | number | boolean>) {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.replaceAll('$', '$$$$').replaceAll('\0', '') : value,
    ]),
  )
}

/** The same map with its keys, at every depth, in another order. */
function reordered(value: unknown, order: (count: number) => number): unknown {
  if (Array.isArray(value)) return value.map((item) => reordered(item, order))
  if (typeof value !== 'object' || value === null) return value
  const left = Object.entries(value)
  const result: [string, unknown][] = []
  while (left.length > 0) {
    for (const [key, item] of left.splice(order(left.length), 1)) result.push([key, reordered(item, order)])
  }
  return Object.fromEntries(result)
}

test('the order of keys changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(
      ecosystem,
      fc.infiniteStream(fc.nat(1000)),
      fc.constantFrom(null, 'prod'),
      async (file, random, environment) => {
        const order = (count: number): number => Number(random.next().value) % count
        using project = new Project({ 'a.yaml': stringify(file), 'b.json': JSON.stringify(reordered(file, order)) })
        const [a, b] = [
          await project.load({ file: 'a.yaml', environment }),
          await project.load({ file: 'b.json', environment }),
        ]
        if (!a.ok) throw new Error(await project.complaints({ file: 'a.yaml', environment }))
        // As text: the store and the plan id see the order of keys.
        expect(JSON.stringify(b.ok && b.desired.apps)).toBe(JSON.stringify(a.desired.apps))
      },
    ),
    { numRuns: 60 },
  )
})

function tree(data: unknown): MapNode {
  const root = fromData(data, '')
  if (root.kind !== 'map') throw new Error('not a map')
  return root
}

describe('the overlay', () => {
  const overlay = fc.record({
    apps: fc.dictionary(fc.constantFrom('api', 'web', 'new'), fc.option(app, { freq: 3 })),
    defaults: fc.option(settings),
  })

  test('is pure: the file is as it was, and a second time gives the same', () => {
    fc.assert(
      fc.property(ecosystem, overlay, (file, over) => {
        const [root, layer] = [tree(file), tree(over)]
        const first = JSON.stringify(toData(mergeDefaults(mergeEnvironment(root, layer))))
        expect(JSON.stringify(toData(root))).toBe(JSON.stringify(file))
        expect(JSON.stringify(toData(mergeDefaults(mergeEnvironment(root, layer))))).toBe(first)
        // Laid over itself, an environment adds nothing.
        expect(JSON.stringify(toData(mergeEnvironment(mergeEnvironment(root, layer), layer)))).toBe(
          JSON.stringify(toData(mergeEnvironment(root, layer))),
        )
      }),
    )
  })

  test('null removes: apps, settings and single variables, whatever defaults say', () => {
    const keys = fc.constantFrom('stop', 'restart', 'env', 'inherit_env', 'instances')
    fc.assert(
      fc.property(ecosystem, keys, fc.constantFrom('A', 'B'), (file, key, variable) => {
        const names = Object.keys(file.apps)
        const [first = '', second] = names
        const over = {
          apps: {
            [first]: key === 'env' ? { env: { [variable]: null } } : { [key]: null },
            ...(second && { [second]: null }),
          },
        }
        const merged = mergeDefaults(mergeEnvironment(tree(file), tree(over)))
        const kept = mapAt(merged, 'apps')
        expect([...(kept?.entries.keys() ?? [])]).toEqual(names.filter((name) => name !== second))
        const node = kept && mapAt(kept, first)
        const isThere = key === 'env' ? node && mapAt(node, 'env')?.entries.has(variable) : node?.entries.has(key)
        expect(isThere ?? false).toBe(false)
        expect(JSON.stringify(toData(merged))).not.toContain(':null')
      }),
    )
  })
})

test('a secret never appears in a result or in what is printed', async () => {
  const secret = fc
    .string({ minLength: 8, maxLength: 40 })
    .filter((text) => /^[^\0\ufffd$]*$/.test(text) && text.trim().length >= 8)
  const broken = fc.constantFrom({}, { instnaces: 2 }, { instances: 'two' }, { script: 'no.js' }, { env: 3 })
  const misspelt = fc.constantFrom('secret', 'secret', 'sceret')
  await fc.assert(
    fc.asyncProperty(
      secret,
      broken,
      misspelt,
      fc.constantFrom('yaml', 'json', 'flow'),
      async (value, extra, key, format) => {
        const file = {
          apps: {
            api: {
              script: 'app.js',
              env: {
                A: { value, [key]: true },
                B: { from_env: 'THE_SECRET' },
                C: { from_file: 'secret.txt' },
                D: { from_command: ['cat', 'secret.txt'] },
              },
              env_file: [{ path: 'secret.env', secret: true }],
              ...extra,
            },
          },
        }
        const text =
          format === 'yaml'
            ? stringify(file)
            : format === 'flow'
              ? stringify(file, { collectionStyle: 'flow', lineWidth: 0 })
              : JSON.stringify(file)
        const name = format === 'json' ? 'ecosystem.json' : 'ecosystem.yaml'
        using project = new Project({
          [name]: text,
          'secret.txt': value,
          'secret.env': `E='${value.replaceAll("'", '')}'`,
        })
        const result = await project.load({ env: { THE_SECRET: value } })
        const diagnostics = result.ok ? result.warnings : result.diagnostics
        const all = diagnostics.map((one) => ({ ...one, column: 1, length: 500 }))
        const printed = formatDiagnostics(all, result.sources, { color: false, cwd: '/' })
        const shown = JSON.stringify([result, [...result.sources.values()]])
        // As it is, and as YAML or JSON escape it.
        for (const form of [
          value,
          value.trim(),
          JSON.stringify(value).slice(1, -1),
          JSON.stringify(JSON.stringify(value)).slice(3, -3),
        ]) {
          expect(shown.includes(form), `${form} in ${shown}`).toBe(false)
          expect(printed.includes(form), `${form} in ${printed}`).toBe(false)
        }
      },
    ),
    { numRuns: 150 },
  )
})
