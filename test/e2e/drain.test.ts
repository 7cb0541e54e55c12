/** Stops of Node apps that know nothing of eco: what has begun is finished. */

import http from 'node:http'
import net from 'node:net'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { get } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { isRunning, kill } from '../support/processes.ts'
import { createRig, type Rig } from '../support/rig.ts'

/** Answers /slow when the file `go` is there, and upgrades what wants to be upgraded. */
const SERVER = `
const fs = require('fs')
const server = require('http').createServer((q, r) => {
  if (q.url !== '/slow') return r.end(JSON.stringify({ pid: process.pid }))
  console.log('slow')
  const wait = () => fs.existsSync('go') ? r.end('"slow"') : setTimeout(wait, 20)
  wait()
})
server.on('upgrade', (q, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: x\\r\\nConnection: Upgrade\\r\\n\\r\\n')
  socket.on('data', (chunk) => socket.write(chunk))
})
server.listen(process.env.PORT)
`
/** With a handler of its own that closes the server, and ends by an empty event loop. */
const HANDLES = `${SERVER}
process.on('SIGTERM', () => {
  console.log('term', server.listening, server.address().port)
  server.close((error) => console.log('closed', String(error)))
})`

function app(rig: Rig, port: number, fields: object = {}, code = SERVER): object {
  const script = rig.write('server.cjs', code)
  return { script, listen: port, ready: { http: `:${port}/` }, stop: { timeout: '5s', drain: '10s' }, ...fields }
}

/** On a connection that is kept alive. */
function ask(port: number, path: string, agent: http.Agent): Promise<{ body: string; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')))
      response.on('end', () => resolve({ body, connection: response.headers.connection }))
    })
    request.on('error', reject)
  })
}

function upgrade(port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const request = http.get({
      host: '127.0.0.1',
      port,
      agent: false,
      headers: { connection: 'Upgrade', upgrade: 'x' },
    })
    request.on('upgrade', (_, socket: net.Socket) => resolve(socket))
    request.on('error', reject)
  })
}

const stateOf = async (rig: Rig): Promise<string | undefined> => (await rig.app('app')).instances[0]?.state

test('eco stop: a request under way is answered, the state is draining, and no further one is taken', async () => {
  await using rig = await createRig()
  const port = await freePort()
  expect(await rig.apply({ apps: { app: app(rig, port) } })).toMatchObject({ code: 0 })
  const agent = new http.Agent({ keepAlive: true })
  const slow = ask(port, '/slow', agent)
  await eventually(() => rig.output('app').includes('slow'))
  const stopped = rig.eco(['stop', 'app'])
  await eventually(async () => (await stateOf(rig)) === 'draining')
  // A further connection is not accepted.
  const late = net.connect(port, '127.0.0.1').on('error', () => {})
  const answered = new Promise((resolve) => late.once('data', resolve))
  late.write('GET / HTTP/1.0\r\n\r\n')
  expect(await Promise.race([answered, new Promise((done) => setTimeout(done, 300, 'none'))])).toBe('none')
  late.destroy()
  expect(await stateOf(rig)).toBe('draining')
  rig.write('go', '')
  expect(await slow).toEqual({ body: '"slow"', connection: 'close' })
  expect((await stopped).code).toBe(0)
  expect((await rig.app('app')).state).toBe('stopped')
  const { stdout } = await rig.eco(['events', '--json'])
  expect(stdout).not.toContain('still open')
  agent.destroy()
})

test.each(['stop', 'delete'])('eco %s closes the port at once, while the last instance still drains', async (verb) => {
  await using rig = await createRig()
  const port = await freePort()
  const stop = { drain: '3s', timeout: '5s' }
  expect(await rig.apply({ apps: { app: app(rig, port, { stop }) } })).toMatchObject({ code: 0 })
  const socket = await upgrade(port)
  const stopping = rig.eco([verb, 'app', ...(verb === 'delete' ? ['--yes'] : [])])
  await eventually(async () => expect(await rig.app('app')).toMatchObject({ state: 'draining' }))
  await eventually(() => expect(get(port)).rejects.toThrow('ECONNREFUSED'))
  expect(await rig.app('app')).toMatchObject({ state: 'draining' })
  expect(await stopping).toMatchObject({ code: 0 })
  socket.destroy()
})

test('the pipe by which processes of an app speak with each other is no client that is waited for', async () => {
  await using rig = await createRig()
  const code = `
    const net = require('net')
    net.createServer(() => {}).listen('own.pipe', () => net.connect('own.pipe'))
    ${SERVER}`
  const port = await freePort()
  expect(await rig.apply({ apps: { app: app(rig, port, {}, code) } })).toMatchObject({ code: 0 })
  expect(await rig.eco(['stop', 'app'])).toMatchObject({ code: 0 })
  expect((await rig.eco(['events', 'app'])).stdout).not.toContain('drain')
})

test('the handler of the app runs after the drain as without eco, and its close calls back', async () => {
  await using rig = await createRig()
  const port = await freePort()
  expect(await rig.apply({ apps: { app: app(rig, port, {}, HANDLES) } })).toMatchObject({ code: 0 })
  const slow = ask(port, '/slow', new http.Agent({ keepAlive: true }))
  await eventually(() => rig.output('app').includes('slow'))
  const stopped = rig.eco(['stop', 'app'])
  await eventually(async () => (await stateOf(rig)) === 'draining')
  expect(rig.output('app')).not.toContain('term')
  rig.write('go', '')
  expect((await slow).body).toBe('"slow"')
  expect((await stopped).code).toBe(0)
  expect(rig.output('app')).toContain(`term true ${port}\nclosed undefined`)
  const { stdout } = await rig.eco(['events', '--json'])
  expect(stdout).toContain('"message":"stopped","data":{"exit":{"kind":"code","code":0}}')
})

test('a WebSocket goes on until the drain is over, which is told', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const stop = { drain: '1500ms', timeout: '5s' }
  expect(await rig.apply({ apps: { app: app(rig, port, { stop }) } })).toMatchObject({ code: 0 })
  const socket = await upgrade(port)
  let ended = false
  socket.on('close', () => (ended = true)).on('error', () => {})
  const startedAt = Date.now()
  const stopped = rig.eco(['stop', 'app'])
  await eventually(async () => (await stateOf(rig)) === 'draining')
  socket.write('ping')
  expect(String(await new Promise((resolve) => socket.once('data', resolve)))).toBe('ping')
  expect((await stopped).code).toBe(0)
  expect(Date.now() - startedAt).toBeGreaterThanOrEqual(1500)
  await eventually(() => ended)
  const { stdout } = await rig.eco(['events', '--json'])
  expect(stdout).toContain('1 connection was still open when its drain of 1.5s was over')
})

test('eco restart under load: no request fails, fresh or kept alive', async () => {
  await using rig = await createRig()
  const port = await freePort()
  expect(await rig.apply({ apps: { app: app(rig, port, { instances: 2 }) } })).toMatchObject({ code: 0 })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
  let goesOn = true
  const failures: unknown[] = []
  let answers = 0
  const client = async (one: http.Agent | null): Promise<void> => {
    while (goesOn) {
      try {
        if (one) await ask(port, '/', one)
        else await get(port)
        answers++
      } catch (error) {
        failures.push(error)
      }
    }
  }
  const clients = [agent, agent, agent, agent, null, null].map(client)
  const before = await rig.pids('app')
  expect((await rig.eco(['restart', 'app'])).code).toBe(0)
  goesOn = false
  await Promise.all(clients)
  agent.destroy()
  expect(failures).toEqual([])
  expect(answers).toBeGreaterThan(50)
  const after = await rig.pids('app')
  expect(after.filter((pid) => before.includes(pid))).toEqual([])
})

test('an app without servers is stopped at once, and so is one that has no connections', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const worker = { script: rig.write('worker.cjs', 'setInterval(() => {}, 1000)'), stop: { drain: '20s' } }
  const idle = app(rig, port, { stop: { drain: '20s' } })
  expect(await rig.apply({ apps: { worker, app: idle } })).toMatchObject({ code: 0 })
  const startedAt = Date.now()
  expect((await rig.eco(['stop', 'all'])).code).toBe(0)
  expect(Date.now() - startedAt).toBeLessThan(4000)
})

test('an instance that hangs is asked to end after a short wait', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const stop = { drain: '60s', timeout: '500ms' }
  expect(await rig.apply({ apps: { app: app(rig, port, { stop }) } })).toMatchObject({ code: 0 })
  process.kill((await rig.pids('app'))[0] ?? 0, 'SIGSTOP')
  expect((await rig.eco(['stop', 'app'])).code).toBe(0)
  expect((await rig.eco(['events', '--json'])).stdout).toContain('it did not answer when it was to drain')
})

test('an instance that is not healthy is not drained', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const code = `${SERVER}
    server.prependListener('request', (q, r) => { if (q.url === '/healthz') r.statusCode = fs.existsSync('sick') ? 503 : 200 })`
  const health = { http: `:${port}/healthz`, interval: '100ms', failures: 2 }
  const stop = { drain: '60s', timeout: '500ms' }
  expect(await rig.apply({ apps: { app: app(rig, port, { health, stop }, code) } })).toMatchObject({ code: 0 })
  const [pid = 0] = await rig.pids('app')
  const socket = await upgrade(port)
  socket.on('error', () => {})
  rig.write('sick', '')
  await eventually(() => !isRunning(pid))
})

test('a drain that is cut short by the death of the daemon is gone on with by the next', async () => {
  await using rig = await createRig()
  const port = await freePort()
  expect(await rig.apply({ apps: { app: app(rig, port) } })).toMatchObject({ code: 0 })
  const [pid = 0] = await rig.pids('app')
  const slow = ask(port, '/slow', new http.Agent({ keepAlive: true }))
  await eventually(() => rig.output('app').includes('slow'))
  const stopped = rig.eco(['stop', 'app'])
  await eventually(async () => (await stateOf(rig)) === 'draining')
  kill(await rig.daemonPid())
  await stopped
  expect((await rig.eco(['daemon', 'start'])).code).toBe(0)
  await eventually(async () => (await stateOf(rig)) === 'draining')
  expect(isRunning(pid)).toBe(true)
  rig.write('go', '')
  expect((await slow).body).toBe('"slow"')
  await eventually(async () => !isRunning(pid) && (await rig.app('app')).state === 'stopped')
})

test.each(['restart', 'reload'])(
  '%s that is cut short by the death of the daemon, while the old one drains',
  async (verb) => {
    await using rig = await createRig()
    const port = await freePort()
    expect(await rig.apply({ apps: { app: app(rig, port) } })).toMatchObject({ code: 0 })
    const [pid = 0] = await rig.pids('app')
    const slow = ask(port, '/slow', new http.Agent({ keepAlive: true }))
    await eventually(() => rig.output('app').includes('slow'))
    const restarted = rig.eco([verb, 'app'])
    await eventually(async () => (await rig.app('app')).instances.some(({ state }) => state === 'draining'))
    kill(await rig.daemonPid())
    await restarted
    expect((await rig.eco(['daemon', 'start'])).code).toBe(0)
    // Its successor serves already, where there is one.
    if (verb === 'reload') expect((await get(port)).status).toBe(200)
    expect(isRunning(pid)).toBe(true)
    rig.write('go', '')
    expect((await slow).body).toBe('"slow"')
    await eventually(async () => {
      const { instances, ready } = await rig.app('app')
      return ready === 1 && instances.length === 1 && instances[0]?.pid !== pid && !isRunning(pid)
    })
  },
)

test('an instance accepts nothing before it is ready, and at once when apply says that it is', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const code = `
    const fs = require('fs')
    require('http').createServer((q, r) => {
      console.log(q.url)
      r.statusCode = fs.existsSync('go') ? 200 : 503
      r.end('{}')
    }).listen(process.env.PORT, () => console.log('listening'))`
  const applied = rig.apply({
    apps: { app: app(rig, port, { ready: { http: `:${port}/ready`, interval: '50ms' } }, code) },
  })
  await eventually(() => rig.output('app').includes('/ready'))
  await expect(get(port)).rejects.toThrow('ECONNREFUSED')
  rig.write('go', '')
  expect((await applied).code).toBe(0)
  expect((await get(port, '/first')).status).toBe(200)
})

test('what the next daemon takes over is open, and a worker process that is started later too', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const code = `
    const { fork } = require('child_process')
    if (process.argv[2]) require('http').createServer((q, r) => r.end('{}')).listen(process.env.PORT)
    else {
      process.send('ready')
      process.on('SIGHUP', () => fork(__filename, ['child']))
      setInterval(() => {}, 1000)
    }`
  expect(await rig.apply({ apps: { app: app(rig, port, { ready: 'signal' }, code) } })).toMatchObject({ code: 0 })
  kill(await rig.daemonPid())
  expect((await rig.eco(['daemon', 'start'])).code).toBe(0)
  process.kill((await rig.pids('app'))[0] ?? 0, 'SIGHUP')
  await eventually(async () => (await get(port)).status === 200)
})
