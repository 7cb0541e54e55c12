import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LogKeeper } from '../../src/logs/keeper.ts'
import { readLedger, writeLedger } from '../../src/logs/ledger.ts'
import type { LogUser } from '../../src/logs/run-logs.ts'
import { TimeIndex, type TimePoint } from '../../src/logs/time-index.ts'
import { SPEC_DEFAULTS } from '../../src/model/defaults.ts'

let home: string
let path: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'eco-keeper-'))
  path = join(home, 'api-0.out.log')
})
afterEach(() => rmSync(home, { recursive: true }))

function user(): LogUser {
  return { paths: [path], rotation: SPEC_DEFAULTS.rotation, tell: () => {} }
}

function points(): Pick<TimePoint, 'address' | 'kind'>[] {
  const index = new TimeIndex(home, path)
  const found = Array.from({ length: index.length }, (_, at) => index.at(at)).flatMap((point) => point ?? [])
  index.close()
  return found.map(({ address, kind }) => ({ address, kind }))
}

const endOf = (keeper: LogKeeper): number => keeper.endOf(path).offset

test('a run begins at the end of what was written, and what it writes is dated', () => {
  writeFileSync(path, 'before\n')
  const keeper = new LogKeeper(home, 'unused')
  const run = user()
  expect(keeper.begin(run)).toEqual([{ path, offset: 7 }])
  appendFileSync(path, 'one\n')
  expect(endOf(keeper)).toBe(11)
  keeper.end(run)
  expect(points()).toEqual([
    { address: 7, kind: 'seen' },
    { address: 7, kind: 'start' },
    { address: 11, kind: 'seen' },
    { address: 11, kind: 'end' },
  ])
})

test('a file that two runs share is followed until both have ended', () => {
  const keeper = new LogKeeper(home, 'unused')
  const [first, second] = [user(), user()]
  keeper.begin(first)
  keeper.begin(second)
  keeper.end(first)
  appendFileSync(path, 'of the second\n')
  expect(endOf(keeper)).toBe(14)
  expect(points().at(-1)).toEqual({ address: 14, kind: 'seen' })
})

const FOREIGN: readonly [what: string, act: () => void, left: number][] = [
  ['cut short', () => truncateSync(path), 0],
  [
    'moved away and replaced by a longer one',
    () => {
      renameSync(path, `${path}.1`)
      writeFileSync(path, 'a longer one than before\n')
    },
    25,
  ],
]

test.each(FOREIGN)('a file that is %s by somebody else: no address comes twice', (_, act, left) => {
  writeFileSync(path, 'twelve bytes')
  const keeper = new LogKeeper(home, 'unused')
  keeper.begin(user())
  act()
  expect(endOf(keeper)).toBe(12 + left)
  expect(readLedger(home, path)).toMatchObject({ base: 12, filler: 0, size: left })
  appendFileSync(path, 'x')
  expect(endOf(keeper)).toBe(13 + left)
})

test.each(FOREIGN)('… while no daemon runs, which noted its size in the index only', (_, act, left) => {
  writeFileSync(path, 'four')
  const before = new LogKeeper(home, 'unused')
  before.follow(user())
  appendFileSync(path, 'and eight')
  expect(endOf(before)).toBe(13)
  expect(readLedger(home, path)).toMatchObject({ size: 4 })
  act()
  const next = new LogKeeper(home, 'unused')
  next.follow(user())
  expect(endOf(next)).toBe(13 + left)
})

test('a file that is removed before the next run: that begins behind it', () => {
  writeFileSync(path, 'gone')
  const keeper = new LogKeeper(home, 'unused')
  const run = user()
  keeper.begin(run)
  keeper.end(run)
  rmSync(path)
  expect(keeper.begin(user())).toEqual([{ path, offset: 4 }])
  writeFileSync(path, 'of the new run\n')
  expect(endOf(keeper)).toBe(4 + 15)
})

test('a tail goes on over a rotation: from the archive, then from the file', () => {
  const keeper = new LogKeeper(home, 'unused')
  keeper.follow(user())
  const tail = keeper.tail({ path, offset: 0 })
  writeFileSync(path, 'one\ntwo\n')
  expect(tail.read()).toEqual(['one', 'two', ''])
  expect(tail.read()).toBeNull()
  const archive = {
    name: 'api-0.out.log.1',
    start: 0,
    end: 16,
    firstAt: null,
    lastAt: 0,
    bytes: 16,
    compression: 'none',
  }
  writeFileSync(join(home, archive.name), 'one\ntwo\nthree\nx\n')
  writeFileSync(path, '   \nfour\nfi')
  writeLedger(home, { ...readLedger(home, path), base: 12, filler: 4, archives: [archive as never] })
  const other = new LogKeeper(home, 'unused')
  const late = other.tail({ path, offset: 8 })
  expect(late.read()).toEqual(['three', 'x', ''])
  expect(late.read()).toEqual(['four', 'fi'])
  expect(other.lastLines({ path, offset: 4 }, 4)).toEqual(['three', 'x', 'four', 'fi'])
  expect(other.lastLines({ path, offset: 16 }, 4)).toEqual(['four', 'fi'])
})

test('a tail waits while a rotation moves the bytes', () => {
  writeFileSync(path, 'one\n')
  const keeper = new LogKeeper(home, 'unused')
  const tail = keeper.tail({ path, offset: 0 })
  const archive = {
    name: 'api-0.out.log.1',
    start: 0,
    end: 4,
    firstAt: null,
    lastAt: 0,
    bytes: 4,
    compression: 'none',
  } as const
  const pending = {
    method: 'copytruncate',
    archive,
    base: 4,
    filler: 0,
    size: 4,
    mark: '',
    isMarked: false,
    helper: null,
    stopped: [],
  } as const
  writeLedger(home, { ...readLedger(home, path), pending })
  expect(tail.read()).toBeNull()
  writeLedger(home, { ...readLedger(home, path), pending: null })
  expect(tail.read()).toEqual(['one', ''])
})

test('a ledger of which nothing is left costs the archives only', () => {
  writeFileSync(path, 'x\n')
  const keeper = new LogKeeper(home, 'unused')
  keeper.follow(user())
  expect(readFileSync(path, 'utf8')).toBe('x\n')
  expect(keeper.lastLines({ path, offset: 0 }, 5)).toEqual(['x'])
})

test('what is written after a flush has addresses of its own, however much nobody had looked at before it', async () => {
  const keeper = new LogKeeper(home, 'unused')
  keeper.begin(user())
  appendFileSync(path, 'x'.repeat(100))
  expect(await keeper.flush(path)).toMatchObject({ type: 'flushed', bytes: 100 })
  appendFileSync(path, 'new\n')
  expect(endOf(keeper)).toBe(104)
  expect(readLedger(home, path)).toMatchObject({ base: 100 })
})
