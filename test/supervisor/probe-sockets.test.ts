import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ProbeSockets } from '../../src/supervisor/probe-sockets.ts'

const NAME = 'shop/default/api#0.1'
let home: string
let umask: number

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'eco-probe-'))
  umask = process.umask()
})
afterEach(() => {
  process.umask(umask)
  rmSync(home, { recursive: true })
})

/** What an instance that was killed leaves: a socket that nobody serves. */
async function leaveSocket(path: string): Promise<void> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(`${path}.new`, resolve))
  renameSync(`${path}.new`, path)
  await new Promise((resolve) => server.close(resolve))
}

test('a folder in the home, for its own user only, found again by name', () => {
  process.umask(0)
  const sockets = new ProbeSockets(home)
  const path = sockets.open(NAME, null)
  expect(dirname(path)).toBe(join(home, 'probe'))
  expect(statSync(path).mode & 0o777).toBe(0o700)
  expect(new ProbeSockets(home).path(NAME, null)).toBe(path)
  expect(sockets.open('shop/default/api#1.2', null)).not.toBe(path)
})

test('is empty when it is opened again, and gone when it is removed', async () => {
  const sockets = new ProbeSockets(home)
  const path = sockets.open(NAME, null)
  await leaveSocket(join(path, '0'))
  expect(readdirSync(sockets.open(NAME, null))).toEqual([])
  await leaveSocket(join(path, '0'))
  sockets.remove(path)
  expect(existsSync(path)).toBe(false)
  expect(existsSync(join(home, 'probe'))).toBe(false)
})

test('of what is left only what nobody uses any more is removed, and never a file', async () => {
  const sockets = new ProbeSockets(home)
  const [used, left, foreign] = ['a', 'b', 'c'].map((name) => sockets.open(name, null))
  if (!used || !left || !foreign) throw new Error('no folders')
  for (const path of [used, left]) await leaveSocket(join(path, '0'))
  writeFileSync(join(foreign, 'notes.txt'), '')
  sockets.keepOnly(new Set([used]))
  expect([used, left, foreign].map((path) => existsSync(path))).toEqual([true, false, true])
  expect(readdirSync(used)).toEqual(['0'])
})

test('with a home that is too long, or another user, it is in the folder of the system', () => {
  const long = new ProbeSockets(join(home, 'x'.repeat(100)))
  const path = long.open(NAME, null)
  try {
    expect(Buffer.byteLength(join(path, '99'))).toBeLessThanOrEqual(107)
    expect(dirname(dirname(path))).toBe(tmpdir())
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o711)
  } finally {
    rmSync(dirname(path), { recursive: true })
  }
})

test.runIf(process.getuid?.() === 0)('a folder for another user is theirs', () => {
  const path = new ProbeSockets(home).open(NAME, 65_534)
  try {
    expect(statSync(path)).toMatchObject({ uid: 65_534 })
    expect(statSync(path).mode & 0o777).toBe(0o700)
  } finally {
    rmSync(dirname(path), { recursive: true })
  }
})
