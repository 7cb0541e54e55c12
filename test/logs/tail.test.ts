import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lastLines, readNewLines, sizeOf, type TailPosition } from '../../src/logs/tail.ts'

let folder: string
let path: string

function tailEnd(file: string): TailPosition {
  return { path: file, offset: sizeOf(file), rest: '' }
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eco-tail-'))
  path = join(folder, 'app.log')
})

afterEach(() => rmSync(folder, { recursive: true }))

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i} ${'.'.repeat(60)}`)

describe('lastLines', () => {
  test.each([
    ['', []],
    ['one', ['one']],
    ['one\n', ['one']],
    ['\n', ['']],
    ['one\n\n', ['one', '']],
    ['one\ntwo\nthree', ['two', 'three']],
    ['one\ntwo\nthree\n', ['two', 'three']],
  ])('the last two lines of %j', (text, expected) => {
    writeFileSync(path, text)
    expect(lastLines(path, 2)).toEqual(expected)
  })

  test('no line is no line', () => {
    writeFileSync(path, 'one\ntwo\n')
    expect(lastLines(path, 0)).toEqual([])
  })

  test('a missing file has no lines', () => {
    expect(lastLines(path, 5)).toEqual([])
  })

  test('reads over as many chunks as it needs', () => {
    writeFileSync(path, `${numbered(1, 5000).join('\n')}\n`)
    expect(lastLines(path, 3000)).toEqual(numbered(2001, 5000))
    expect(lastLines(path, 9999)).toEqual(numbered(1, 5000))
  })

  test('agrees with reading the whole file, whatever is in it', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.replaceAll('\n', ' '))
    const long = fc.nat(80_000).map((length) => 'ü'.repeat(length))
    const texts = fc.tuple(
      fc.array(fc.oneof({ weight: 20, arbitrary: line }, { weight: 1, arbitrary: long })),
      fc.constantFrom('', '\n'),
    )
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 12 }), ([lines, end], count) => {
        const text = lines.join('\n') + end
        // An endless line is cut; here none is longer than a chunk and a count of cut lines.
        fc.pre(Buffer.byteLength(text) <= 8192 * count + 65_536)
        writeFileSync(path, text)
        const all = text.split('\n')
        if (all.at(-1) === '') all.pop()
        const expected = all.slice(-count).map((it) => (it.length > 8192 ? `${it.slice(0, 8192)}…` : it))
        expect(lastLines(path, count)).toEqual(expected)
      }),
    )
  })

  test('an endless line is cut, and does not fill the memory', () => {
    writeFileSync(path, 'x'.repeat(5_000_000))
    expect(lastLines(path, 1)).toEqual([`${'x'.repeat(8192)}…`])
  })

  test('nothing before the start of a run is read', () => {
    writeFileSync(path, 'of an older run\n')
    const from = sizeOf(path)
    expect(lastLines(path, 5, from)).toEqual([])
    appendFileSync(path, 'of this run\n')
    expect(lastLines(path, 5, from)).toEqual(['of this run'])
    truncateSync(path, 3)
    expect(lastLines(path, 5, from)).toEqual([])
  })
})

describe('readNewLines', () => {
  test('gives whole lines once, and the start of a line when it is complete', () => {
    writeFileSync(path, 'old\n')
    const position = tailEnd(path)
    expect(readNewLines(position)).toEqual([])
    appendFileSync(path, 'one\ntw')
    expect(readNewLines(position)).toEqual(['one'])
    expect(position.rest).toBe('tw')
    appendFileSync(path, 'o\n\n')
    expect(readNewLines(position)).toEqual(['two', ''])
    expect(readNewLines(position)).toEqual([])
  })

  test('a file that appears later is read from its start', () => {
    const position = tailEnd(path)
    writeFileSync(path, 'one\n')
    expect(readNewLines(position)).toEqual(['one'])
  })

  test('a file that was cut short is read from its new start, without the rest of the old', () => {
    writeFileSync(path, 'old, and no end')
    const position = { path, offset: 0, rest: '' }
    readNewLines(position)
    writeFileSync(path, 'new\n')
    expect(readNewLines(position)).toEqual(['new'])
  })

  test('however the bytes arrive, the same lines come out', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 60 })
    fc.assert(
      fc.property(text, fc.array(fc.nat(80), { maxLength: 8 }), (content, cuts) => {
        const bytes = Buffer.from(`${content}\nend\n`)
        writeFileSync(path, '')
        const position = tailEnd(path)
        const lines: string[] = []
        let at = 0
        for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
          appendFileSync(path, bytes.subarray(at, Math.max(at, cut)))
          at = Math.max(at, cut)
          lines.push(...readNewLines(position))
        }
        expect(lines).toEqual(`${content}\nend`.split('\n'))
      }),
    )
  })

  test('bytes that are no text do not stop it', () => {
    writeFileSync(path, '')
    const position = tailEnd(path)
    appendFileSync(path, Buffer.from([0xe9]))
    expect(readNewLines(position)).toEqual([])
    appendFileSync(path, Buffer.from([0x0a, 0xff, 0xbf, 0x0a]))
    expect(readNewLines(position)).toEqual(['\uFFFD', '\uFFFD\uFFFD'])
  })

  test('reads at most 32 KiB at a time, and all of it in the end', () => {
    writeFileSync(path, '')
    const position = tailEnd(path)
    const lines = numbered(1, 4000)
    const text = `${lines.join('\n')}\n`
    appendFileSync(path, text)
    const found: string[] = []
    for (let before = 0; before < text.length; before = position.offset) {
      found.push(...readNewLines(position))
      expect(position.offset).toBeGreaterThan(before)
      expect(position.offset).toBeLessThanOrEqual(before + 32 * 1024)
    }
    expect(found).toEqual(lines)
  })
})
