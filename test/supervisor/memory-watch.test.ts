/** Memory limits by sampling, against processes that really grow. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { type Excess, describeExcess, type GuardedTree, MemoryWatch } from '../../src/supervisor/memory-watch.ts'
import { FASTEST_FLAT_MS, isUrgent, nextLookMs, SLOWEST_MS } from '../../src/supervisor/memory-pace.ts'
import { descendants, pageBytes, readStat } from '../../src/supervisor/proc.ts'
import { distinctBytes } from '../../src/supervisor/tree-memory.ts'
import { fixture } from '../support/rig.ts'
import { eventually, startChild } from './children.ts'

const MB = 2 ** 20
const hasProc = readStat(process.pid) !== null
if (!hasProc) process.stderr.write('SKIPPED: no /proc here, so no memory was sampled\n')

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

test('what begins to grow by 250 MB/s is seen before it is half above its limit', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 100_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (limit, share) => {
      const used = share * limit * MB
      const pause = nextLookMs(limit * MB, used, 0)
      expect(pause).toBeGreaterThanOrEqual(FASTEST_FLAT_MS)
      expect(pause).toBeLessThanOrEqual(SLOWEST_MS)
      expect(used + 250 * MB * (pause / 1000)).toBeLessThanOrEqual(limit * MB * 1.5 + MB)
    }),
  )
})

test('what is far below its limit is looked at once a second; what grows fast, at once', () => {
  expect(nextLookMs(1000 * MB, 100 * MB, 0)).toBe(SLOWEST_MS)
  expect(nextLookMs(100 * MB, 60 * MB, 0)).toBe(320)
  expect(nextLookMs(100 * MB, 50 * MB, 1000 * MB)).toBe(60)
  expect(nextLookMs(100 * MB, 120 * MB, 0)).toBe(80)
  expect(nextLookMs(8 * MB, 2 * MB, 0)).toBe(FASTEST_FLAT_MS)
  expect(nextLookMs(8 * MB, 2 * MB, 10 * MB)).toBe(37)
  expect(isUrgent(100 * MB, 140 * MB)).toBe(false)
  expect(isUrgent(100 * MB, 160 * MB)).toBe(true)
})

test('the reason names what is used and what is allowed', () => {
  const excess = { usedBytes: 123.4 * MB, limitBytes: 100 * MB, urgent: false }
  expect(describeExcess(excess)).toBe('uses 123M of memory, above its limit of 100M')
  expect(describeExcess({ ...excess, limitBytes: 1.5 * MB })).toContain('limit of 1.5M')
})

function treeOf(leader: number): GuardedTree {
  return { leader, members: () => ({ pids: [], isComplete: false }) }
}

interface Guarded {
  readonly pid: number
  readonly excesses: Excess[]
  /** Of each process that grew. */
  peakMegabytes(): number[]
}

function grow(env: Record<string, string>, limitBytes: number): Guarded {
  const dir = mkdtempSync(join(tmpdir(), 'eco-memory-'))
  const child = startChild([process.execPath, fixture('grows.mjs')], {
    env: { ...process.env, PEAK_DIR: dir, ...env },
  })
  const excesses: Excess[] = []
  const watch = new MemoryWatch()
  const guard = watch.guard(treeOf(child.pid), limitBytes, (excess) => {
    excesses.push(excess)
    process.kill(-child.pid, 'SIGKILL')
  })
  closing.push(() => {
    guard.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return {
    pid: child.pid,
    excesses,
    peakMegabytes: () => readdirSync(dir).map((name) => Number(readFileSync(join(dir, name), 'utf8')) / 1024),
  }
}

test.runIf(hasProc)('a process that grows by 150 MB/s is ended below twice its limit', async () => {
  const guarded = grow({ RATE_MB: '150' }, 100 * MB)
  await eventually(() => guarded.excesses.length > 0)
  expect(guarded.excesses[0]?.usedBytes).toBeGreaterThan(100 * MB)
  const [peak = 0, ...others] = guarded.peakMegabytes()
  expect(others).toEqual([])
  expect(peak).toBeGreaterThan(99)
  expect(peak).toBeLessThan(200)
})

test.runIf(hasProc)('four processes that are above the limit only together', async () => {
  const guarded = grow({ RATE_MB: '40', WORKERS: '4' }, 400 * MB)
  await eventually(() => guarded.excesses.length > 0)
  const peaks = guarded.peakMegabytes()
  expect(peaks).toHaveLength(4)
  expect(Math.max(...peaks)).toBeLessThan(400)
  expect(guarded.excesses[0]?.usedBytes).toBeGreaterThan(400 * MB)
  expect(peaks.reduce((sum, peak) => sum + peak)).toBeLessThan(800)
})

test.runIf(hasProc)('a grandchild that grows', async () => {
  const guarded = grow({ RATE_MB: '150', NESTED: '2' }, 200 * MB)
  await eventually(() => guarded.excesses.length > 0)
  expect(guarded.peakMegabytes()).toHaveLength(1)
  expect(guarded.peakMegabytes()[0]).toBeLessThan(400)
})

test.runIf(hasProc)('a limit that is lowered holds at once', async () => {
  const { pid } = startChild(['sleep', '1000'])
  const excesses: Excess[] = []
  const guard = new MemoryWatch().guard(treeOf(pid), 1000 * MB, (excess) => excesses.push(excess))
  closing.push(() => guard.close())
  expect(excesses).toEqual([])
  guard.setLimit(2 ** 12)
  await eventually(() => excesses.length > 0)
})

const FORKS = `
import os, time
data = bytearray(b'x' * (100 << 20))
for _ in range(3):
    if os.fork() == 0: break
print('ready', flush=True)
time.sleep(1000)
`

test.runIf(hasProc)('pages that forked workers share are counted once', async () => {
  const child = startChild(['python3', '-c', FORKS])
  await child.line()
  await eventually(() => descendants(child.pid).length === 3)
  const tree = [child.pid, ...descendants(child.pid)].flatMap((pid) => readStat(pid) ?? [])
  const sum = tree.reduce((pages, { rssPages }) => pages + rssPages, 0) * pageBytes()
  expect(sum).toBeGreaterThan(400 * MB)
  const distinct = distinctBytes(tree, pageBytes())
  expect(distinct).toBeGreaterThan(100 * MB)
  expect(distinct).toBeLessThan(150 * MB)
  const excesses: Excess[] = []
  const guard = new MemoryWatch().guard(treeOf(child.pid), 200 * MB, (excess) => excesses.push(excess))
  closing.push(() => guard.close())
  await new Promise((done) => setTimeout(done, 1500)) // two surveys, which find all four
  expect(excesses).toEqual([])
  guard.setLimit(90 * MB)
  expect(excesses[0]?.usedBytes).toBeLessThan(150 * MB)
})
