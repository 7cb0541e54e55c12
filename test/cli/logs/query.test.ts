import { expect, test } from 'vitest'
import { type LogsOptions, parseQuery } from '../../../src/cli/logs/query.ts'
import { parseMoment } from '../../../src/cli/parse-moment.ts'
import { EcoError } from '../../../src/errors.ts'

process.env['TZ'] = 'Europe/Berlin'

const NOW = new Date(2026, 0, 31, 18, 4, 5).getTime()
const query = (options: LogsOptions): ReturnType<typeof parseQuery> => parseQuery(options, NOW)

test.each<[LogsOptions, number | null, boolean]>([
  [{}, 20, true],
  [{ lines: '7' }, 7, true],
  [{ lines: 'all' }, null, true],
  [{ since: '10m' }, null, true],
  [{ since: '10m', lines: '5' }, 5, true],
  [{ until: '10m' }, 20, false],
  [{ previous: true }, 100, false],
  [{ around: '42' }, null, false],
  [{ follow: false }, 20, false],
])('%j shows so many lines, and follows or not', (options, lines, follow) => {
  expect(query(options)).toMatchObject({ lines, follow })
})

test.each<[LogsOptions, Partial<ReturnType<typeof parseQuery>>]>([
  [{ err: true }, { stream: 'err' }],
  [{ out: true }, { stream: 'out' }],
  [{ out: true, err: true }, { stream: null }],
  [{ json: true }, { form: 'json', markers: true }],
  [{ raw: true }, { form: 'raw', markers: false }],
  [{ grep: 'x' }, { markers: false }],
  [{ markers: false }, { markers: false }],
  [{ level: 'WARNING' }, { level: 'warn' }],
  [{ around: '1', window: '2m' }, { windowMs: 120_000 }],
])('%j', (options, expected) => {
  expect(query(options)).toMatchObject(expected)
})

test.each<[string, boolean | undefined, string, boolean]>([
  ['a.c', undefined, 'xabcx', true],
  ['a.c', undefined, 'ABC', false],
  ['/a.c/i', undefined, 'ABC', true],
  ['/a.c/i', true, 'ABC', false],
  ['/usr/bin', undefined, 'in /usr/bin it is', true],
  ['/g/g', undefined, 'g', true],
])('--grep %s, inverted %s, of %j', (grep, invert, text, expected) => {
  const matches = query({ grep, ...(invert === undefined ? {} : { invert }) }).grep
  expect([matches?.(text), matches?.(text)]).toEqual([expected, expected])
})

test.each<LogsOptions>([
  { lines: '-1' },
  { lines: '1.5' },
  { level: 'loud' },
  { grep: '(' },
  { grep: '/(/i' },
  { invert: true },
  { window: '1m' },
  { around: '1', window: 'long' },
  { around: '1', previous: true },
  { follow: true, previous: true },
  { raw: true, json: true },
  { until: '25:99' },
  { since: '1h', until: '2h' },
  { since: '2026-02-31' },
])('%j is refused', (options) => {
  expect(() => query(options)).toThrow(EcoError)
})

test.each([
  ['10m', NOW - 600_000],
  ['18:04', new Date(2026, 0, 31, 18, 4).getTime()],
  ['18:04:06', new Date(2026, 0, 30, 18, 4, 6).getTime()],
  ['2026-01-30 03:00:00', new Date(2026, 0, 30, 3).getTime()],
  ['2026-01-30T03:00:00Z', Date.UTC(2026, 0, 30, 3)],
  ['2026-01-30', new Date(2026, 0, 30).getTime()],
])('%s is a time', (text, expected) => {
  expect(parseMoment(text, NOW, '--since')).toBe(expected)
})

test('a time of yesterday is one of its clock, also when the clocks were changed in the night', () => {
  const now = new Date(2026, 2, 29, 10).getTime()
  expect(parseMoment('18:04', now, '--since')).toBe(new Date(2026, 2, 28, 18, 4).getTime())
})
