import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readJson, removeFile, writeFileAtomic } from '../../src/state/atomic-file.ts'
import { startChild } from '../supervisor/children.ts'

let root: string
let folder: string
/** writeFileAtomic for child processes. */
let bundle: string

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'eco-atomic-'))
  bundle = join(root, 'atomic-file.cjs')
  const entry = fileURLToPath(new URL('../../src/state/atomic-file.ts', import.meta.url))
  await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'cjs', outfile: bundle })
})

afterAll(() => rmSync(root, { recursive: true }))

beforeEach(() => {
  folder = mkdtempSync(join(root, 'test-'))
})

describe('writeFileAtomic', () => {
  test('makes the folder, readable by its user only', () => {
    const path = join(folder, 'a', 'b', 'file.json')
    writeFileAtomic(path, 'content', true)
    expect(readFileSync(path, 'utf8')).toBe('content')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700)
  })

  test('leaves nothing beside the file', () => {
    writeFileAtomic(join(folder, 'file'), 'one', false)
    writeFileAtomic(join(folder, 'file'), 'two', false)
    expect(readdirSync(folder)).toEqual(['file'])
  })

  test('a writer that is killed leaves the old content or the new, never a part', async () => {
    const path = join(folder, 'state.json')
    const size = 200_000
    writeFileSync(path, '0'.repeat(size))
    const code = `
      const { writeFileAtomic } = require(${JSON.stringify(bundle)})
      console.log('up')
      for (let i = 1; ; i++) writeFileAtomic(${JSON.stringify(path)}, String(i % 10).repeat(${size}), i % 8 === 0)`
    const seen = new Set<string>()
    for (let round = 0; round < 50; round++) {
      const writer = startChild([process.execPath, '-e', code])
      await writer.line()
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 8))
      writer.process.kill('SIGKILL')
      await new Promise((resolve) => writer.process.once('exit', resolve))
      const content = readFileSync(path, 'utf8')
      seen.add(content[0] ?? '')
      expect(content).toBe((content[0] ?? '').repeat(size))
    }
    expect(seen.size).toBeGreaterThan(1)
  }, 60_000)

  test('a full disk leaves the old content and no rest', () => {
    const path = join(folder, 'state.json')
    writeFileSync(path, 'old')
    const code = `require(${JSON.stringify(bundle)}).writeFileAtomic(${JSON.stringify(path)}, 'x'.repeat(100000), false)`
    // The limit is in blocks of 1024 bytes; the write that crosses it is cut short and reports no error.
    const limited = spawnSync('/bin/bash', ['-c', 'ulimit -f 4; exec "$@"', 'bash', process.execPath, '-e', code], {
      encoding: 'utf8',
    })
    expect(limited.stderr).toContain('EFBIG')
    expect(readFileSync(path, 'utf8')).toBe('old')
    expect(readdirSync(folder)).toEqual(['state.json'])
  })
})

describe('removeFile', () => {
  test('is content when the file is not there', () => {
    removeFile(join(folder, 'nothing'))
    writeFileSync(join(folder, 'file'), '')
    removeFile(join(folder, 'file'))
    expect(readdirSync(folder)).toEqual([])
  })

  test('throws when it cannot', () => {
    expect(() => removeFile(folder)).toThrow(/EISDIR|EPERM/)
  })
})

describe('readJson', () => {
  const check = (value: unknown): number => {
    if (typeof value !== 'number') throw new Error('it is no number')
    return value
  }

  test.each([
    ['a value', '42', { type: 'value', value: 42 }],
    ['what the check refuses', '"42"', { type: 'damaged', reason: 'it is no number' }],
    ['half a file', '{"a":', { type: 'damaged', reason: expect.stringContaining('JSON') }],
    ['an empty file', '', { type: 'damaged', reason: expect.stringContaining('JSON') }],
  ])('%s', (_, text, expected) => {
    const path = join(folder, 'file.json')
    writeFileSync(path, text)
    expect(readJson(path, check)).toEqual(expected)
  })

  test('a missing file is not a damaged one', () => {
    expect(readJson(join(folder, 'nothing'), check)).toEqual({ type: 'missing' })
    expect(readJson(folder, check)).toEqual({ type: 'damaged', reason: expect.stringContaining('EISDIR') })
  })
})
