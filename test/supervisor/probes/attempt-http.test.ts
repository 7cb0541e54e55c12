import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attempt } from '../../../src/supervisor/probes/attempt.ts'
import { startChild, startNode } from '../children.ts'
import { ask, httpCheck, httpServer, openFiles, subjectOf, tcp } from './subjects.ts'

const SUCCESS = { type: 'success' }
let dir: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'eco-probe-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

describe('what an answer must be', () => {
  test('the status decides, and a redirect is a status like any other', async () => {
    const { child, port } = await httpServer('res.statusCode = Number(req.url.slice(1)); res.end()')
    const of = (status: number) => ask(httpCheck(tcp(port), { path: `/${status}` }), subjectOf(child.pid))
    expect(await of(200)).toEqual(SUCCESS)
    expect(await of(302)).toEqual(SUCCESS)
    expect(await of(204)).toEqual(SUCCESS)
    expect(await of(503)).toEqual({ type: 'failure', reason: `http 127.0.0.1:${port}/503 answered 503` })
    const only = httpCheck(tcp(port), { path: '/302', status: [{ from: 200, to: 299 }] })
    expect(await ask(only, subjectOf(child.pid))).toMatchObject({ reason: expect.stringContaining('answered 302') })
  })

  test('headers are sent as they are given, Host too', async () => {
    const { child, port } = await httpServer('res.end(JSON.stringify(req.headers))')
    const body = { pattern: '"host":"shop.test".*"x-token":"abc"', flags: '' }
    const check = httpCheck(tcp(port), { headers: { Host: 'shop.test', 'X-Token': 'abc' }, body })
    expect(await ask(check, subjectOf(child.pid))).toEqual(SUCCESS)
    const plain = httpCheck(tcp(port), { body: { pattern: `"host":"127.0.0.1:${port}"`, flags: '' } })
    expect(await ask(plain, subjectOf(child.pid))).toEqual(SUCCESS)
  })

  test('the body must match, within its first 64 KiB', async () => {
    const { child, port } = await httpServer(
      "res.end(req.url === '/late' ? 'x'.repeat(70000) + 'all is well' : 'status: all is WELL')",
    )
    const body = { pattern: 'all is well', flags: 'i' }
    expect(await ask(httpCheck(tcp(port), { body }), subjectOf(child.pid))).toEqual(SUCCESS)
    const late = await ask(httpCheck(tcp(port), { body, path: '/late' }), subjectOf(child.pid))
    expect(late).toMatchObject({ type: 'failure', reason: expect.stringContaining('does not match /all is well/i') })
  })

  test('a pattern that takes for ever is given up, and the daemon goes on', async () => {
    const { child, port } = await httpServer("res.end('a'.repeat(60) + '!')")
    const started = Date.now()
    const check = httpCheck(tcp(port), { body: { pattern: '^(a+)+$', flags: '' } })
    const result = await ask(check, subjectOf(child.pid))
    expect(result).toMatchObject({ type: 'failure', reason: expect.stringContaining('takes too long to match') })
    expect(Date.now() - started).toBeLessThan(2000)
  })

  test('a query is sent, but is not told: it may hold a token', async () => {
    const { child, port } = await httpServer("res.statusCode = req.url === '/h?token=s3' ? 500 : 200; res.end()")
    const result = await ask(httpCheck(tcp(port), { path: '/h?token=s3' }), subjectOf(child.pid))
    expect(result).toEqual({ type: 'failure', reason: `http 127.0.0.1:${port}/h answered 500` })
  })

  test('what is no HTTP is a failure', async () => {
    const child = startNode(
      "const s = require('net').createServer((c) => c.end('SSH-2.0\\r\\n')).listen(0, '127.0.0.1', () => console.log(s.address().port))",
    )
    const port = Number(await child.line())
    const result = await ask(httpCheck(tcp(port)), subjectOf(child.pid))
    expect(result).toMatchObject({ type: 'failure', reason: expect.stringMatching(/no HTTP answer \(HPE_/) })
  })
})

describe('where it is asked', () => {
  test('each instance on a port of its own', async () => {
    const { child, port } = await httpServer('res.end()')
    const endpoint = { ...tcp(port - 3), perInstance: true }
    expect(await ask(httpCheck(endpoint), subjectOf(child.pid, { slot: 3 }))).toEqual(SUCCESS)
  })

  test('on IPv6, and by a name', async () => {
    const { child, port } = await httpServer('res.end()', "0, '::'")
    for (const host of ['::1', '[::1]', '127.0.0.1', 'localhost']) {
      expect(await ask(httpCheck({ ...tcp(port), host }), subjectOf(child.pid))).toEqual(SUCCESS)
    }
  })

  test('on a unix socket', async () => {
    const path = join(dir, 'app.sock')
    const { child } = await httpServer('res.end(req.url)', JSON.stringify(path))
    const check = httpCheck({ type: 'unix', path }, { body: { pattern: '^/healthz$', flags: '' } })
    expect(await ask(check, subjectOf(child.pid))).toEqual(SUCCESS)
    const gone = await ask(httpCheck({ type: 'unix', path: join(dir, 'none.sock') }), subjectOf(child.pid))
    expect(gone).toMatchObject({ type: 'failure', reason: expect.stringContaining('there is no such socket (ENOENT)') })
  })

  test('by https, whatever the certificate says', async () => {
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
    const subject = ['-subj', '/CN=somebody.else', '-days', '1']
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, ...subject],
      {
        stdio: 'ignore',
      },
    )
    const child = startNode(
      `const fs = require('fs'); const tls = { key: fs.readFileSync('${key}'), cert: fs.readFileSync('${cert}') }
       const s = require('https').createServer(tls, (q, r) => r.end('tls')).listen(0, '127.0.0.1', () => console.log(s.address().port))`,
    )
    const port = Number(await child.line())
    const check = httpCheck(tcp(port), { tls: true, body: { pattern: '^tls$', flags: '' } })
    expect(await ask(check, subjectOf(child.pid))).toEqual(SUCCESS)
    const plain = await ask(httpCheck(tcp(port)), subjectOf(child.pid))
    expect(plain.type).toBe('failure')
    const other = startChild(['sleep', '30'])
    expect(await ask(check, subjectOf(other.pid))).toMatchObject({ type: 'failure' })
  })
})

describe('whose answer counts', () => {
  test("a stranger's does not, and gets no request", async () => {
    const { child, port } = await httpServer("console.log('asked'); res.end()")
    const other = startChild(['sleep', '30'])
    const result = await ask(httpCheck(tcp(port)), subjectOf(other.pid))
    expect(result.type).toBe('failure')
    expect(result).toMatchObject({ reason: expect.stringMatching(/answered by pid \d+ .*which is not this instance/) })
    expect(await ask(httpCheck(tcp(port)), subjectOf(child.pid))).toEqual(SUCCESS)
    expect(await child.line()).toBe('asked')
    child.process.kill()
    await expect(child.line()).rejects.toThrow('ended before it printed a line')
  })

  test("a stranger's on a unix socket neither", async () => {
    const path = join(dir, 'stranger.sock')
    await httpServer('res.end()', JSON.stringify(path))
    const other = startChild(['sleep', '30'])
    const result = await ask(httpCheck({ type: 'unix', path }), subjectOf(other.pid))
    expect(result).toMatchObject({ type: 'failure', reason: expect.stringContaining('which is not this instance') })
  })

  test("a child's counts, and a grandchild's whose parent has gone", async () => {
    const server = `require('http').createServer((q, r) => r.end()).listen(0, '127.0.0.1', function () { console.log(this.address().port) })`
    const child = startChild(['sh', '-c', `"$NODE" -e "${server}" & sleep 30`], {
      env: { ...process.env, NODE: process.execPath },
    })
    expect(await ask(httpCheck(tcp(Number(await child.line()))), subjectOf(child.pid))).toEqual(SUCCESS)
    const orphaned = startChild(['sh', '-c', `("$NODE" -e "${server}" &); sleep 30`], {
      env: { ...process.env, NODE: process.execPath },
    })
    expect(await ask(httpCheck(tcp(Number(await orphaned.line()))), subjectOf(orphaned.pid))).toEqual(SUCCESS)
  })

  test('a server that closes at once, as HTTP/1.0 does, is known all the same', async () => {
    const code = `import http.server, sys
s = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
print(s.server_address[1], flush=True)
s.serve_forever()`
    const child = startChild(['python3', '-c', code], { stdio: ['ignore', 'pipe', 'ignore'] })
    const port = Number(await child.line())
    const other = startChild(['sleep', '30'])
    for (let i = 0; i < 20; i++) {
      expect(await ask(httpCheck(tcp(port), { path: '/' }), subjectOf(child.pid))).toEqual(SUCCESS)
      expect(await ask(httpCheck(tcp(port), { path: '/' }), subjectOf(other.pid))).toMatchObject({ type: 'failure' })
    }
  })

  test('a server that accepts only when data has come is waited for with data', async () => {
    const code = `import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30); s.listen(8)
print(s.getsockname()[1], flush=True)
while True:
  c, _ = s.accept(); c.recv(4096); c.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n"); c.close()`
    const child = startChild(['python3', '-c', code])
    const port = Number(await child.line())
    const other = startChild(['sleep', '30'])
    expect(await ask({ type: 'tcp', endpoint: tcp(port) }, subjectOf(child.pid))).toEqual(SUCCESS)
    expect(await ask(httpCheck(tcp(port)), subjectOf(child.pid))).toEqual(SUCCESS)
    expect((await ask(httpCheck(tcp(port)), subjectOf(other.pid), 500)).type).not.toBe('success')
  })
})

describe('an endpoint that does not behave', () => {
  test('one that hangs has failed after the timeout', async () => {
    const { child, port } = await httpServer('')
    const started = Date.now()
    const result = await ask(httpCheck(tcp(port)), subjectOf(child.pid), 400)
    expect(result).toEqual({ type: 'failure', reason: `http 127.0.0.1:${port}/healthz gave no answer within 0.4s` })
    expect(Date.now() - started).toBeLessThan(1500)
  })

  test('one whose process is stopped has failed after the timeout', async () => {
    const { child, port } = await httpServer('res.end()')
    process.kill(child.pid, 'SIGSTOP')
    const result = await ask(httpCheck(tcp(port)), subjectOf(child.pid), 400)
    expect(result).toMatchObject({ type: 'failure', reason: expect.stringContaining('gave no answer within 0.4s') })
  })

  const STREAM =
    "const t = setInterval(() => res.write('tick '.repeat(20)), 5); res.on('close', () => clearInterval(t))"

  test('one that streams without end passes by its status, and is read no further than needed for a match', async () => {
    const { child, port } = await httpServer(STREAM)
    expect(await ask(httpCheck(tcp(port)), subjectOf(child.pid))).toEqual(SUCCESS)
    const found = await ask(httpCheck(tcp(port), { body: { pattern: 'tick', flags: '' } }), subjectOf(child.pid), 300)
    expect(found).toEqual(SUCCESS)
    const none = await ask(httpCheck(tcp(port), { body: { pattern: 'tock', flags: '' } }), subjectOf(child.pid), 300)
    expect(none).toMatchObject({ type: 'failure', reason: expect.stringContaining('does not match /tock/') })
  })

  test('one that sends headers without end has failed', async () => {
    const child = startNode(`const s = require('net').createServer((c) => {
      c.on('error', () => {}); c.write('HTTP/1.1 200 OK\\r\\n')
      const t = setInterval(() => c.write('x-a: ' + 'b'.repeat(500) + '\\r\\n'), 1); c.on('close', () => clearInterval(t))
    }).listen(0, '127.0.0.1', () => console.log(s.address().port))`)
    const result = await ask(httpCheck(tcp(Number(await child.line()))), subjectOf(child.pid))
    expect(result).toMatchObject({ type: 'failure', reason: expect.stringContaining('HPE_HEADER_OVERFLOW') })
  })

  test('a thousand attempts of every ill kind leave no descriptor behind', async () => {
    const { child, port } = await httpServer(
      `if (req.url === '/hang') return
       if (req.url === '/loop') return res.writeHead(302, { location: '/loop' }).end()
       if (req.url === '/die') return req.socket.destroy()
       ${STREAM}`,
    )
    const before = openFiles()
    const body = { pattern: 'never', flags: '' }
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        ['/hang', '/loop', '/die', '/stream'].flatMap((path) =>
          Array.from({ length: 25 }, () =>
            ask(httpCheck(tcp(port), { path, body }), subjectOf(child.pid, { isStarting: false }), 150),
          ),
        ),
      )
    }
    const aborted = new AbortController()
    const hanging = attempt(httpCheck(tcp(port), { path: '/hang' }), subjectOf(child.pid), 60_000, aborted.signal)
    setTimeout(() => aborted.abort(), 100)
    await hanging
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(openFiles()).toBeLessThanOrEqual(before + 1)
    expect(readFileSync(`/proc/${child.pid}/stat`, 'utf8')).not.toBe('')
  }, 60_000)
})
