/** The preload, built as it is shipped, in real Node processes that inherit sockets the way the daemon hands them over. */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Listen } from '../../src/model/spec.ts'
import { FIRST_LISTEN_FD } from '../../src/supervisor/environment.ts'
import type { Child } from '../supervisor/children.ts'
import { freePort } from '../support/ports.ts'
import { READY_FD, supervision, tcp } from './supervised.ts'

const supervised = supervision()
const { start, node } = supervised

async function get(url: string): Promise<string> {
  const response = await fetch(url, { headers: { connection: 'close' } })
  return response.text()
}

/**
 * An http server listening with the given arguments. It prints the address, and the descriptor it listens on: that is
 * the inherited one only if the socket was adopted.
 */
const server = (args: string): string => `
  const http = require('http')
  const s = http.createServer((q, r) => r.end('hello'))
  s.on('error', (e) => console.log(e.code))
  s.listen(${args}${args ? ', ' : ''}() => console.log(JSON.stringify({ fd: s._handle.fd, at: s.address() })))`

async function printed(child: Child): Promise<{ fd: number; at: { address: string; port: number } & string }> {
  return JSON.parse(await child.line()) as { fd: number; at: { address: string; port: number } & string }
}

test.each([
  ['listen(port, host, backlog)', (port: number) => `${port}, '127.0.0.1', 9`],
  ['listen({ port, backlog })', (port: number) => `{ port: ${port}, host: '127.0.0.1', backlog: 9 }`],
])('the backlog that the app asks for counts: %s', async (_, args) => {
  const port = await freePort()
  const child = node(server(args(port)), { listen: [tcp(port, '127.0.0.1')] })
  expect(await printed(child)).toMatchObject({ fd: FIRST_LISTEN_FD })
  const { stdout } = spawnSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' })
  if (stdout !== '') expect(stdout.trim().split(/\s+/)[2]).toBe('9')
})

describe('a server adopts the declared socket', () => {
  test.each<[string, string | null, (port: number) => string]>([
    ['listen(port)', null, (port) => String(port)],
    ['listen("port")', null, (port) => `'${port}'`],
    ['listen(port, backlog)', null, (port) => `${port}, undefined, 100`],
    ['listen(port, "0.0.0.0")', null, (port) => `${port}, '0.0.0.0'`],
    ['listen(port, "::")', null, (port) => `${port}, '::'`],
    ['listen({ port })', null, (port) => `{ port: ${port} }`],
    ['listen({ port, host, exclusive })', null, (port) => `{ port: ${port}, host: '0.0.0.0', exclusive: true }`],
    ['listen(port, "127.0.0.1") of one declared for all', null, (port) => `${port}, '127.0.0.1'`],
    ['listen(port) of one declared for an address', '127.0.0.1', (port) => String(port)],
    ['listen(port, host) of that address', '127.0.0.1', (port) => `${port}, '127.0.0.1'`],
    ['listen(port, "localhost") of its address', '127.0.0.1', (port) => `${port}, 'localhost'`],
    ['listen(port, "::1") of that address', '::1', (port) => `${port}, '::1'`],
    ['listen(port) of one declared for localhost', 'localhost', (port) => `${port}, 'localhost'`],
  ])('%s', async (_, host, args) => {
    const port = await freePort()
    const child = node(server(args(port)), { listen: [tcp(port, host)] })
    expect(await printed(child)).toMatchObject({ fd: FIRST_LISTEN_FD, at: { port } })
    expect(await get(`http://${host === '::1' ? '[::1]' : '127.0.0.1'}:${port}`)).toBe('hello')
  })

  test('a path', async () => {
    const path = join(supervised.folder, 'app.sock')
    const child = node(server(JSON.stringify(path)), { listen: [{ type: 'unix', path }] })
    expect((await printed(child)).fd).toBe(FIRST_LISTEN_FD)
    const reply = await new Promise<string>((resolve) => {
      const socket = net.connect(path, () => socket.end('GET / HTTP/1.0\r\n\r\n'))
      let text = ''
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
      socket.on('close', () => resolve(text))
    })
    expect(reply).toContain('hello')
  })

  test('two addresses, each its own', async () => {
    const [first, second] = [await freePort(), await freePort()]
    const code = `${server(String(second))}\n{${server(String(first))}}`
    const child = node(code, { listen: [tcp(first), tcp(second)] })
    const found = [await printed(child), await printed(child)].map(({ fd, at }) => [fd, at.port])
    expect(found).toEqual(
      expect.arrayContaining([
        [FIRST_LISTEN_FD, first],
        [FIRST_LISTEN_FD + 1, second],
      ]),
    )
  })

  test('two instances share one socket, and a second server of one instance does not get it', async () => {
    const port = await freePort()
    const listen = [tcp(port)]
    const twice = `${server(String(port))}\ns.on('listening', () => {${server(String(port)).replace('const http', 'var http')}})`
    const one = node(twice, { listen })
    expect((await printed(one)).fd).toBe(FIRST_LISTEN_FD)
    expect(await one.line()).toBe('EADDRINUSE')
    expect((await printed(node(server(String(port)), { listen }))).fd).toBe(FIRST_LISTEN_FD)
  })

  test('an ES module, a server of net, and one that awaits before it listens', async () => {
    const port = await freePort()
    const file = join(supervised.folder, 'app.mjs')
    writeFileSync(
      file,
      `
      import { createServer } from 'node:net'
      await new Promise((resolve) => setTimeout(resolve, 10))
      const s = createServer().listen({ port: ${port} })
      s.once('listening', () => console.log(JSON.stringify({ fd: s._handle.fd, at: s.address() })))`,
    )
    const child = start([process.execPath, file], { listen: [tcp(port)] })
    expect(await printed(child)).toMatchObject({ fd: FIRST_LISTEN_FD, at: { port } })
  })

  test.each(['https', 'http2'])('a server of %s', async (kind) => {
    const port = await freePort()
    const code = server(String(port)).replace("require('http')", `require('${kind}')`)
    expect((await printed(node(code, { listen: [tcp(port)] }))).fd).toBe(FIRST_LISTEN_FD)
  })

  test('behind a wrapper that starts Node once more', async () => {
    const port = await freePort()
    const code = `
      const { spawn } = require('child_process')
      spawn(process.execPath, ['-e', ${JSON.stringify(server(String(port)))}], { stdio: 'inherit' })`
    const child = node(code, { listen: [tcp(port)] })
    expect(await printed(child)).toMatchObject({ at: { port } })
    expect(await get(`http://127.0.0.1:${port}`)).toBe('hello')
  })

  test('behind npm start', async () => {
    const port = await freePort()
    writeFileSync(join(supervised.folder, 'app.js'), server(String(port)))
    writeFileSync(
      join(supervised.folder, 'package.json'),
      '{"name":"app","version":"1.0.0","scripts":{"start":"node app.js"}}',
    )
    const child = start(['npm', 'start', '--silent'], { listen: [tcp(port)], env: { HOME: supervised.folder } })
    expect(await printed(child)).toMatchObject({ fd: FIRST_LISTEN_FD, at: { port } })
    expect(await get(`http://127.0.0.1:${port}`)).toBe('hello')
  })
})

describe('a private socket beside the declared one', () => {
  let door: string
  let doors = 0

  beforeEach(() => {
    door = join(supervised.folder, `doors-${doors++}`)
    mkdirSync(door, { mode: 0o700 })
  })

  const behind = (code: string, ...listen: Listen[]): Child => node(code, { listen, env: { ECO_PROBE_DIR: door } })
  const socketOf = (index = 0): string => join(door, String(index))

  /** The answer to one request that comes by a private socket. */
  function ask(index = 0): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = http.get({ socketPath: socketOf(index), path: '/x', agent: false }, (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
        response.on('end', () => resolve(text))
      })
      request.on('error', reject)
    })
  }

  test('leads to the same server, each address to its own, whatever the order in which they are listened on', async () => {
    const [first, second] = [await freePort(), await freePort()]
    const named = (port: number): string =>
      `require('http').createServer((q, r) => r.end('${port}')).listen(${port}, () => console.log('up'));`
    const child = behind(named(second) + named(first), tcp(first), tcp(second))
    await child.line()
    await child.line()
    expect([await ask(0), await ask(1)]).toEqual([String(first), String(second)])
  })

  test.each<[string | null, string]>([
    [null, '::ffff:127.0.0.1 ::ffff:127.0.0.1'],
    ['127.0.0.1', '127.0.0.1 127.0.0.1'],
    ['::1', '::1 ::1'],
  ])('what comes by it looks like a connection of this machine to the port (declared for %s)', async (host, at) => {
    const port = await freePort()
    const code = `require('http').createServer(({ socket: s }, r) =>
      r.end([s.remoteAddress, s.localAddress, s.localPort, typeof s.remotePort, s.server.constructor.name].join(' '))
    ).listen(${port}, () => console.log('up'))`
    await behind(code, tcp(port, host)).line()
    expect(await ask()).toBe(`${at} ${port} number Server`)
  })

  test('is not answered by an event loop that is busy', async () => {
    const port = await freePort()
    const child = behind(
      `${server(String(port))}; process.on('SIGUSR2', () => { fs.writeSync(1, 'busy\\n'); for (;;); })`,
      tcp(port),
    )
    await printed(child)
    expect(await ask()).toBe('hello')
    child.process.kill('SIGUSR2')
    expect(await child.line()).toBe('busy')
    const answer = await Promise.race([ask().catch(String), new Promise((resolve) => setTimeout(resolve, 500, 'none'))])
    expect(answer).toBe('none')
  })

  test('an app sees its server as if it were not there, and ends when it has closed it', async () => {
    const port = await freePort()
    const code = `
      const s = require('http').createServer((q, r) => {
        s.getConnections((_, count) => {
          r.end(JSON.stringify([count, s.address().port]))
          if (q.headers['x-close']) s.close(() => console.log('closed'))
        })
      })
      s.listen(${port}, () => console.log('up'))`
    const child = behind(code, tcp(port))
    const exited = new Promise((resolve) => child.process.once('exit', resolve))
    await child.line()
    // A probe that stays connected keeps neither the server nor the process.
    const idle = net.connect(socketOf()).on('error', () => {})
    await new Promise((resolve) => idle.once('connect', resolve))
    expect(JSON.parse(await ask())).toEqual([0, port])
    const last = await fetch(`http://127.0.0.1:${port}`, { headers: { 'x-close': '1', connection: 'close' } })
    expect(await last.json()).toEqual([1, port])
    expect(await child.line()).toBe('closed')
    expect(await exited).toBe(0)
    expect(existsSync(socketOf())).toBe(false)
    idle.destroy()
  })

  test('a probe that goes away while a server of net talks is nothing to die of', async () => {
    const port = await freePort()
    const code = `
      const s = require('net').createServer((c) => { c.on('close', () => console.log('closed')); c.write('x'.repeat(1e6)) })
      s.listen(${port}, () => console.log('up'))`
    const child = behind(code, tcp(port))
    await child.line()
    for (let round = 0; round < 3; round++) {
      const probe = net.connect(socketOf())
      await new Promise((resolve) => probe.once('readable', resolve))
      probe.destroy()
      expect(await child.line()).toBe('closed')
    }
  })

  test('of the workers of node:cluster the first has it, and the others serve all the same', async () => {
    const port = await freePort()
    const code = `
      const cluster = require('cluster')
      if (cluster.isPrimary) { cluster.fork(); cluster.fork() }
      else require('http').createServer((q, r) => r.end('worker')).listen(${port}, () => console.log('up'))`
    writeFileSync(join(supervised.folder, 'cluster.cjs'), code)
    const child = start([process.execPath, join(supervised.folder, 'cluster.cjs')], {
      listen: [tcp(port)],
      env: { ECO_PROBE_DIR: door },
    })
    await child.line()
    await child.line()
    expect(await ask()).toBe('worker')
    expect(await get(`http://127.0.0.1:${port}`)).toBe('worker')
  })

  test('an app serves without it where its folder is gone', async () => {
    const port = await freePort()
    rmSync(door, { recursive: true })
    await printed(behind(server(String(port)), tcp(port)))
    expect(await get(`http://127.0.0.1:${port}`)).toBe('hello')
  })

  test('a server of its own gets none', async () => {
    const [declared, other] = [await freePort(), await freePort()]
    await printed(behind(server(String(other)), tcp(declared)))
    expect(existsSync(socketOf())).toBe(false)
  })
})

describe('everything else is left alone', () => {
  test.each<[string, (declared: number, other: number) => string, string]>([
    ['listen(0)', () => '0', 'adopts nothing'],
    ['listen()', () => '', 'adopts nothing'],
    ['another port', (_, other) => String(other), 'adopts nothing'],
    [
      'a descriptor of its own',
      () => `{ fd: require('net')._createServerHandle('127.0.0.1', 0, 4).fd }`,
      'adopts nothing',
    ],
  ])('%s', async (_, args) => {
    const [declared, other] = [await freePort(), await freePort()]
    const child = node(server(args(declared, other)), { listen: [tcp(declared)] })
    const { fd, at } = await printed(child)
    expect(fd).not.toBe(FIRST_LISTEN_FD)
    expect(at.port).not.toBe(declared)
  })

  test('another address of the declared port is not moved to the declared one', async () => {
    const port = await freePort()
    const child = node(server(`${port}, '127.0.0.2'`), { listen: [tcp(port, '127.0.0.1')] })
    expect(await printed(child)).toMatchObject({ at: { address: '127.0.0.2', port } })
  })

  test('a descriptor that is no socket is not adopted', async () => {
    const port = await freePort()
    const child = node(server(String(port)), { env: { ECO_LISTEN: `0=tcp:*:${port};99=tcp:*:${port};x` } })
    expect(await printed(child)).toMatchObject({ at: { port } })
  })

  test('without its variables it changes nothing', async () => {
    const code =
      "console.log(String(require('net').Server.prototype.listen).includes('native') , process.send, process.connected)"
    const plain = start([process.execPath, '-e', code], { env: { NODE_OPTIONS: '' } })
    expect(await node(code).line()).toBe(await plain.line())
  })
})

describe('process.send', () => {
  async function readyText(child: Child): Promise<string> {
    let text = ''
    const pipe = child.process.stdio[READY_FD as 3] as unknown as Readable
    pipe.setEncoding('utf8')
    for await (const chunk of pipe) text += String(chunk)
    return text
  }

  test.each([
    ["process.send('ready')", 'ready\n'],
    ["process.send('ready'); process.send('ready')", 'ready\n'],
    ["process.send('ready', (error) => process.exit(error === null ? 0 : 1))", 'ready\n'],
    ["process.send('ready', undefined, {}, () => {})", 'ready\n'],
    ["process.send({ type: 'ready' }); process.send('other')", ''],
  ])('%s', async (code, expected) => {
    const child = node(`if (!process.connected) process.exit(2); ${code}`, { signal: true })
    const exited = new Promise((resolve) => child.process.once('exit', resolve))
    expect(await readyText(child)).toBe(expected)
    expect(await exited).toBe(0)
  })

  test('calls back later, and with null', async () => {
    const child = node("process.send('ready', (e) => console.log('called', e)); console.log('after')", { signal: true })
    expect([await child.line(), await child.line()]).toEqual(['after', 'called null'])
  })

  test('an app outlives the daemon: a closed pipe is nothing to die of', async () => {
    const child = node("setTimeout(() => { console.log(process.send('ready')) }, 100)", { signal: true })
    child.process.stdio[READY_FD as 3]?.destroy()
    expect(await child.line()).toBe('true')
  })

  test('a real channel is left alone', async () => {
    const child = node("process.send('ready'); process.send('real')", { signal: true, ipc: true })
    const messages = await new Promise<unknown[]>((resolve) => {
      const got: unknown[] = []
      child.process.on('message', (message) => {
        if (got.push(message) === 2) resolve(got)
      })
    })
    expect(messages).toEqual(['ready', 'real'])
  })

  test('disconnect ends what looks like a channel, and nothing else', async () => {
    const child = node('process.disconnect(); console.log(process.connected)', { signal: true })
    expect(await child.line()).toBe('false')
  })
})
