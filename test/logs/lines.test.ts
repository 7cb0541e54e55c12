import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineAssembler } from '../../src/logs/lines.ts'

function assemble(chunks: readonly Buffer[], max?: number): string[] {
  const assembler = new LineAssembler(max)
  const lines = chunks.flatMap((chunk) => assembler.push(chunk))
  const rest = assembler.end()
  return [...lines, ...(rest === null ? [] : [rest])].map((line) => line.toString('latin1'))
}

/** Cuts bytes at these places. */
function chunked(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length))
}

const output = fc.oneof(
  fc
    .array(fc.constantFrom('a', 'é', '漢', '🚀', '\n', '\n', '\r', 'long '), { maxLength: 80 })
    .map((it) => Buffer.from(it.join(''))),
  fc.uint8Array({ maxLength: 200 }).map((it) => Buffer.from(it)),
)

test('however the bytes come in, the lines are the same', () => {
  fc.assert(
    fc.property(output, fc.array(fc.nat()), fc.integer({ min: 4, max: 30 }), (bytes, cuts, max) => {
      expect(assemble(chunked(bytes, cuts), max)).toEqual(assemble([bytes], max))
    }),
  )
})

test('no byte is lost, and none is added', () => {
  fc.assert(
    fc.property(output, fc.array(fc.nat()), fc.integer({ min: 4, max: 30 }), (bytes, cuts, max) => {
      const text = bytes.toString('latin1')
      expect(assemble(chunked(bytes, cuts), max).join('')).toBe(text.replaceAll('\n', ''))
    }),
  )
})

test('no line is longer than the limit, and short ones are those between the newlines', () => {
  fc.assert(
    fc.property(output, fc.array(fc.nat()), (bytes, cuts) => {
      for (const line of assemble(chunked(bytes, cuts), 8)) expect(line.length).toBeLessThanOrEqual(8)
      const whole = bytes.toString('latin1').split('\n')
      if (whole.at(-1) === '') whole.pop()
      expect(assemble(chunked(bytes, cuts), 1000)).toEqual(whole)
    }),
  )
})

test('a long line is cut between characters, never within one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', 'é', '漢', '🚀'), { minLength: 1, maxLength: 60 }),
      fc.array(fc.nat()),
      (characters, cuts) => {
        const assembler = new LineAssembler(10)
        const pieces = chunked(Buffer.from(characters.join('')), cuts).flatMap((chunk) => assembler.push(chunk))
        const rest = assembler.end()
        for (const piece of [...pieces, ...(rest === null ? [] : [rest])])
          expect(piece.toString()).not.toContain('\ufffd')
      },
    ),
  )
})

test('a line of just the limit is one line', () => {
  expect(assemble([Buffer.from('12345678\nab')], 8)).toEqual(['12345678', 'ab'])
  expect(assemble([Buffer.from('12345678'), Buffer.from('\n')], 8)).toEqual(['12345678'])
})
