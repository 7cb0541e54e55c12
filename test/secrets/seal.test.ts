import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openSecretBox, SecretBox } from '../../src/secrets/seal.ts'
import { startChild } from '../supervisor/children.ts'

const box = new SecretBox(Buffer.alloc(32, 1))
const other = new SecretBox(Buffer.alloc(32, 2))

describe('sealing', () => {
  test('any text comes back, and is not to be seen in what is stored', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        const { sealed } = box.seal(value)
        expect(box.open(sealed)).toBe(value)
        if (value.length > 3) expect(Buffer.from(sealed, 'base64').includes(value)).toBe(false)
      }),
    )
  })

  test('equal values have equal fingerprints and different seals; another key or value has another fingerprint', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (value, different) => {
        fc.pre(value !== different)
        expect(box.seal(value).fingerprint).toBe(box.seal(value).fingerprint)
        expect(box.seal(value).sealed).not.toBe(box.seal(value).sealed)
        expect(box.seal(different).fingerprint).not.toBe(box.seal(value).fingerprint)
        expect(other.seal(value).fingerprint).not.toBe(box.seal(value).fingerprint)
      }),
    )
  })

  test('a value sealed under another key is refused', () => {
    const { sealed } = box.seal('hush')
    expect(() => other.open(sealed)).toThrow(
      expect.objectContaining({ code: 'STATE_DAMAGED', hint: expect.stringContaining('secret.key') }),
    )
  })

  test('a seal that was changed or cut anywhere is refused', () => {
    const bytes = Buffer.from(box.seal('hush').sealed, 'base64')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(() => box.open(changed.toString('base64')), `byte ${at} changed`).toThrow(/cannot be opened/)
      expect(() => box.open(bytes.subarray(0, at).toString('base64')), `cut at ${at}`).toThrow(/cannot be opened/)
    }
  })
})

describe('the key file', () => {
  let home: string
  let path: string

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'eco-key-'))
    path = join(home, 'secret.key')
  })

  afterEach(() => rmSync(home, { recursive: true }))

  test('is made at first use, for its user only, and used ever after', () => {
    const { sealed } = openSecretBox(home).seal('hush')
    expect(readFileSync(path, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(home)).toEqual(['secret.key'])
    expect(openSecretBox(home).open(sealed)).toBe('hush')
  })

  test('is made together with ECO_HOME', () => {
    const young = join(home, 'young')
    openSecretBox(young)
    expect(statSync(young).mode & 0o777).toBe(0o700)
  })

  test('what a crashed creator left does not stand in the way', () => {
    writeFileSync(`${path}.${process.pid}`, '')
    openSecretBox(home)
    expect(readFileSync(path, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/)
  })

  test.each([
    ['empty', ''],
    ['cut', randomBytes(20).toString('hex')],
    ['too long', randomBytes(33).toString('hex')],
    ['no hexadecimal digits', 'z'.repeat(64)],
    ['followed by something', `${randomBytes(32).toString('hex')} oops`],
  ])('a damaged one is refused, not replaced: %s', (_, text) => {
    writeFileSync(path, text)
    expect(() => openSecretBox(home)).toThrow(expect.objectContaining({ code: 'STATE_DAMAGED' }))
    expect(readFileSync(path, 'utf8')).toBe(text)
  })

  test('one that cannot be read is not replaced', () => {
    mkdirSync(path)
    expect(() => openSecretBox(home)).toThrow(expect.objectContaining({ code: 'STATE_DAMAGED' }))
  })

  test('of eight creators at once all use the same key', async () => {
    const bundle = join(home, 'seal.cjs')
    const entry = fileURLToPath(new URL('../../src/secrets/seal.ts', import.meta.url))
    await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'cjs', outfile: bundle })
    for (let round = 0; round < 3; round++) {
      const shared = join(home, `home${round}`)
      // All wait for the same moment.
      const code = `
        const { openSecretBox } = require(${JSON.stringify(bundle)})
        while (Date.now() < ${Date.now() + 400});
        console.log(openSecretBox(${JSON.stringify(shared)}).seal('hush').fingerprint)`
      const creators = Array.from({ length: 8 }, () => startChild([process.execPath, '-e', code]))
      const fingerprints = await Promise.all(creators.map((creator) => creator.line()))
      expect(new Set(fingerprints)).toEqual(new Set([openSecretBox(shared).seal('hush').fingerprint]))
      expect(readdirSync(shared)).toEqual(['secret.key'])
    }
  }, 30_000)
})
