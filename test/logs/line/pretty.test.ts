import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseLine } from '../../../src/logs/line/parse-line.ts'
import { prettyLine } from '../../../src/logs/line/pretty.ts'

process.env['TZ'] = 'UTC'

const FIXTURES = join(import.meta.dirname, 'fixtures')
const ESC = '\u001b'
const COLOUR = new RegExp(`${ESC}\\[[\\d;:]*m`, 'g')
const NOW = Date.parse('2026-12-01T00:00:00Z')
const pretty = (text: string, color = false): string => prettyLine(parseLine(text, NOW), text, { color })

// loggers.jsonl: what pino 9, pino-http, bunyan, winston, tslog, structlog and python-json-logger really wrote, and one
// line of each of the others as their manuals show it.
test('lines of real loggers', async () => {
  const lines = readFileSync(join(FIXTURES, 'loggers.jsonl'), 'utf8').trimEnd().split('\n')
  const output = lines.map((line) => pretty(line)).join('\n')
  await expect(`${output}\n`).toMatchFileSnapshot(join(FIXTURES, 'loggers.pretty.txt'))
})

test('colours the level, and dims what is not the message', () => {
  expect(pretty('{"level":50,"time":1769882645123,"msg":"full","left":3}', true)).toBe(
    '\u001b[2m18:04:05.123\u001b[0m \u001b[31mERROR\u001b[0m full \u001b[2mleft=\u001b[0m3',
  )
})

test('text comes as it was, made harmless', () => {
  expect(pretty('WARN  a  \u001b[31mred\u001b[2J')).toBe('WARN  a  \u001b[31mred\u001b[0m')
})

test('what eco has put before a line of JSON is left out, and nothing else', () => {
  expect(pretty('2026-01-31T18:04:05.125Z {"level":50,"time":1769882645123,"msg":"full"}')).toBe(
    '18:04:05.123 ERROR full',
  )
  expect(pretty('2026-01-31T18:04:05.125Z {"level":50,"msg":"full"}')).toBe('18:04:05.125 ERROR full')
  for (const text of ['2026-01-31T18:04:05.125Z full', '2026-01-31T18:04:05.125Z {"a":1}']) {
    expect(pretty(text)).toBe(text)
  }
})

test('an object of no logger comes as it was', () => {
  expect(pretty('{ "a": 1,  "time": "2026-01-31T18:04:05Z" }')).toBe('{ "a": 1,  "time": "2026-01-31T18:04:05Z" }')
})

test('what is nested too deep to be written comes as it was', () => {
  const deep = `{"level":30,"msg":"x","a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`
  expect(pretty(deep)).toBe(deep)
})

test('every field of a line is in its output, and nothing that drives a terminal', () => {
  const word = fc.stringMatching(/^[a-z]{6,12}$/)
  const fields = fc.dictionary(word, fc.jsonValue(), { maxKeys: 6 })
  fc.assert(
    fc.property(fields, fc.string({ unit: 'binary' }), (rest, message) => {
      const text = JSON.stringify({ level: 30, time: 1769882645123, msg: message, ...rest })
      const output = pretty(text)
      for (const key of Object.keys(rest)) expect(output).toContain(`${key}=`)
      expect(output.replaceAll(COLOUR, '')).not.toMatch(/[^\P{Cc}\t\n]|\u202e/u)
    }),
  )
})
