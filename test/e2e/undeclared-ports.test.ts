/** Node services that declare no listen: eco gives them the sockets of the ports they listen on, one for all instances. */

import net from 'node:net'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { get } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { kill } from '../support/processes.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

function server(port: number, fields: { env?: object; [key: string]: unknown } = {}): object {
  return { script: fixture('undeclared-server.mjs'), ...fields, env: { PORT: String(port), ...fields.env } }
}

async function answeringPids(port: number): Promise<number[]> {
  const answers = await Promise.all(Array.from({ length: 60 }, () => get(port)))
  return [...new Set(answers.map(({ body }) => body.pid as number))].toSorted((a, b) => a - b)
}

const sorted = async (rig: Rig): Promise<number[]> => (await rig.pids('api')).toSorted((a, b) => a - b)

/** Asks until it is told to stop. Every request has a connection of its own. */
function load(port: number): { stop(): Promise<{ asked: number; failed: string[] }> } {
  let isOver = false
  let asked = 0
  const failed: string[] = []
  const workers = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      asked++
      await get(port).catch((error: NodeJS.ErrnoException) => failed.push(error.code ?? error.message))
    }
  })
  return {
    stop: async () => {
      isOver = true
      await Promise.all(workers)
      return { asked, failed }
    },
  }
}

test.each(['', '127.0.0.1', 'localhost'])(
  'two instances share a port that nobody declared: host "%s"',
  async (host) => {
    await using rig = await createRig()
    const port = await freePort()
    const api = server(port, { instances: 2, env: { HOST: host } })
    expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
    const pids = await sorted(rig)
    await eventually(async () => expect(await answeringPids(port)).toEqual(pids))
    expect((await rig.app('api')).listen).toEqual([host === '' ? port : `127.0.0.1:${port}`])
    // What the app sees is what it sees without eco.
    expect((await get(port)).body).toMatchObject({ traces: [], seen: [] })
    expect(rig.output('api')).toContain(`"port":${port}`)
  },
)

test('a reload loses no request, and every instance is another one afterwards', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = server(port, { instances: 2, ready: { http: `:${port}/healthz` } })
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  const before = await sorted(rig)
  const requests = load(port)
  for (let roll = 0; roll < 3; roll++) expect(await rig.eco(['reload', 'api'])).toMatchObject({ code: 0 })
  const { asked, failed } = await requests.stop()
  expect(failed).toEqual([])
  expect(asked).toBeGreaterThan(50)
  const after = await sorted(rig)
  expect(after.some((pid) => before.includes(pid))).toBe(false)
  await eventually(async () => expect(await answeringPids(port)).toEqual(after))
})

test('what cannot be shared goes on as without eco', async () => {
  await using rig = await createRig()
  const [clustered, threaded, exclusive] = [await freePort(), await freePort(), await freePort()]
  rig.write(
    'app.cjs',
    `const cluster = require('node:cluster')
    const http = require('node:http')
    const net = require('node:net')
    const { Worker } = require('node:worker_threads')
    const answer = (text) => http.createServer((_, response) => response.end(JSON.stringify(text)))
    if (cluster.isPrimary) {
      for (let i = 0; i < 2; i++) cluster.fork().on('message', (message) => console.log(message))
      new Worker("require('node:http').createServer((_, r) => r.end('1')).listen(${threaded}, '127.0.0.1')", { eval: true })
      const any = net.createServer().listen(0, () => console.log('any ' + (any.address().port > 0)))
      net.createServer().listen('own.sock', () => console.log('unix'))
      answer('exclusive').listen({ port: ${exclusive}, exclusive: true })
      const closed = net.createServer().listen(${await freePort()}, () => console.log('never'))
      closed.close(() => console.log('closed'))
    } else {
      answer(cluster.worker.id).listen(${clustered})
      process.send('ipc of its own')
    }`,
  )
  expect(await rig.apply({ apps: { app: { script: 'app.cjs' } } })).toMatchObject({ code: 0 })
  await eventually(async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => get(clustered)))
    expect(new Set(answers.map(({ body }) => body as number))).toEqual(new Set([1, 2]))
    expect(await get(threaded)).toMatchObject({ body: 1 })
    expect(await get(exclusive)).toMatchObject({ body: 'exclusive' })
  })
  const said = rig.output('app').trim().split('\n').toSorted()
  expect(said).toEqual(['any true', 'closed', 'ipc of its own', 'ipc of its own', 'unix'])
})

test('an instance that is killed comes back beside the other', async () => {
  await using rig = await createRig()
  const port = await freePort()
  expect(await rig.apply({ apps: { api: server(port, { instances: 2 }) } })).toMatchObject({ code: 0 })
  const [first = 0] = await rig.pids('api')
  kill(first)
  await eventually(async () => {
    const pids = await sorted(rig)
    expect(pids).not.toContain(first)
    expect((await rig.app('api')).ready).toBe(2)
    expect(await answeringPids(port)).toEqual(pids)
  })
})

test('a new version on another port: the old one closes with its last user', async () => {
  await using rig = await createRig()
  const [from, to] = [await freePort(), await freePort()]
  const apply = (port: number, version: string) =>
    rig.apply({ apps: { api: server(port, { instances: 2, env: { VERSION: version } }) } })
  expect(await apply(from, '1')).toMatchObject({ code: 0 })
  expect(await apply(to, '2')).toMatchObject({ code: 0 })
  expect(await get(to)).toMatchObject({ body: { version: '2' } })
  await expect(get(from)).rejects.toThrow('ECONNREFUSED')
  expect((await rig.app('api')).listen).toEqual([to])
  const stranger = net.createServer().listen(from)
  await once(stranger, 'listening')
  stranger.close()
  // To one that is declared, and back.
  const declared = { script: fixture('undeclared-server.mjs'), instances: 2, listen: to }
  expect(await rig.apply({ apps: { api: declared } })).toMatchObject({ code: 0 })
  expect((await rig.app('api')).listen).toEqual([to])
  expect((await get(to)).status).toBe(200)
  expect(await apply(to, '3')).toMatchObject({ code: 0 })
  expect(await get(to)).toMatchObject({ body: { version: '3' } })
  expect((await rig.app('api')).listen).toEqual([to])
})

test('a stopped app leaves its port to others', async () => {
  await using rig = await createRig()
  const port = await freePort()
  expect(await rig.apply({ apps: { api: server(port) } })).toMatchObject({ code: 0 })
  expect(await rig.eco(['stop', 'api'])).toMatchObject({ code: 0 })
  await expect(get(port)).rejects.toThrow('ECONNREFUSED')
  expect((await rig.app('api')).listen).toEqual([])
  const stranger = net.createServer().listen(port)
  await once(stranger, 'listening')
  stranger.close()
  expect(await rig.eco(['start', 'api'])).toMatchObject({ code: 0 })
  expect((await get(port)).status).toBe(200)
})

test('the probe of an undeclared port asks the instance itself', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const ready = { http: `:${port}/healthz`, timeout: '3s', attempt_timeout: '500ms' }
  const api = server(port, { instances: 2, ready })
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  // Its sibling would answer.
  const hung = server(port, { instances: 2, ready, env: { HUNG_AT: '1' } })
  const failed = await rig.apply({ apps: { api: hung } })
  expect(failed).toMatchObject({ code: 6 })
  expect(failed.stderr + failed.stdout).toContain(`http 127.0.0.1:${port}/healthz gave no answer within 0.5s`)
})

test('process.send("ready") is still what makes it ready', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = server(port, { instances: 2, ready: 'signal', env: { REPORT: '1' } })
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  await eventually(async () => expect(await answeringPids(port)).toEqual(await sorted(rig)))
})

test('a port that a stranger has gives the app the error it always gave', async () => {
  await using rig = await createRig()
  const stranger = net.createServer().listen(0)
  await once(stranger, 'listening')
  onTestFinished(() => void stranger.close())
  const { port } = stranger.address() as net.AddressInfo
  const failed = await rig.apply({ apps: { api: server(port, { restart: { backoff: { initial: '10ms' } } }) } })
  expect(failed.code).not.toBe(0)
  expect(rig.output('api', { stream: 'err' })).toContain('EADDRINUSE')
})

test('a port of another app is not given away', async () => {
  await using rig = await createRig()
  const port = await freePort()
  expect(await rig.apply({ apps: { api: server(port) } })).toMatchObject({ code: 0 })
  const both = { api: server(port), other: server(port, { restart: { max: 0 } }) }
  expect((await rig.apply({ apps: both })).code).not.toBe(0)
  expect(rig.output('other', { stream: 'err' })).toContain('EADDRINUSE')
  expect((await rig.app('api')).ready).toBe(1)
  const refused = await rig.apply({ apps: { api: server(port), third: { ...server(port), listen: port } } })
  expect(refused).toMatchObject({ code: 5 })
  expect(refused.stderr).toContain('which belongs to demo/default/api')
})

test('the app does not notice the death of the daemon, and listens by itself from then on', async () => {
  await using rig = await createRig()
  const [port, later, last] = [await freePort(), await freePort(), await freePort()]
  expect(await rig.apply({ apps: { api: server(port) } })).toMatchObject({ code: 0 })
  const pids = await rig.pids('api')
  expect(await get(port, `/listen/${later}`)).toMatchObject({ body: { late: 'listening' } })
  expect((await rig.app('api')).listen).toEqual([port, later])
  kill(await rig.daemonPid())
  await eventually(async () => {
    expect(await get(port, `/listen/${last}`)).toMatchObject({ body: { late: 'listening', seen: [], traces: [] } })
  })
  expect((await get(last)).body).toBe('other')
  // The next daemon knows what the last one gave away.
  await eventually(async () => expect((await rig.app('api')).listen).toEqual([port, later]))
  expect(await rig.pids('api')).toEqual(pids)
  expect(await rig.eco(['reload', 'api'])).toMatchObject({ code: 0 })
  expect((await get(port)).body.pid).toBe((await rig.pids('api'))[0])
})

test('an app of another scope that needs the port is refused before anything is done, and told whose it is', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = server(port, { ready: { http: `:${port}/` } })
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  const [pid] = await rig.pids('api')
  const refused = await rig.apply({ project: 'other', apps: { copy: api } })
  expect(refused).toMatchObject({ code: 5 })
  expect(refused.stderr).toMatch(new RegExp(`copy needs port ${port}, but pid ${pid} .* of demo/default/api holds it`))
  expect((await rig.ls()).map(({ project }) => project)).toEqual(['demo'])
})
