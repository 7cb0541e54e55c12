/** Many daemons at once on one home: real processes that claim the socket, as the daemon's entry point does. */

import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claimSocket, presenceAt } from '../../src/daemon/claim.ts'
import { type Child, startChild } from '../supervisor/children.ts'

const DAEMONS = 12
let root: string
let bundle: string

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'eco-claim-'))
  bundle = join(root, 'claim.cjs')
  const entry = fileURLToPath(new URL('../../src/daemon/claim.ts', import.meta.url))
  await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'cjs', outfile: bundle })
})

afterAll(() => rmSync(root, { recursive: true }))

const freshHome = (): string => mkdtempSync(join(root, 'home-'))

/** Claims at the given moment, prints `won`, `lost` or the error, and serves its pid for as long as it lives. */
function startDaemon(home: string, at: number): Child {
  const code = `
    const { claimSocket } = require(${JSON.stringify(bundle)})
    const net = require('net')
    const server = net.createServer((socket) => socket.on('error', () => {}).end(String(process.pid)))
    while (Date.now() < ${at});
    claimSocket(${JSON.stringify(home)}, server).then(
      (claimed) => console.log(claimed ? 'won' : 'lost'),
      (error) => console.log(error.message),
    )`
  return startChild([process.execPath, '-e', code])
}

function pidThatAnswers(home: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(join(home, 'eco.sock'))
    socket.on('data', (chunk) => resolve(chunk.toString('utf8')))
    socket.on('error', reject)
  })
}

async function leaveStaleSocket(home: string): Promise<void> {
  const daemon = startDaemon(home, 0)
  expect(await daemon.line()).toBe('won')
  daemon.process.kill('SIGKILL')
  await new Promise((resolve) => daemon.process.once('exit', resolve))
  expect(statSync(join(home, 'eco.sock')).isSocket()).toBe(true)
}

async function expectOneWinner(home: string): Promise<void> {
  const at = Date.now() + 700
  const daemons = Array.from({ length: DAEMONS }, () => startDaemon(home, at))
  const results = await Promise.all(daemons.map((daemon) => daemon.line()))
  expect(results.toSorted()).toEqual([...Array.from({ length: DAEMONS - 1 }, () => 'lost'), 'won'])
  const winner = daemons[results.indexOf('won')]
  expect(await pidThatAnswers(home)).toBe(String(winner?.pid))
  expect(readdirSync(home)).toEqual(['eco.sock'])
  expect(statSync(join(home, 'eco.sock')).mode & 0o777).toBe(0o600)
  for (const daemon of daemons) daemon.process.kill('SIGKILL')
}

describe('of twelve daemons at once exactly one wins', () => {
  test('on a fresh home', async () => {
    for (let round = 0; round < 3; round++) await expectOneWinner(freshHome())
  }, 60_000)

  test('where a daemon died and left its socket', async () => {
    for (let round = 0; round < 5; round++) {
      const home = freshHome()
      await leaveStaleSocket(home)
      await expectOneWinner(home)
    }
  }, 60_000)

  test('where one died in the middle of a takeover', async () => {
    const home = freshHome()
    await leaveStaleSocket(home)
    const lock = join(home, '.takeover')
    writeFileSync(lock, JSON.stringify({ pid: 2 ** 22 + 1, startTime: 1, bootId: 'gone' }))
    await expectOneWinner(home)
    expect(existsSync(lock)).toBe(false)
  }, 60_000)
})

describe('what is in the way', () => {
  test('a daemon that answers keeps its socket', async () => {
    const home = freshHome()
    const server = net.createServer((socket) => socket.destroy())
    expect(await claimSocket(home, server)).toBe(server)
    expect(await claimSocket(home, net.createServer())).toBe(null)
    expect(await presenceAt(join(home, 'eco.sock'))).toBe('answers')
    server.close()
  })

  test('a daemon whose queue is full is a daemon', async () => {
    const path = join(freshHome(), 'eco.sock')
    // Stopped, it accepts nothing; one connection fills its queue.
    const code = `require('net').createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log('up'))`
    const busy = startChild([process.execPath, '-e', code])
    await busy.line()
    busy.process.kill('SIGSTOP')
    const waiting = Array.from({ length: 8 }, () => net.connect(path).on('error', () => {}))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await presenceAt(path)).toBe('answers')
    for (const socket of waiting) socket.destroy()
  })

  test('a file of the user is not removed', async () => {
    const home = freshHome()
    const path = join(home, 'eco.sock')
    writeFileSync(path, 'precious')
    await expect(claimSocket(home, net.createServer())).rejects.toThrow(`${path} is not a socket.`)
    expect(statSync(path).size).toBe(8)
    expect(readdirSync(home)).toEqual(['eco.sock'])
  })
})
