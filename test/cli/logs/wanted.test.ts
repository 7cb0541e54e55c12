import { expect, test } from 'vitest'
import type { LogStream } from '../../../src/cli/logs/log-files.ts'
import { wanted } from '../../../src/cli/logs/wanted.ts'
import type { Level } from '../../../src/logs/line/level.ts'
import { ReadLine } from '../../../src/logs/read/log-source.ts'

function stream(name: 'out' | 'err'): LogStream {
  const scope = { project: 'shop', environment: 'default' }
  return { path: '/x', scope, app: 'api', instance: 'api#0', instances: ['api#0'], stream: name, pid: null }
}

function kept(lines: readonly string[], level: Level | null, name: 'out' | 'err' = 'out', grep = ''): string[] {
  const file = stream(name)
  const wants = wanted(
    { level, grep: grep === '' ? null : (...texts) => texts.some((text) => text.startsWith(grep)) },
    file,
  )
  return lines.filter((text) => {
    const bytes = Buffer.from(text)
    const line = { address: 0, bytes, length: bytes.length, goesOn: false }
    return wants === null || wants(new ReadLine(file, line, { from: 0, to: 0, usual: 0 }))
  })
}

const TRACE = ['Error: no', '    at one.js:1:2', 'Caused by: that', '}']

test('a stack trace is of the level of its line', () => {
  const lines = ['INFO: fine', '  detail', 'ERROR: broken', '    at one.js:1:2', '', 'INFO: on', '  more']
  expect(kept(lines, 'warn')).toEqual(['ERROR: broken', '    at one.js:1:2', ''])
  expect(kept(lines, 'info')).toEqual(lines)
})

test('what says nothing counts as info, on stderr as an error', () => {
  expect(kept(['plain'], 'warn')).toEqual([])
  expect(kept(['plain'], 'info')).toEqual(['plain'])
  expect(kept(['plain', ...TRACE], 'error', 'err')).toEqual(['plain', ...TRACE])
  expect(kept(['plain'], 'fatal', 'err')).toEqual([])
})

test('both have to fit', () => {
  expect(kept(['ERROR: a', 'ERROR: b', 'INFO: a'], 'error', 'out', 'ERROR: a')).toEqual(['ERROR: a'])
})

const timed = (text: string): string => `2026-01-31T18:04:05.123Z ${text}`
const inJson = (message: string): string =>
  JSON.stringify({ time: '2026-01-31T18:04:05.123Z', app: 'api', instance: 'api#0', stream: 'stdout', message })

test.each([
  ['time', timed],
  ['json', inJson],
])('a line of format: %s is judged by what the app wrote', (_, format) => {
  const lines = ['INFO: fine', ...TRACE, '{"level":50,"msg":"pino"}', 'on'].map(format)
  expect(kept(lines, 'error')).toEqual([...TRACE, '{"level":50,"msg":"pino"}'].map(format))
  expect(kept(lines, null, 'out', 'Caused')).toEqual([format('Caused by: that')])
  expect(kept(lines, null, 'out', '{"level"')).toEqual([format('{"level":50,"msg":"pino"}')])
  expect(kept(lines, null, 'out', format('on').slice(0, 12))).toEqual(lines)
})
