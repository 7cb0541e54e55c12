/** docs/logs.md is a contract: what it says of names, keys and options is what the code does. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { PM2_KEYS } from '../src/config/pm2-keys.ts'
import { archiveName, logPaths } from '../src/logs/layout.ts'
import { SPEC_DEFAULTS } from '../src/model/defaults.ts'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const page = read('docs/logs.md')

/** The rows of all tables, by their first cell without its backquotes. */
const rows = new Map(
  [...page.matchAll(/^\| (.+?) \|(.*)\|$/gm)].map(([, first = '', rest = '']) => [
    first,
    rest.split('|').map((cell) => cell.trim()),
  ]),
)

test('the names of the files', () => {
  const scope = { project: 'shop', environment: 'production' }
  const { output } = SPEC_DEFAULTS
  const { out, err } = logPaths('~/.eco', scope, 'api', 0, output)
  const archive = archiveName(out ?? '', Date.parse('2026-01-31T18:04:05.123Z'), 'gzip')
  for (const path of [out, err, `${out?.slice(0, out.lastIndexOf('/'))}/${archive}`]) {
    expect(page).toMatch(new RegExp(`^${path?.replaceAll('.', '\\.')} `, 'm'))
  }
})

test('every key of logs, and its default', () => {
  const schema = JSON.parse(read('schemas/ecosystem.schema.json')) as {
    $defs: Record<string, { properties?: Record<string, { properties?: object }> }>
  }
  const logs = Object.values(schema.$defs).find(({ properties }) => properties?.['logs'])?.properties?.['logs']
  const keys = Object.keys(logs?.properties ?? {})
  expect(keys.length).toBeGreaterThan(8)
  const documented = [...rows.keys()].flatMap((cell) => cell.split(', ').map((it) => it.replaceAll('`', '')))
  for (const key of keys) expect(documented).toContain(key)
  const { rotation, output } = SPEC_DEFAULTS
  expect(rows.get('`max_size`')?.[0]).toBe(`\`${rotation.maxSizeBytes / 2 ** 20}M\``)
  expect(rows.get('`keep`')?.[0]).toBe(`\`${rotation.keep}\``)
  expect(rows.get('`compress`')?.[0]).toBe(`\`${rotation.compress}\``)
  expect(rows.get('`rotation`')?.[0]).toBe(`\`${rotation.method}\``)
  expect(rows.get('`format`')?.[0]).toBe(`\`${output.format}\``)
  for (const key of ['max_age', 'keep_for', 'total_size']) expect(rows.get(`\`${key}\``)?.[0]).toBe('')
})

test('every option of eco logs', () => {
  const [, source = ''] = /'logs', 'the latest log lines([^]*?)\.action\(/.exec(read('src/cli/program.ts')) ?? []
  const options = [...source.matchAll(/\.option\('(?:-\w, )?(--[a-z-]+)/g)].map(([, option = '']) => option)
  expect(options.length).toBeGreaterThan(3)
  for (const option of [...options, '--json']) expect(page).toMatch(new RegExp(`^\\| .*${option}\\b.* \\| `, 'm'))
})

test('what is taken from PM2 is told in the same way', () => {
  const names = Object.entries(PM2_KEYS).flatMap(([name, [key]]) => (key?.startsWith('logs.') ? [name] : []))
  expect(names.length).toBeGreaterThan(5)
  expect(names.filter((name) => !page.includes(`\`${name}`))).toEqual([])
})
