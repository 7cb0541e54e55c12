import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cutAt, cutInWindow, fillerOf, tornCut, windowOf } from '../../../src/logs/rotate/cut.ts'

const BLOCK = 256
/** As `fillerOf` fills up. */
const LEAST = 64
const PATH = '/srv/api.log'

/** A file of lines, the last of which may have no end. */
const file = fc
  .record({
    lines: fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 }),
    rest: fc.integer({ min: 0, max: 200 }),
    filler: fc.integer({ min: 0, max: BLOCK }),
  })
  .map(({ lines, rest, filler }) => ({
    bytes: Buffer.concat([
      fillerOf(filler, PATH, 0),
      ...lines.map((length) => Buffer.from(`${'x'.repeat(length)}\n`)),
      Buffer.alloc(rest, 'r'),
    ]),
    filler,
  }))

function windowCut(bytes: Buffer, filler: number) {
  const { start, end } = windowOf(filler, bytes.length, BLOCK)
  return cutInWindow(bytes.subarray(start, end), start, bytes.length, BLOCK)
}

test('a cut is behind a line, and takes off whole blocks, but never all: the file system would refuse that', () => {
  fc.assert(
    fc.property(file, ({ bytes, filler }) => {
      const cut = windowCut(bytes, filler)
      if (cut === null) return
      expect(bytes[cut.end - 1]).toBe(10)
      expect(cut.taken % BLOCK).toBe(0)
      expect(cut.taken).toBeGreaterThan(0)
      expect(cut.taken).toBeLessThan(bytes.length)
      expect(cut.end).toBeGreaterThan(filler)
      expect(cut.end).toBeLessThanOrEqual(bytes.length)
      if (cut.end > cut.taken) expect(cut.end - cut.taken).toBeGreaterThanOrEqual(LEAST)
      expect(cut.end - cut.taken).toBeLessThanOrEqual(BLOCK)
    }),
    { numRuns: 2000 },
  )
})

test('no boundary of the window has a line end nearer that is at it, or far enough behind it', () => {
  fc.assert(
    fc.property(file, ({ bytes, filler }) => {
      const cut = windowCut(bytes, filler)
      const { start, end } = windowOf(filler, bytes.length, BLOCK)
      for (let at = BLOCK; at < bytes.length; at += BLOCK) {
        if (at <= start || at > end) continue
        const newline = bytes[at - 1] === 10 ? at - 1 : bytes.indexOf(10, at + LEAST - 1)
        if (newline < 0 || newline >= end || newline + 1 - at > BLOCK) continue
        expect(cut).not.toBeNull()
        expect(newline + 1 - at).toBeGreaterThanOrEqual((cut?.end ?? 0) - (cut?.taken ?? 0))
      }
    }),
    { numRuns: 2000 },
  )
})

test('taking the blocks off and filling up leaves exactly what is not in the archive', () => {
  fc.assert(
    fc.property(file, ({ bytes, filler }) => {
      const last = bytes.lastIndexOf(10) + 1
      if (last <= filler) return
      for (const cut of [windowCut(bytes, filler), cutAt(last, bytes.length, BLOCK)]) {
        if (cut === null) continue
        const archive = bytes.subarray(filler, cut.end)
        const left = Buffer.from(bytes.subarray(cut.taken))
        fillerOf(cut.end - cut.taken, PATH, cut.taken).copy(left)
        const text = left.toString()
        expect(text.slice(cut.end - cut.taken)).toBe(bytes.subarray(cut.end).toString())
        expect(text.slice(0, cut.end - cut.taken)).toMatch(/^([ \t]*\n)?$/)
        expect(archive.length + left.length - (cut.end - cut.taken)).toBe(bytes.length - filler)
      }
    }),
  )
})

test('a line without an end is cut at a block, and only where there is something to take off', () => {
  expect(tornCut(0, 10_000, 4096)).toMatchObject({ end: 8192, taken: 8192, isTorn: true })
  expect(tornCut(4100, 4200, 4096)).toBeNull()
})

test('two files, and one at two times, have heads that differ, which are empty lines all the same', () => {
  const heads = ['/a.log', '/b.log'].flatMap((path) => [0, 4096].map((base) => fillerOf(LEAST, path, base).toString()))
  expect(new Set(heads).size).toBe(4)
  for (const head of heads) expect(head.trim()).toBe('')
})

test('a small file keeps most of what it has in the archive, and is not cut near its head', () => {
  const size = 64 * 1024
  const { start } = windowOf(0, size, 4096)
  expect(start).toBeGreaterThan(size / 2)
})
