import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { neutraliseLine } from '../../../src/logs/line/neutralise-line.ts'

const ESC = '\u001b'
const COLOUR = new RegExp(`${ESC}\\[([\\d;:]*)m`, 'g')
const RESET = '\u001b[0m'

describe('neutraliseLine', () => {
  test.each([
    ['plain, ünïcode 😀 and\ttabs stay', 'plain, ünïcode 😀 and\ttabs stay'],
    ['\u001b[31mred\u001b[39m', `\u001b[31mred\u001b[39m${RESET}`],
    ['\u001b[31mred\u001b[0m', '\u001b[31mred\u001b[0m'],
    ['\u001b[1;38;5;208mbold orange', `\u001b[1;38;5;208mbold orange${RESET}`],
    ['\u001b[38;2;8;5;6mrgb', `\u001b[38;2;8;5;6mrgb${RESET}`],
    ['\u001b[4:3mcurly', `\u001b[4:3mcurly${RESET}`],
    ['\u001b[8mhidden', 'hidden'],
    ['\u001b[08mhidden', 'hidden'],
    ['\u001b[5;31;8mblinking', `\u001b[31mblinking${RESET}`],
    ['\u001b[58;5;8mhidden by terminals that do not know it', 'hidden by terminals that do not know it'],
    ['\u001b[38;8mmalformed', 'malformed'],
    ['\u001b[2J\u001b[3J\u001b[Hcleared', 'cleared'],
    ['abc\u001b[3Dx', 'abcx'],
    ['\u001b[?25lcursor', 'cursor'],
    ['\u001b]0;title\u0007', '\\u001b]0;title\\u0007'],
    ['\u001b]52;c;ZXZpbA==\u001b\\', '\\u001b]52;c;ZXZpbA==\\u001b\\'],
    ['\u001b]8;;http://evil\u0007link\u001b]8;;\u0007', '\\u001b]8;;http://evil\\u0007link\\u001b]8;;\\u0007'],
    ['\u001bP+q544e\u001b\\', '\\u001bP+q544e\\u001b\\'],
    ['\u001b[6n asks', '\\u001b[6n asks'],
    ['\u001bc resets', '\\u001bc resets'],
    ['\u009b31mC1', '\\u009b31mC1'],
    ['rm -rf /\rharmless', 'rm -rf /\\u000dharmless'],
    ['windows\r', 'windows'],
    ['ab\b\bxy\u0007', 'ab\\u0008\\u0008xy\\u0007'],
    ['\u202egpj.exe', '\\u202egpj.exe'],
    ['a\u0000b\u2028c', 'a\\u0000b\\u2028c'],
    ['\u001b\u001b[2K[2J', '\\u001b[2J'],
    ['\u001b[\u001b[31mnested', `\\u001b[\u001b[31mnested${RESET}`],
    ['\u001b[31', '\\u001b[31'],
  ])('%j', (text, expected) => {
    expect(neutraliseLine(text)).toBe(expected)
  })

  const escape = fc.constantFrom(
    ...'\u001b \u001b[ \u001b] \u009b \u001bP m ; : 8 38 5 2 0 ? K J \r \b \u0007 \u202e x \u001b[31m \u001b[8m \u001b[m é'.split(
      ' ',
    ),
    '\t',
    ' ',
  )
  const hostile = fc.oneof(
    fc.array(escape, { maxLength: 40 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary' }),
  )

  test('lets through colours and text only, ends what it lets through, and changes nothing twice', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const output = neutraliseLine(text)
        const colours = [...output.matchAll(COLOUR)].map(([, parameters = '']) => parameters)
        expect(output.replaceAll(COLOUR, '')).not.toMatch(/[^\P{Cc}\t]/u)
        expect(output).not.toMatch(/[\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/)
        for (const colour of colours)
          expect(colour.replaceAll(/\b[34]8;(?:5;\d+|2;\d+;\d+;\d+)/g, '')).not.toMatch(/(?:^|;)0*8(?:;|:|$)/)
        if (colours.length > 0) expect(['', '0']).toContain(colours.at(-1))
        expect(neutraliseLine(output)).toBe(output)
      }),
      { numRuns: 3000 },
    )
  })

  test.each(['\u001b', '\u001b[', '\u001b[1;', '\r', '\u001b[31m', 'x\r', '8;'])(
    'takes a megabyte of %j in its stride',
    (piece) => {
      const text = piece.repeat(1_000_000 / piece.length)
      const started = process.hrtime.bigint()
      neutraliseLine(`\u001b[${text}x`)
      expect(Number(process.hrtime.bigint() - started) / 1e6).toBeLessThan(5000)
    },
  )
})
