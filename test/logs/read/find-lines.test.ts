import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findEnd, findLast, findTime, rangeSource } from '../../../src/logs/read/find-lines.ts'
import { LineClock } from '../../../src/logs/read/line-clock.ts'
import { LogBytes } from '../../../src/logs/read/log-bytes.ts'
import type { LogSource, ReadLine } from '../../../src/logs/read/log-source.ts'
import { RotatingLog } from './rotating-log.ts'

const T = Date.UTC(2026, 0, 31, 18)

interface Reading {
  readonly bytes: LogBytes
  readonly clock: LineClock
  readonly options: (wants?: ((line: ReadLine<string>) => boolean) | null) => Parameters<typeof findLast<string>>[3]
}

function read(log: RotatingLog, limits: { since?: number; until?: number } = {}): Reading {
  const bytes = new LogBytes(log.home, log.path, null, () => {})
  const clock = new LineClock(log.home, log.path, { from: -Infinity, to: T + 1e6 })
  const { since = null, until = null } = limits
  return {
    bytes,
    clock,
    options: (wants = null) => ({ file: 'api#0', clock, since, until, timed: true, inPieces: false, wants }),
  }
}

async function textOf(source: LogSource<string>): Promise<string[]> {
  return (await linesOf(source)).map(({ text }) => text)
}

async function linesOf(source: LogSource<string>): Promise<ReadLine<string>[]> {
  const lines: ReadLine<string>[] = []
  while (source.isReady || (await source.fill())) lines.push(source.take())
  return lines
}

describe('the last lines', () => {
  const line = fc.stringMatching(/^[a-c]{0,8}$/)
  const part = fc.record({ lines: fc.array(line, { maxLength: 5 }), compression: fc.constantFrom('none', 'gzip') })

  test('are those of all that was written, over archives, whatever is wanted of them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 4 }),
        fc.constantFrom('', 'an end that is missing'),
        fc.integer({ min: 1, max: 6 }),
        fc.boolean(),
        async (parts, rest, count, isFiltered) => {
          const log = new RotatingLog()
          for (const { lines, compression } of parts) {
            log.append(lines.map((it) => `${it}\n`).join(''))
            if (lines.length > 0) log.rotate(compression as 'none' | 'gzip')
          }
          log.append(rest)
          const { bytes, options } = read(log)
          const wants = isFiltered ? ({ text }: ReadLine<string>): boolean => !text.includes('a') : null
          const last = await findLast(bytes, { from: 0, to: bytes.end }, count, options(wants))
          const all = [...parts.flatMap(({ lines }) => lines), ...(rest === '' ? [] : [rest])]
          const expected = all.filter((it) => !isFiltered || !it.includes('a')).slice(-count)
          expect(last.count).toBe(expected.length)
          expect(await textOf(rangeSource(bytes, last.address, bytes.end, options(wants)))).toEqual(expected)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('are found in large files, and behind an endless line', async () => {
    const log = new RotatingLog()
    const lines = Array.from({ length: 30_000 }, (_, i) => `line ${i} ${'.'.repeat(40)}`)
    log.append(`${lines.join('\n')}\n${'x'.repeat(3_000_000)}\nlast\n`)
    const { bytes, options } = read(log)
    const last = await findLast(bytes, { from: 0, to: bytes.end }, 3, options())
    const found = await linesOf(rangeSource(bytes, last.address, bytes.end, options()))
    expect(found.map(({ line: it }) => it.length)).toEqual([lines[29_999]?.length, 3_000_000, 4])
    expect(found[1]?.line.bytes.length).toBe(64 * 1024)
    const rare = await findLast(
      bytes,
      { from: 0, to: bytes.end },
      1,
      options(({ text }) => text.startsWith('line 7 ')),
    )
    expect(await textOf(rangeSource(bytes, rare.address, rare.address + 8, options()))).toEqual(['line 7 .'])
  })

  test('in the newest files no older archive is opened', async () => {
    const log = new RotatingLog()
    log.append('old\n')
    log.rotate('gzip')
    log.append('one\ntwo\n')
    const said: string[] = []
    const bytes = new LogBytes(log.home, log.path, null, (message) => said.push(message))
    log.change({ archives: log.ledger.archives.map((it) => ({ ...it, name: 'it-is-not-there.gz' })) })
    await bytes.settle()
    const { options } = read(log)
    expect(await findLast(bytes, { from: 0, to: bytes.end }, 2, options())).toMatchObject({ count: 2 })
    expect(said).toEqual([])
    expect(await findLast(bytes, { from: 0, to: bytes.end }, 3, options())).toMatchObject({ count: 2 })
    expect(said).toHaveLength(1)
  })
})

describe('a time', () => {
  const stamped = (i: number): string => `${new Date(T + i * 1000).toISOString()} line ${i}\n`

  test('is found by the index, and lines of the second in question by their own', async () => {
    const log = new RotatingLog()
    for (let i = 0; i < 60; i++) {
      if (i % 10 === 0) log.point(T + i * 1000)
      log.append(stamped(i))
      if (i === 25) log.rotate('gzip')
    }
    log.point(T + 60_000)
    const since = T + 34_500
    const { bytes, clock, options } = read(log, { since, until: T + 41_000 })
    const from = await findTime(bytes, clock, since)
    expect(from).toBe(30 * stamped(10).length - 10)
    const to = findEnd(bytes, clock, T + 41_000)
    const lines = await textOf(rangeSource(bytes, from ?? 0, to, options()))
    expect(lines.map((it) => it.split(' ')[2])).toEqual(['35', '36', '37', '38', '39', '40', '41'])
  })

  test('is found by the lines where there is no index', async () => {
    const log = new RotatingLog()
    const lines = Array.from({ length: 20_000 }, (_, i) => stamped(i))
    log.append(lines.slice(0, 5000).join(''))
    log.rotate('gzip', { times: [T, T + 4999_000] })
    log.append(lines.slice(5000).join(''))
    for (const at of [3000, 5000, 12_345, 19_999]) {
      const since = T + at * 1000
      const { bytes, clock, options } = read(log, { since })
      // Times that are later than now cannot be: the outer window holds them.
      clock.refresh({ from: -Infinity, to: T + 1e9 })
      const from = await findTime(bytes, clock, since)
      expect(from).toBeLessThanOrEqual(lines.slice(0, at).join('').length)
      if (at >= 5000) expect(bytes.end - (from ?? 0)).toBeLessThan(lines.slice(at).join('').length + 200_000)
      const [first] = await textOf(rangeSource(bytes, from ?? 0, bytes.end, options()))
      expect(first).toBe(lines[at]?.trimEnd())
    }
  })

  test('is not made up where nothing tells', async () => {
    const log = new RotatingLog()
    log.append('no time\n'.repeat(50_000))
    const { bytes, clock } = read(log)
    expect(await findTime(bytes, clock, Date.now() - 60_000)).toBeNull()
    // Nothing has been written since: that is known.
    expect(await findTime(bytes, clock, Date.now() + 60_000)).toBe(bytes.end)
  })
})

describe('the time of a line', () => {
  async function times(log: RotatingLog): Promise<[text: string, seconds: number][]> {
    const { bytes, options } = read(log)
    const lines = await linesOf(rangeSource(bytes, 0, bytes.end, options()))
    return lines.map(({ text, time }) => [text.split(' ').at(-1) ?? '', ((time ?? 0) - T) / 1000])
  }
  const at = (seconds: number, text: string): string => `${new Date(T + seconds * 1000).toISOString()} ${text}\n`

  test('is the one it carries, within what the index knows; else the end of what it knows', async () => {
    const log = new RotatingLog()
    log.point(T, 'start')
    log.append(`${at(0.2, 'good')}${at(-50, 'too-early')}${at(70, 'too-late')}`)
    log.point(T + 1000)
    log.append('bare\n')
    log.point(T + 2000)
    expect(await times(log)).toEqual([
      ['good', 0.2],
      ['too-early', 0.2], // behind the one before it
      ['too-late', 1.05],
      ['bare', 1.05],
    ])
  })

  test('without a time in any line of the file it is the end of the window', async () => {
    const log = new RotatingLog()
    log.point(T, 'start')
    log.append('one\n')
    log.point(T + 1000)
    log.append('two\n')
    log.point(T + 2000)
    expect(await times(log)).toEqual([
      ['one', 1],
      ['two', 2],
    ])
  })

  test('a stack trace stays with its line, and a run within its start and end', async () => {
    const log = new RotatingLog()
    log.point(T, 'start')
    log.append(`${at(0.3, 'error')}    at one\n    at two\n${at(0.9, 'next')}`)
    log.point(T + 900, 'end')
    log.point(T + 900, 'start')
    log.append('again\n')
    log.point(T + 901, 'end')
    const found = await times(log)
    expect(found.map(([text]) => text)).toEqual(['error', 'one', 'two', 'next', 'again'])
    expect(found.slice(0, 3).map(([, time]) => time)).toEqual([0.3, 0.3, 0.3])
    expect(found[3]?.[1]).toBeCloseTo(0.8996)
    expect(found[4]?.[1]).toBeGreaterThan(0.9)
    expect(found[4]?.[1]).toBeLessThan(0.901)
  })
})

test('the run before the last start, also when the two overlapped', () => {
  const log = new RotatingLog()
  const clock = (): LineClock => read(log).clock
  expect(clock().previousRun()).toBeNull()
  log.point(T, 'start')
  log.append('first\n')
  expect(clock().previousRun()).toBeNull()
  log.point(T + 1000, 'end')
  log.append('a child of it\n')
  log.point(T + 2000, 'start')
  expect(clock().previousRun()).toMatchObject({ from: { address: 0 }, to: { address: 20, kind: 'start' } })
  log.append('second\n')
  log.point(T + 3000, 'start')
  expect(clock().previousRun()).toMatchObject({ from: { address: 20 }, to: { address: 27, kind: 'start' } })
  log.append('third, and the last words of the second\n')
  log.point(T + 4000, 'end')
  expect(clock().previousRun()).toMatchObject({ from: { address: 20 }, to: { address: 67, kind: 'end' } })
})

test('where a run ends its last line ends, unless another run writes to the same file', async () => {
  const log = new RotatingLog()
  log.point(T, 'start')
  log.append('one\nlast words')
  log.point(T + 1000, 'end')
  log.point(T + 2000, 'start')
  log.append('two\nhalf of a ')
  log.point(T + 3000, 'start')
  log.append('line\nthr')
  log.point(T + 4000, 'end')
  log.append('ee\nfour')
  log.point(T + 5000, 'end')
  log.append('five')
  const { bytes, options } = read(log)
  const lines = await linesOf(rangeSource(bytes, 0, bytes.end, options()))
  expect(lines.map(({ text, line }) => [line.address, text])).toEqual([
    [0, 'one'],
    [4, 'last words'],
    [14, 'two'],
    [18, 'half of a line'],
    [33, 'three'],
    [39, 'four'],
    [43, 'five'],
  ])
})

test.each<[string, readonly ('start' | 'end')[], readonly number[]]>([
  ['one after the other', ['start', 'end', 'start', 'end'], [2, 4]],
  ['two at once', ['start', 'start', 'end', 'end'], [4]],
  ['a rolling change, then alone', ['start', 'start', 'end', 'end', 'start', 'end'], [4, 6]],
  ['an end that nobody noted, until the next', ['start', 'start', 'end', 'start', 'end'], [5]],
  ['only an end is left', ['end'], []],
])('nobody else writes where the last run ends: %s', (_, kinds, expected) => {
  const log = new RotatingLog()
  for (const [index, kind] of kinds.entries()) {
    log.append('x')
    log.point(T + index * 1000, kind)
  }
  expect(read(log).clock.ends(0, kinds.length)).toEqual(expected)
})
