import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type RuntimeRecord, RuntimeStore } from '../../src/state/runtime-store.ts'
import { ecoHome } from '../../src/state/paths.ts'
import { spec } from '../planner/scenario.ts'

const SCOPE = { project: 'shop', environment: 'production' }

let home: string
let store: RuntimeStore

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'eco-runtime-'))
  store = new RuntimeStore(home)
})

afterEach(() => rmSync(home, { recursive: true }))

function record(app: string, fields: Partial<RuntimeRecord> = {}): RuntimeRecord {
  return {
    format: 1,
    scope: SCOPE,
    app,
    slot: 0,
    uid: 1,
    version: 7,
    spec: spec(),
    nest: null,
    process: { pid: 42, startTime: 99, bootId: 'boot' },
    phase: 'alive',
    reason: '',
    startedAt: 5,
    isReady: true,
    logOffsets: [{ path: '/logs/api-0.out.log', offset: 12 }],
    incarnation: 3,
    restarts: 2,
    lastExit: null,
    ...fields,
  }
}

function load(): { records: RuntimeRecord[]; damaged: string[] } {
  const damaged: string[] = []
  const records = store.load(SCOPE, (path, reason) => damaged.push(`${path.split('/').at(-1)}: ${reason}`))
  return { records, damaged }
}

test('a record comes back as it was, and goes when it is removed', () => {
  store.save(record('api'))
  expect(load()).toEqual({ records: [record('api')], damaged: [] })
  store.remove(record('api'))
  store.remove(record('api'))
  expect(load()).toEqual({ records: [], damaged: [] })
})

test('two copies in one slot, and apps with dots in their names, keep apart', () => {
  const records = [record('api'), record('api', { uid: 2 }), record('api', { slot: 1 }), record('api.0', { slot: 1 })]
  for (const it of records) store.save(it)
  expect(load().records).toHaveLength(records.length)
  expect(load().records).toEqual(expect.arrayContaining(records))
})

test('a damaged record costs its own instance only, and is named', () => {
  store.save(record('api'))
  store.save(record('web'))
  const dir = join(home, 'scopes', 'shop', 'production', 'runtime')
  writeFileSync(join(dir, 'api.0.1.json'), '{"format":1,"app":')
  writeFileSync(join(dir, 'cut.0.1.json'), '')
  writeFileSync(join(dir, 'future.0.1.json'), JSON.stringify({ ...record('future'), format: 2 }))
  writeFileSync(join(dir, 'half.0.1.json'), '{"format":1,"app":"half"}')
  writeFileSync(join(dir, 'web.0.1.json.77.tmp'), '{')
  const { records, damaged } = load()
  expect(records).toEqual([record('web')])
  expect(damaged).toEqual([
    expect.stringMatching(/^api\.0\.1\.json: .*JSON/),
    expect.stringMatching(/^cut\.0\.1\.json: .*JSON/),
    'future.0.1.json: its format is 2, and this eco knows 1',
    'half.0.1.json: it is incomplete',
  ])
})

test('the scopes are those that have state', () => {
  expect(store.scopes()).toEqual([])
  store.save(record('api'))
  store.save(record('api', { scope: { project: 'blog', environment: 'default' } }))
  expect(store.scopes()).toEqual([{ project: 'blog', environment: 'default' }, SCOPE])
})

test('ECO_HOME is where it says, or .eco in the home folder', () => {
  expect(ecoHome({ ECO_HOME: '/srv/eco', HOME: '/root' })).toBe('/srv/eco')
  expect(ecoHome({ ECO_HOME: '', HOME: '/home/ann' })).toBe('/home/ann/.eco')
})
