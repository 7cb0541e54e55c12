import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { indexFile } from '../../src/logs/layout.ts'
import { appendPoints, forgetPoints, TimeIndex, type TimePoint } from '../../src/logs/time-index.ts'

const PATH = '/srv/logs/api.log'

let home: string
let index: TimeIndex | null = null

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'eco-time-index-'))
})

afterEach(() => {
  index?.close()
  index = null
  rmSync(home, { recursive: true })
})

function opened(points: readonly TimePoint[]): TimeIndex {
  index?.close()
  rmSync(indexFile(home, PATH, 'idx'), { force: true })
  appendPoints(home, PATH, points)
  index = new TimeIndex(home, PATH)
  return index
}

const points = fc
  .array(fc.record({ step: fc.nat(3), grown: fc.nat(50), edge: fc.nat(40) }), { maxLength: 1500 })
  .map((steps) => {
    let [at, address] = [1_700_000_000_000, 2 ** 33]
    return steps.map(({ step, grown, edge }): TimePoint => {
      at += step
      address += grown
      return { at, address, kind: edge === 0 ? 'start' : edge === 1 ? 'end' : 'seen' }
    })
  })

test('what is appended is found: by number, by time, by address, and the starts and ends among it', () => {
  fc.assert(
    fc.property(points, fc.nat(4000), (all, ahead) => {
      const found = opened(all)
      expect(Array.from({ length: found.length }, (_, i) => found.at(i))).toEqual(all)
      expect(found.at(-1)).toBeNull()
      expect(found.at(all.length)).toBeNull()
      const at = 1_700_000_000_000 + ahead
      expect(found.before(at)).toEqual(all.findLast((point) => point.at <= at) ?? null)
      const address = 2 ** 33 + ahead * 10
      expect(found.around(address)).toEqual({
        before: all.findLast((point) => point.address <= address) ?? null,
        after: all.find((point) => point.address > address) ?? null,
      })
      const edge = (index: number): number => all.slice(0, index).findLastIndex(({ kind }) => kind !== 'seen')
      for (const index of [0, 1, all.length >> 1, all.length]) expect(found.edgeBefore(index)).toBe(edge(index))
    }),
    { numRuns: 60 },
  )
})

test('edges are found over a week of one point a second', () => {
  const seen = Array.from({ length: 600_000 }, (_, i): TimePoint => ({ at: i * 1000, address: i, kind: 'seen' }))
  const found = opened([{ at: 0, address: 0, kind: 'start' }, ...seen, { at: 6e8, address: 6e5, kind: 'end' }])
  expect(found.edgeBefore(found.length)).toBe(600_001)
  expect(found.edgeBefore(600_001)).toBe(0)
  expect(found.edgeBefore(0)).toBe(-1)
})

test('a write that a full disk cut short costs the points in it', () => {
  opened([{ at: 1000, address: 10, kind: 'start' }])
  appendFileSync(indexFile(home, PATH, 'idx'), 'torn')
  appendPoints(home, PATH, [{ at: 2000, address: 20, kind: 'end' }])
  const found = new TimeIndex(home, PATH)
  expect([found.at(0), found.at(found.length - 1)]).toEqual([
    { at: 1000, address: 10, kind: 'start' },
    { at: 2000, address: 20, kind: 'end' },
  ])
  found.close()
})

test('points of removed output go once they are most of the file, and who reads goes on', () => {
  const all = Array.from({ length: 10_000 }, (_, i): TimePoint => ({ at: i * 1000, address: i * 10, kind: 'seen' }))
  const open = opened(all)
  forgetPoints(home, PATH, 40_000)
  expect(new TimeIndex(home, PATH).length).toBe(10_000)
  forgetPoints(home, PATH, 60_005)
  const rest = new TimeIndex(home, PATH)
  expect([rest.length, rest.at(0)]).toEqual([4000, { at: 6_000_000, address: 60_000, kind: 'seen' }])
  expect(rest.around(60_005).before).toEqual({ at: 6_000_000, address: 60_000, kind: 'seen' })
  expect(open.at(9000)).toEqual(all[9000])
  rest.close()
})
