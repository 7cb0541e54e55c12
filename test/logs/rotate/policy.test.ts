import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Archive } from '../../../src/logs/ledger.ts'
import { dueReason, nextLookMs, strictest, superfluous } from '../../../src/logs/rotate/policy.ts'
import { SPEC_DEFAULTS } from '../../../src/model/defaults.ts'
import type { Rotation } from '../../../src/model/spec.ts'

const usual = SPEC_DEFAULTS.rotation
const policy = (fields: Partial<Rotation>): Rotation => ({ ...usual, ...fields })
const archive = (lastAt: number, bytes: number): Archive => {
  return { name: `a.${lastAt}`, start: 0, end: bytes, firstAt: null, lastAt, bytes, compression: 'none' }
}
const NOW = 1000
const four = [archive(100, 10), archive(200, 20), archive(300, 30), archive(400, 40)]

describe('what goes', () => {
  const CASES: readonly [what: string, policy: Partial<Rotation>, live: number, gone: number[]][] = [
    ['nothing', {}, 0, []],
    ['more than are kept', { keep: 3 }, 0, [100]],
    ['all when none is kept', { keep: 0 }, 0, [100, 200, 300, 400]],
    ['those that are too old', { keepForMs: 750 }, 0, [100, 200]],
    ['as many as bring it below the whole size', { totalSizeBytes: 75 }, 0, [100, 200]],
    ['the file counts too', { totalSizeBytes: 75 }, 10, [100, 200, 300]],
    ['not the file itself, however long', { totalSizeBytes: 75 }, 1000, [100, 200, 300, 400]],
  ]
  test.each(CASES)('%s', (_, fields, live, gone) => {
    expect(superfluous(four, live, policy(fields), NOW).map(({ lastAt }) => lastAt)).toEqual(gone)
  })

  test('always the oldest, and what stays is within the limits', () => {
    const archives = fc
      .array(fc.integer({ min: 1, max: 100 }), { maxLength: 20 })
      .map((all) => all.map((bytes, i) => archive(i, bytes)))
    const limits = fc.record({
      keep: fc.integer({ min: 0, max: 20 }),
      keepForMs: fc.option(fc.integer({ min: 1, max: 30 })),
      totalSizeBytes: fc.option(fc.integer({ min: 1, max: 500 })),
    })
    fc.assert(
      fc.property(archives, limits, (all, fields) => {
        const gone = superfluous(all, 7, policy(fields), 20)
        expect(gone).toEqual(all.slice(0, gone.length))
        const left = all.slice(gone.length)
        expect(left.length).toBeLessThanOrEqual(fields.keep)
        const total = left.reduce((sum, { bytes }) => sum + bytes, 7)
        if (fields.totalSizeBytes !== null && left.length > 0) expect(total).toBeLessThanOrEqual(fields.totalSizeBytes)
      }),
    )
  })
})

describe('when', () => {
  const CASES: readonly [size: number, filler: number, firstAt: number | null, Partial<Rotation>, string | null][] = [
    [99, 0, null, { maxSizeBytes: 100 }, null],
    [100, 0, null, { maxSizeBytes: 100 }, 'size'],
    [104, 5, null, { maxSizeBytes: 100 }, null],
    [5, 0, 400, { maxAgeMs: 600 }, 'age'],
    [5, 0, 401, { maxAgeMs: 600 }, null],
    [5, 5, 0, { maxAgeMs: 600 }, null],
    [500, 0, 0, { maxSizeBytes: 100, method: 'off' }, null],
  ]
  test.each(CASES)('%i bytes with %i of filler, since %s, %o: %s', (size, filler, firstAt, fields, reason) => {
    expect(dueReason({ size, filler }, firstAt, policy(fields), NOW)).toBe(reason)
  })

  test('a fast one is looked at when it will be full, but not all the time', () => {
    expect(nextLookMs(10_000, 0, 1000)).toBeNull()
    expect(nextLookMs(10_000, 1, 1000)).toBeNull()
    expect(nextLookMs(10_000, 40, 1000)).toBe(250)
    expect(nextLookMs(10_000, 50_000, 1000)).toBe(50)
  })
})

test('of a shared file the strictest holds, whatever the order', () => {
  const a = policy({ maxSizeBytes: 10, maxAgeMs: null, keep: 5, keepForMs: 7, totalSizeBytes: null, compress: 'none' })
  const b = policy({ maxSizeBytes: 20, maxAgeMs: 9, keep: 3, keepForMs: null, totalSizeBytes: 8, compress: 'zstd' })
  const both = {
    method: 'auto',
    maxSizeBytes: 10,
    maxAgeMs: 9,
    keep: 3,
    keepForMs: 7,
    totalSizeBytes: 8,
    compress: 'zstd',
  }
  expect(strictest([a, b])).toEqual(both)
  expect(strictest([b, a])).toEqual(both)
  expect(strictest([a, policy({ method: 'off' })])?.method).toBe('off')
  expect(strictest([policy({ method: 'copytruncate' }), a])?.method).toBe('auto')
  expect(strictest([])).toBeNull()
})
