import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineCutter, type LogLine } from '../../../src/logs/read/line-cutter.ts'

const MAX = 10

/** Pushes the bytes in pieces that end at the cuts. */
function cut(bytes: Buffer, cuts: readonly number[], inPieces: boolean): LogLine[] {
  const cutter = new LineCutter(inPieces, MAX)
  const ends = [...cuts.map((it) => it % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  let at = 0
  const lines = ends.flatMap((end) => {
    const found = cutter.push(bytes.subarray(at, end), 100 + at)
    at = end
    return found
  })
  const rest = cutter.end()
  return rest === null ? lines : [...lines, rest]
}

const bytes = fc
  .array(fc.constantFrom(...Buffer.from('ab\n'), 0xff, 0xc3), { maxLength: 80 })
  .map((list) => Buffer.from(list))

test('the same lines come out however the bytes come in, with their addresses, and cut at the limit', () => {
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(), { maxLength: 6 }), (all, cuts) => {
      let at = 0
      const expected = all
        .toString('latin1')
        .split('\n')
        .map((text) => {
          const line = { address: 100 + at, text: text.slice(0, MAX), length: text.length, goesOn: false }
          at += text.length + 1
          return line
        })
      if (expected.at(-1)?.length === 0) expected.pop()
      const found = cut(all, cuts, false).map(({ bytes: of, ...rest }) => ({ ...rest, text: of.toString('latin1') }))
      expect(found).toEqual(expected.map(({ address, length, goesOn, text }) => ({ address, length, goesOn, text })))
    }),
  )
})

test('in pieces nothing is left out, and each piece has its address', () => {
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(), { maxLength: 6 }), (all, cuts) => {
      const found = cut(all, cuts, true)
      const whole = Buffer.concat(found.flatMap(({ bytes: of, goesOn }) => (goesOn ? [of] : [of, Buffer.from('\n')])))
      const ended = all.length === 0 || all.at(-1) === 10 ? all : Buffer.concat([all, Buffer.from('\n')])
      expect(whole).toEqual(ended)
      for (const { address, bytes: of } of found) {
        expect(of).toEqual(all.subarray(address - 100, address - 100 + of.length))
        expect(of.length).toBeLessThanOrEqual(MAX)
      }
    }),
  )
})
