/** A drain of real servers that know nothing of it, of every kind that Node has. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Listen } from '../../src/model/spec.ts'
import type { Child } from '../supervisor/children.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/ports.ts'
import { connectTo, control, type Control, controlPaths } from './control.ts'
import { supervision, tcp } from './supervised.ts'

/** Longer than a connection may idle in a drain. */
const GRACE_MS = 1000

const supervised = supervision()
let folder: string
let folders = 0
let port: number

beforeAll(() => {
  const subject = ['-subj', '/CN=localhost', '-keyout', 'key.pem', '-out', 'cert.pem']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  execFileSync('openssl', ['req', '-x509', '-nodes', ...curve, ...subject], { stdio: 'ignore', cwd: supervised.folder })
})

beforeEach(async () => {
  folder = join(supervised.folder, `control-${folders++}`)
  mkdirSync(folder, { mode: 0o700 })
  port = await freePort()
})

const TLS = `{ key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem') }`

/** Answers /slow at SIGUSR2, begins to answer /stream and ends that then, and everything else at once. */
const HANDLER = `(q, r) => {
  const later = (act) => { process.once('SIGUSR2', act); console.log('begun') }
  if (q.url === '/slow') return later(() => r.end('slow'))
  if (q.url === '/stream') { r.write('first'); return later(() => r.end('last')) }
  if (q.url === '/proxied') { r.writeHead(200, { Connection: 'keep-alive', 'Keep-Alive': 'timeout=9' }); return r.end('kept') }
  r.end('quick')
}`
const create = (what: string, options = ''): string =>
  `const fs = require('fs'); const server = require('${what.split('.')[0]}').${what.split('.')[1]}(${options}${HANDLER});`
const LISTEN = `server.listen(process.env.PORT, () => console.log('up'))`

async function up(code: string, { listen = [tcp(port)] as readonly Listen[], env = {} } = {}): Promise<Child> {
  const child = supervised.node(code, { listen, env: { ECO_PROBE_DIR: folder, PORT: String(port), ...env } })
  expect(await child.line()).toBe('up')
  return child
}

interface Answer {
  readonly body: string
  readonly connection: string | undefined
}

interface Client {
  ask(path: string): Promise<Answer>
}

/** Keeps one connection alive. */
function client(module: typeof http | typeof https = http, where: http.RequestOptions = { port }): Client {
  const agent = new (module.Agent as typeof https.Agent)({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
  return {
    ask: (path) =>
      new Promise((resolve, reject) => {
        const request = module.get({ host: '127.0.0.1', ...where, path, agent }, (response) => {
          let body = ''
          response.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')))
          response.on('end', () => resolve({ body, connection: response.headers.connection }))
          response.on('error', reject)
        })
        request.on('error', reject)
      }),
  }
}

const ended = (child: Child): Promise<unknown> =>
  new Promise((resolve) => child.process.once('exit', (code, signal) => resolve(signal ?? code)))

/** Goes on for as long as a connection may idle, and longer. */
async function staysOpen(drain: Control): Promise<void> {
  const answer = drain.answer()
  const none = new Promise((resolve) => setTimeout(resolve, 1.7 * GRACE_MS, 'nothing more'))
  expect(await Promise.race([answer, none])).toBe('nothing more')
}

describe('a request under way is answered with Connection: close, and then nothing is left', () => {
  const unixPath = (): string => join(supervised.folder, 'drain.sock')
  const kinds: [string, () => Promise<{ child: Child; one: Client }>][] = [
    ['http', async () => ({ child: await up(create('http.createServer') + LISTEN), one: client() })],
    ['https', async () => ({ child: await up(create('https.createServer', `${TLS}, `) + LISTEN), one: client(https) })],
    [
      'http2 with TLS, asked by HTTP/1.1',
      async () => {
        const options = TLS.replace('{', '{ allowHTTP1: true,')
        return { child: await up(create('http2.createSecureServer', `${options}, `) + LISTEN), one: client(https) }
      },
    ],
    [
      'a unix socket',
      async () => {
        const path = unixPath()
        const code = `${create('http.createServer')} server.listen(${JSON.stringify(path)}, () => console.log('up'))`
        return { child: await up(code, { listen: [{ type: 'unix', path }] }), one: client(http, { socketPath: path }) }
      },
    ],
    [
      'no listen in the file',
      async () => ({ child: await up(create('http.createServer') + LISTEN, { listen: [] }), one: client() }),
    ],
    [
      'an ES module',
      async () => {
        const code = `import http from 'node:http'\nconst server = http.createServer(${HANDLER});${LISTEN}`
        writeFileSync(join(supervised.folder, 'drain.mjs'), code)
        const env = { ECO_PROBE_DIR: folder, PORT: String(port) }
        const child = supervised.start([process.execPath, 'drain.mjs'], { listen: [tcp(port)], env })
        expect(await child.line()).toBe('up')
        return { child, one: client() }
      },
    ],
  ]
  test.each(kinds)('%s', async (_, begin) => {
    const { child, one } = await begin()
    expect((await one.ask('/')).connection).not.toBe('close')
    const slow = one.ask('/slow')
    expect(await child.line()).toBe('begun')
    const drain = await control(folder)
    drain.say('drain SIGTERM')
    expect(await drain.answer()).toBe('left 1')
    const exit = ended(child)
    child.process.kill('SIGUSR2')
    expect(await slow).toEqual({ body: 'slow', connection: 'close' })
    expect(await drain.answer()).toBe('drained')
    // It waits for the signal, and the signal does what it does without eco.
    expect(child.process.exitCode).toBe(null)
    child.process.kill('SIGTERM')
    expect(await exit).toBe('SIGTERM')
  })

  test('behind npm start', async () => {
    writeFileSync(join(supervised.folder, 'npm.cjs'), create('http.createServer') + LISTEN)
    writeFileSync(
      join(supervised.folder, 'package.json'),
      '{"name":"app","version":"1.0.0","scripts":{"start":"node npm.cjs"}}',
    )
    const env = { ECO_PROBE_DIR: folder, PORT: String(port), HOME: supervised.folder }
    const child = supervised.start(['npm', 'start', '--silent'], { listen: [tcp(port)], env })
    expect(await child.line()).toBe('up')
    const [path = ''] = await controlPaths(folder, 1)
    const slow = client().ask('/slow')
    expect(await child.line()).toBe('begun')
    const drain = await connectTo(path)
    drain.say('drain SIGTERM')
    expect(await drain.answer()).toBe('left 1')
    process.kill(Number(/\d+$/.exec(path)?.[0]), 'SIGUSR2')
    expect(await slow).toEqual({ body: 'slow', connection: 'close' })
    expect(await drain.answer()).toBe('drained')
  })
})

describe('connections that are kept alive', () => {
  test.each([
    ['refused where only this process listens', [], 'ECONNREFUSED'],
    ['left to others where the socket is shared', null, 'timeout'],
  ] as const)('a new one is not accepted: %s', async (_, listen, expected) => {
    await up(create('http.createServer') + LISTEN, listen === null ? {} : { listen })
    const socket = net.connect(port, '127.0.0.1')
    await new Promise((resolve) => socket.once('connect', resolve))
    const drain = await control(folder)
    drain.say('drain SIGTERM')
    expect(await drain.answer()).toBe('left 1')
    const outcome = await new Promise((resolve) => {
      const request = http.get({ host: '127.0.0.1', port, agent: false, timeout: 300 }, () => resolve('answered'))
      request.on('timeout', () => resolve('timeout'))
      request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    })
    expect(outcome).toBe(expected)
  })

  test('an idle one may be used once more, and learns that it ends', async () => {
    await up(create('http.createServer') + LISTEN)
    const one = client()
    expect((await one.ask('/')).connection).not.toBe('close')
    const drain = await control(folder)
    drain.say('drain SIGTERM')
    expect(await drain.answer()).toBe('left 1')
    expect(await one.ask('/')).toEqual({ body: 'quick', connection: 'close' })
    expect(await drain.answer()).toBe('drained')
  })

  test('an idle one is closed after a while, and not at once; so is one on which nothing ever came', async () => {
    await up(create('http.createServer') + LISTEN)
    await client().ask('/')
    const fresh = net.connect(port, '127.0.0.1')
    await new Promise((resolve) => fresh.once('connect', resolve))
    const drain = await control(folder)
    const startedAt = Date.now()
    drain.say('drain SIGTERM')
    expect(await drain.answer()).toBe('left 2')
    await drain.until('drained')
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(0.9 * GRACE_MS)
    expect(Date.now() - startedAt).toBeLessThan(4 * GRACE_MS)
  })

  test('one whose response was promised before the drain has its time after it', async () => {
    const child = await up(create('http.createServer') + LISTEN)
    const one = client()
    const stream = one.ask('/stream')
    expect(await child.line()).toBe('begun')
    const drain = await control(folder)
    drain.say('drain SIGTERM')
    expect(await drain.answer()).toBe('left 1')
    await staysOpen({ ...drain, answer: async () => new Promise(() => {}) })
    child.process.kill('SIGUSR2')
    expect(await stream).toEqual({ body: 'firstlast', connection: 'keep-alive' })
    await new Promise((resolve) => setTimeout(resolve, GRACE_MS / 2))
    expect(await one.ask('/')).toEqual({ body: 'quick', connection: 'close' })
    expect(await drain.answer()).toBe('drained')
  })

  test('a request of which a part has come is waited for', async () => {
    await up(create('http.createServer') + LISTEN)
    const socket = net.connect(port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
    socket.write('GET / HTTP/1.1\r\nHo')
    const drain = await control(folder)
    drain.say('drain SIGTERM')
    await drain.until('left 1')
    await staysOpen({ ...drain, answer: async () => new Promise(() => {}) })
    socket.write('st: x\r\n\r\n')
    await drain.until('drained')
    await eventually(() => text.includes('Connection: close') && text.includes('quick'))
  })

  test('an app that promises to keep it alive, as proxies do, is corrected', async () => {
    const child = await up(create('http.createServer') + LISTEN)
    const one = client()
    expect(await one.ask('/proxied')).toEqual({ body: 'kept', connection: 'keep-alive' })
    const drain = await control(folder)
    drain.say('drain SIGTERM')
    await drain.until('left 1')
    expect(await one.ask('/proxied')).toEqual({ body: 'kept', connection: 'close' })
    await drain.until('drained')
    expect(child.process.exitCode).toBe(null)
  })

  test('none fails of many clients that never pause', async () => {
    await up(create('http.createServer') + LISTEN)
    const failures: unknown[] = []
    let closed = 0
    let answers = 0
    const drain = await control(folder)
    const run = async (pauseMs: number): Promise<void> => {
      const one = client()
      for (;;) {
        try {
          const { connection } = await one.ask('/')
          answers++
          if (connection === 'close') return void closed++
        } catch (error) {
          return void failures.push(error)
        }
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
      }
    }
    const clients = Array.from({ length: 24 }, (_, i) => run(i * 30))
    await eventually(() => answers > 100)
    drain.say('drain SIGTERM')
    await Promise.all(clients)
    expect(failures).toEqual([])
    expect(closed).toBe(24)
    await drain.until('drained')
  })
})

describe('HTTP/2', () => {
  test.each([
    ['plain', 'http2.createServer', 'http'],
    ['with TLS', 'http2.createSecureServer', 'https'],
  ])('%s: clients are told to go, streams finish, and then nothing is left', async (_, what, scheme) => {
    const child = await up(create(what, scheme === 'https' ? `${TLS}, ` : '') + LISTEN)
    const session = http2.connect(`${scheme}://localhost:${port}`, { rejectUnauthorized: false })
    session.on('error', () => {})
    const ask = (path: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ':path': path })
        let body = ''
        stream.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')))
        stream.on('end', () => resolve(body)).on('error', reject)
      })
    expect(await ask('/')).toBe('quick')
    const slow = ask('/slow')
    expect(await child.line()).toBe('begun')
    const goaway = new Promise((resolve) => session.once('goaway', resolve))
    const drain = await control(folder)
    drain.say('drain SIGTERM')
    expect(await drain.answer()).toBe('left 1')
    expect(await goaway).toBe(0)
    await staysOpen({ ...drain, answer: async () => new Promise(() => {}) })
    child.process.kill('SIGUSR2')
    expect(await slow).toBe('slow')
    expect(await drain.answer()).toBe('drained')
  })

  test('an idle session is closed', async () => {
    await up(create('http2.createServer') + LISTEN)
    const session = http2.connect(`http://localhost:${port}`)
    session.on('error', () => {})
    await new Promise((resolve) => session.once('connect', resolve))
    const drain = await control(folder)
    drain.say('drain SIGTERM')
    await drain.until('drained')
    await eventually(() => session.closed)
  })
})

describe('what does not end by itself goes on', () => {
  const UPGRADE = `server.on('upgrade', (q, s) => {
    s.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: x\\r\\nConnection: Upgrade\\r\\n\\r\\n'); s.pipe(s) });`
  const ECHO = `const server = require('net').createServer((s) => { s.write('hello'); s.pipe(s) });`

  test.each([
    [
      'a WebSocket',
      create('http.createServer') + UPGRADE,
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    ],
    ['a stream of events', create('http.createServer'), 'GET /stream HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['plain TCP', ECHO, 'x'],
  ])('%s', async (_, code, first) => {
    await up(code + LISTEN)
    const socket = net.connect(port, '127.0.0.1')
    socket.write(first)
    await new Promise((resolve) => socket.once('data', resolve))
    const drain = await control(folder)
    drain.say('drain SIGTERM')
    expect(await drain.answer()).toBe('left 1')
    await staysOpen(drain)
    expect(socket.destroyed).toBe(false)
  })

  test('it is drained when the other end goes', async () => {
    await up(ECHO + LISTEN)
    const socket = net.connect(port, '127.0.0.1')
    await new Promise((resolve) => socket.once('data', resolve))
    const drain = await control(folder)
    drain.say('drain SIGTERM')
    expect(await drain.answer()).toBe('left 1')
    socket.destroy()
    expect(await drain.answer()).toBe('drained')
  })
})

describe('the app', () => {
  test('sees its server as before, and closes it as without eco', async () => {
    const code = `${create('http.createServer')}
      process.on('SIGTERM', () => {
        console.log(server.listening, server.address().port)
        server.getConnections((_, count) => console.log(count))
        server.close((error) => console.log('closed', String(error)))
      });${LISTEN}`
    const child = await up(code)
    const drain = await control(folder)
    drain.say('drain SIGTERM')
    expect(await drain.answer()).toBe('drained')
    const exit = ended(child)
    const at = Date.now()
    child.process.kill('SIGTERM')
    expect([await child.line(), await child.line(), await child.line()]).toEqual([
      `true ${port}`,
      '0',
      'closed undefined',
    ])
    expect(await exit).toBe(0)
    expect(Date.now() - at).toBeLessThan(900) // it is not kept by what waited for the signal
  })

  test('ends by a signal whose only listener ends the process when it is the only one', async () => {
    const code = `${create('http.createServer')}
      process.on('SIGTERM', function last() {
        if (process.listenerCount('SIGTERM') > 1) return console.log('somebody else will')
        process.off('SIGTERM', last); process.kill(process.pid, 'SIGTERM')
      });${LISTEN}`
    const child = await up(code)
    const drain = await control(folder)
    drain.say('drain SIGTERM')
    expect(await drain.answer()).toBe('drained')
    const exit = ended(child)
    child.process.kill('SIGTERM')
    expect(await exit).toBe('SIGTERM')
  })

  test('that ends by a way of its own is not kept by the drain, once it was asked to', async () => {
    const code = `${create('http.createServer')} ${LISTEN};
      process.once('SIGUSR2', () => server.close(() => console.log('closed')))`
    const child = await up(code)
    const drain = await control(folder)
    drain.say('drain SIGTERM')
    expect(await drain.answer()).toBe('drained')
    const exit = ended(child)
    drain.say('release')
    child.process.kill('SIGUSR2')
    expect(await child.line()).toBe('closed')
    expect(await exit).toBe(0)
  })

  test('has no control socket without a server, and a process that was killed leaves one that refuses', async () => {
    const idle = supervised.node(`console.log('up'); setInterval(() => {}, 1000)`, { env: { ECO_PROBE_DIR: folder } })
    expect(await idle.line()).toBe('up')
    expect(await controlPaths(folder, 0)).toEqual([])
    const child = await up(create('http.createServer') + LISTEN)
    const [path = ''] = await controlPaths(folder, 1)
    const exit = ended(child)
    child.process.kill('SIGKILL')
    await exit
    await expect(connectTo(path)).rejects.toThrow('ECONNREFUSED')
  })

  test('ends when it has closed its servers: the control socket keeps nothing', async () => {
    const child = await up(`${create('http.createServer')} ${LISTEN}; process.once('SIGUSR2', () => server.close())`)
    const exit = ended(child)
    await control(folder) // stays connected
    child.process.kill('SIGUSR2')
    expect(await exit).toBe(0)
  })

  test('is asked twice, the second time by another daemon', async () => {
    const child = await up(create('http.createServer') + LISTEN)
    const slow = client().ask('/slow')
    expect(await child.line()).toBe('begun')
    const first = await control(folder)
    first.say('drain SIGTERM')
    expect(await first.answer()).toBe('left 1')
    first.end()
    const second = await control(folder)
    second.say('drain SIGTERM')
    expect(await second.answer()).toBe('left 1')
    child.process.kill('SIGUSR2')
    await slow
    expect(await second.answer()).toBe('drained')
    const third = await control(folder)
    third.say('drain SIGTERM')
    expect(await third.answer()).toBe('drained')
  })

  test('in a worker thread has a control socket of its own', async () => {
    const worker = `${create('http.createServer')} server.listen(process.env.PORT, () => require('worker_threads').parentPort.postMessage('up'))`
    const code = `const { Worker } = require('worker_threads')
      new Worker(${JSON.stringify(worker)}, { eval: true }).on('message', console.log)`
    await up(code)
    const one = client()
    await one.ask('/')
    const [path = ''] = await controlPaths(folder, 1)
    expect(path).toMatch(/c\.\d+\.1$/)
    const drain = await connectTo(path)
    drain.say('drain SIGTERM')
    await drain.until('left 1')
    expect((await one.ask('/')).connection).toBe('close')
    await drain.until('drained')
  })

  test('of node:cluster drains in all its processes', async () => {
    const code = `
      const cluster = require('cluster')
      if (cluster.isPrimary) {
        let up = 0
        for (const _ of [1, 2]) cluster.fork().on('message', () => ++up === 2 && console.log('up'))
      } else {
        ${create('http.createServer')}
        server.listen(process.env.PORT, () => process.send('up'))
      }`
    writeFileSync(join(supervised.folder, 'drain-cluster.cjs'), code)
    const env = { ECO_PROBE_DIR: folder, PORT: String(port) }
    const child = supervised.start([process.execPath, 'drain-cluster.cjs'], { listen: [tcp(port)], env })
    expect(await child.line()).toBe('up')
    const clients = [client(), client(), client(), client()]
    for (const one of clients) await one.ask('/')
    const drains = await Promise.all((await controlPaths(folder, 3)).map(connectTo))
    for (const drain of drains) drain.say('drain SIGTERM')
    const answers = await Promise.all(drains.map((drain) => drain.answer())) // the primary has no connections
    for (const one of clients) expect(await one.ask('/')).toEqual({ body: 'quick', connection: 'close' })
    for (const [i, drain] of drains.entries()) if (answers[i] !== 'drained') await drain.until('drained')
    expect(child.process.exitCode).toBe(null)
  })
})
