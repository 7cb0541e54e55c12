/** Servers that accept nothing on the address they share before eco says so, and that cannot tell. */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import type { Listen } from '../../src/model/spec.ts'
import { FIRST_LISTEN_FD } from '../../src/supervisor/environment.ts'
import type { Child } from '../supervisor/children.ts'
import { freePort } from '../support/ports.ts'
import { connectTo, control, controlPaths } from './control.ts'
import { supervision, tcp } from './supervised.ts'

const supervised = supervision()
let folder: string
let folders = 0
let port: number

beforeEach(async () => {
  folder = join(supervised.folder, `hold-${folders++}`)
  mkdirSync(folder, { mode: 0o700 })
  port = await freePort()
})

const env = (): Record<string, string> => ({ ECO_PROBE_DIR: folder, ECO_HOLD: '1', PORT: String(port) })

function held(code: string, listen: readonly Listen[] = [tcp(port)]): Child {
  return supervised.node(code, { listen, env: env() })
}

const SERVER = `const server = require('http').createServer((q, r) => r.end('hello'));
  server.on('error', (e) => console.log(e.code, e.syscall));
  server.on('listening', () => console.log('listening', server.listening, JSON.stringify(server.address())));`
const LISTEN = `server.listen(process.env.PORT, () => console.log('called back', server._handle.fd));`

function ask(where: http.RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', ...where, agent: false }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')))
      response.on('end', () => resolve(body))
    })
    request.on('error', reject)
  })
}

const ended = (child: Child): Promise<unknown> =>
  new Promise((resolve) => child.process.once('exit', (code, signal) => resolve(signal ?? code)))

async function expectHeld(where: http.RequestOptions = { port }, index = 0): Promise<void> {
  await expect(ask(where)).rejects.toThrow('ECONNREFUSED')
  expect(await ask({ socketPath: join(folder, String(index)) })).toBe('hello')
}

async function open(path?: string): Promise<string> {
  const daemon = path === undefined ? await control(folder) : await connectTo(path)
  daemon.say('open')
  return daemon.answer()
}

test('it listens to the app and to probes, and to others when it is opened; again is no harm', async () => {
  const child = held(SERVER + LISTEN)
  expect(await child.line()).toBe(`listening true {"address":"::","family":"IPv6","port":${port}}`)
  expect(await child.line()).toBe(`called back ${FIRST_LISTEN_FD}`)
  await expectHeld()
  expect(await open()).toBe('ok')
  expect(await ask({ port })).toBe('hello')
  expect(await open()).toBe('ok')
  expect(await ask({ port })).toBe('hello')
})

test('a unix socket', async () => {
  const path = join(supervised.folder, 'held.sock')
  const code = `${SERVER} server.listen(${JSON.stringify(path)});`
  const child = held(code, [{ type: 'unix', path }])
  expect(await child.line()).toBe(`listening true ${JSON.stringify(path)}`)
  await expectHeld({ socketPath: path })
  expect(await open()).toBe('ok')
  expect(await ask({ socketPath: path })).toBe('hello')
})

test('several, one of them closed and one that listens later', async () => {
  const other = await freePort()
  const third = await freePort()
  const code = `${SERVER} ${LISTEN}
    const closed = require('net').createServer().listen(${other}, () => closed.close(() => console.log('closed')))
    process.on('SIGUSR2', () => require('http').createServer((q, r) => r.end('later')).listen(${third}, () => console.log('later')))`
  const child = held(code, [tcp(port), tcp(other), tcp(third)])
  const lines = [await child.line(), await child.line(), await child.line()]
  expect(lines).toContain('closed')
  await expectHeld()
  expect(await open()).toBe('ok')
  expect(await ask({ port })).toBe('hello')
  await expect(ask({ port: other })).rejects.toThrow('ECONNREFUSED')
  child.process.kill('SIGUSR2')
  expect(await child.line()).toBe('later')
  expect(await ask({ port: third })).toBe('later')
})

test('it keeps the process alive as a server that listens does, and not when it is unreferenced or closed', async () => {
  const alive = held(SERVER + LISTEN)
  await alive.line()
  await alive.line()
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(alive.process.exitCode).toBe(null)
  const other = await freePort()
  const gone = join(supervised.folder, 'unreferenced')
  mkdirSync(gone)
  const unreferenced = supervised.node(`${SERVER} ${LISTEN} server.unref()`, {
    listen: [tcp(other)],
    env: { ...env(), PORT: String(other), ECO_PROBE_DIR: gone },
  })
  expect(await ended(unreferenced)).toBe(0)
  const closed = await freePort()
  const last = supervised.node(`${SERVER} ${LISTEN} server.once('listening', () => server.close())`, {
    listen: [tcp(closed)],
    env: { ...env(), PORT: String(closed), ECO_PROBE_DIR: gone },
  })
  expect(await ended(last)).toBe(0)
})

test('an AbortSignal closes it', async () => {
  const code = `${SERVER} const abort = new AbortController(); server.on('close', () => console.log('closed'));
    server.listen({ port: process.env.PORT, signal: abort.signal }, () => abort.abort())`
  const child = held(code)
  await child.line()
  expect(await child.line()).toBe('closed')
  expect(await ended(child)).toBe(0)
})

test('listening twice is the same mistake as without eco', async () => {
  const child = held(`${SERVER} ${LISTEN} try { server.listen(1) } catch (e) { console.log(e.code) }`)
  expect(await child.line()).toBe('ERR_SERVER_ALREADY_LISTEN')
})

test('an address that somebody else has taken meanwhile is an error of the server, and is answered', async () => {
  const child = held(SERVER + LISTEN)
  await child.line()
  await child.line()
  const other = net.createServer()
  await new Promise<void>((resolve) => other.listen({ port, host: '::' }, resolve))
  try {
    expect(await open()).toBe('failed EADDRINUSE')
    expect(await child.line()).toBe('EADDRINUSE listen')
  } finally {
    other.close()
  }
})

test('a process that listens after its instance was opened does so at once', async () => {
  writeFileSync(join(folder, 'open'), '')
  const child = held(SERVER + LISTEN)
  await child.line()
  expect(await ask({ port })).toBe('hello')
})

test('without a control socket nothing is held back: nobody could open it', async () => {
  const child = supervised.node(SERVER + LISTEN, {
    listen: [tcp(port)],
    env: { ...env(), ECO_PROBE_DIR: join(folder, 'not-there') },
  })
  await child.line()
  expect(await ask({ port })).toBe('hello')
})

test('the workers of node:cluster are not held back', async () => {
  const code = `
    const cluster = require('cluster')
    if (cluster.isPrimary) cluster.fork()
    else require('http').createServer((q, r) => r.end('worker')).listen(process.env.PORT, () => console.log('up'))`
  writeFileSync(join(supervised.folder, 'held-cluster.cjs'), code)
  const child = supervised.start([process.execPath, 'held-cluster.cjs'], { listen: [tcp(port)], env: env() })
  expect(await child.line()).toBe('up')
  expect(await ask({ port })).toBe('worker')
  for (const path of await controlPaths(folder, 2)) expect(await open(path)).toBe('ok')
  expect(await ask({ port })).toBe('worker')
})

test('drained before it was opened it never accepts', async () => {
  const child = held(SERVER + LISTEN)
  await child.line()
  const daemon = await control(folder)
  daemon.say('drain SIGTERM')
  await daemon.until('drained')
  expect(await open()).toBe('ok')
  await expect(ask({ port })).rejects.toThrow('ECONNREFUSED')
  expect(existsSync(join(folder, '0'))).toBe(false)
})
