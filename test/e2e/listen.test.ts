/** Ports and unix sockets that eco binds once and hands to every instance. */

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, statSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { get } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { findPython } from '../support/python.ts'
import { kill } from '../support/processes.ts'
import { createRig, fixture } from '../support/rig.ts'

async function answeringPids(target: number | string): Promise<number[]> {
  const answers = await Promise.all(Array.from({ length: 60 }, () => get(target)))
  return [...new Set(answers.map(({ body }) => body.pid as number))].toSorted((a, b) => a - b)
}

test('two instances answer on one port', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = { script: fixture('http-server.mjs'), instances: 2, listen: `127.0.0.1:${port}` }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  const pids = (await rig.pids('api')).toSorted((a, b) => a - b)
  await eventually(async () => expect(await answeringPids(port)).toEqual(pids))
})

test('two instances answer on one unix socket, which others may not open', async () => {
  await using rig = await createRig()
  const path = join(rig.dir, 'api.sock')
  const api = { script: fixture('http-server.mjs'), instances: 2, listen: './api.sock', env: { SOCKET: path } }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  const pids = (await rig.pids('api')).toSorted((a, b) => a - b)
  await eventually(async () => expect(await answeringPids(path)).toEqual(pids))
  expect(statSync(path).isSocket()).toBe(true)
  await rig.eco(['delete', 'api', '--yes'])
  expect(() => statSync(path)).toThrow('ENOENT')
})

test('the long form: backlog of a port, mode and group of a socket, whatever the app says and the umask is', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const path = join(rig.dir, 'api.sock')
  const group = process.getuid?.() === 0 ? 1234 : (process.getgid?.() ?? 0)
  const listen = [
    { port, host: '127.0.0.1', backlog: 7 },
    { path: './api.sock', mode: '660', group },
  ]
  rig.write(
    'api.mjs',
    `import http from 'node:http'
    for (const at of [[${port}, '127.0.0.1', 100], ['${path}']]) {
      http.createServer((_, response) => response.end('"ok"')).listen(...at)
    }`,
  )
  const result = await rig.apply({ apps: { api: { script: 'api.mjs', instances: 2, listen } } })
  expect(result).toMatchObject({ code: 0 })
  for (const at of [port, path]) expect(await get(at)).toMatchObject({ body: 'ok' })
  const { mode, gid } = statSync(path)
  expect([(mode & 0o777).toString(8), gid]).toEqual(['660', group])
  const listening = spawnSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' })
  if (listening.status === 0) expect(listening.stdout.trim().split(/\s+/)[2]).toBe('7')
})

test('the port stays open while an instance is killed: the other one answers', async () => {
  await using rig = await createRig()
  const port = await freePort()
  await rig.apply({ apps: { api: { script: fixture('http-server.mjs'), instances: 2, listen: `127.0.0.1:${port}` } } })
  const [first = 0] = await rig.pids('api')
  kill(first)
  await eventually(async () => {
    expect((await rig.app('api')).ready).toBe(2)
    expect(await rig.pids('api')).not.toContain(first)
  })
  const answered = await Promise.all(Array.from({ length: 20 }, () => get(port)))
  expect(answered.every(({ status }) => status === 200)).toBe(true)
})

test('a port closes when its app is stopped, and is free for others until the app is started', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = { script: fixture('http-server.mjs'), instances: 2, listen: `127.0.0.1:${port}` }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  expect(await rig.eco(['scale', 'api', '1'])).toMatchObject({ code: 0 })
  expect((await get(port)).status).toBe(200) // the other copy serves
  expect(await rig.eco(['stop', 'api'])).toMatchObject({ code: 0 })
  await expect(get(port)).rejects.toThrow('ECONNREFUSED')
  const stranger = net.createServer().listen(port, '127.0.0.1')
  await once(stranger, 'listening')
  const refused = await rig.eco(['start', 'api'])
  expect(refused).toMatchObject({ code: 5 })
  expect(refused.stderr).toContain(`pid ${process.pid}`)
  stranger.close()
  expect(await rig.eco(['start', 'api'])).toMatchObject({ code: 0 })
  expect((await get(port)).status).toBe(200)
})

test('a port closes when every instance of its app has been given up, and opens again when it is reset or restarted', async () => {
  await using rig = await createRig()
  const port = await freePort()
  rig.write(
    'api.mjs',
    `import { existsSync } from 'node:fs'
    import http from 'node:http'
    if (existsSync('bad' + process.env.ECO_INSTANCE) || existsSync('bad')) process.exit(3)
    http.createServer((_, response) => response.end('ok')).listen(process.env.PORT, '127.0.0.1')`,
  )
  const restart = { max: 1, backoff: { initial: '300ms' } }
  const api = { script: 'api.mjs', instances: 2, listen: `127.0.0.1:${port}`, restart }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  const states = async (): Promise<string[]> => (await rig.app('api')).instances.map(({ state }) => state)
  rig.write('bad1', '')
  const [first = 0, second = 0] = await rig.pids('api')
  kill(second)
  await eventually(async () => expect(await states()).toEqual(['running', 'failed']))
  expect((await get(port)).status).toBe(200) // the other copy serves
  rig.write('bad', '')
  kill(first)
  await eventually(async () => expect(await states()).toEqual(['failed', 'failed']))
  await expect(get(port)).rejects.toThrow('ECONNREFUSED')
  const stranger = net.createServer().listen(port, '127.0.0.1')
  await once(stranger, 'listening')
  for (const name of ['bad', 'bad1']) rmSync(join(rig.dir, name))
  expect(await rig.eco(['reset', 'api'])).toMatchObject({ code: 0 })
  await eventually(async () => {
    const { instances } = await rig.app('api')
    for (const instance of instances) {
      expect(instance).toMatchObject({ state: 'failed' })
      expect(instance.reason).toContain(`Port ${port} is in use by pid ${process.pid}`)
    }
  })
  stranger.close()
  expect(await rig.eco(['reset', 'api'])).toMatchObject({ code: 0 })
  await eventually(async () => expect(await states()).toEqual(['running', 'running']))
  expect((await get(port)).status).toBe(200)
})

test('the port of an app that crashed stays open while it pauses, so that nobody is refused', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const restart = { max: 5, backoff: { initial: '1500ms', jitter: '0%' } }
  rig.write(
    'api.mjs',
    `import http from 'node:http'
    const server = http.createServer((request, response) => {
      if (request.url === '/die') process.exit(3)
      response.end('ok')
    })
    server.listen(process.env.PORT, '127.0.0.1')`,
  )
  const api = { script: 'api.mjs', listen: `127.0.0.1:${port}`, restart }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  // The first crash has no pause, the second has.
  for (let crash = 0; crash < 2; crash++) await get(port, '/die').catch(() => {})
  await eventually(async () => expect((await rig.app('api')).instances[0]).toMatchObject({ state: 'backoff' }))
  expect((await get(port)).status).toBe(200)
})

test('PORT is the first port of listen unless the app says otherwise', async () => {
  await using rig = await createRig()
  const [a, b, c] = [await freePort(), await freePort(), await freePort()]
  const own = { script: fixture('prints-env.mjs'), ready: { delay: '100ms' } }
  const result = await rig.apply({
    apps: { given: { ...own, listen: [a, b] }, declared: { ...own, listen: c, env: { PORT: '1234' } } },
  })
  expect(result).toMatchObject({ code: 0 })
  await eventually(() => expect(JSON.parse(rig.output('given'))).toMatchObject({ PORT: String(a) }))
  await eventually(() => expect(JSON.parse(rig.output('declared'))).toMatchObject({ PORT: '1234' }))
})

test("a shell program gets its socket by systemd's protocol", async () => {
  await using rig = await createRig()
  const port = await freePort()
  const app = { command: ['sh', fixture('listen-fds.sh')], listen: [`127.0.0.1:${port}`], ready: { log: 'fds=' } }
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0 })
  expect(rig.output('app').trim()).toBe('fds=1 names=listen0 mine=yes fd3=socket')
})

const python = findPython()
if (python === null) process.stderr.write('SKIPPED: no python3 here, so LISTEN_FDS was not tried with it\n')

test.skipIf(python === null)("two Python servers share a port by systemd's protocol", async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = {
    command: [python, fixture('systemd-server.py')],
    instances: 2,
    listen: `127.0.0.1:${port}`,
    ready: { log: 'serving 1 listen0' },
  }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  const pids = (await rig.pids('api')).toSorted((a, b) => a - b)
  await eventually(async () => expect(await answeringPids(port)).toEqual(pids))
})

test('readiness is not fooled by the old instance on the same port', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = { instances: 1, listen: `127.0.0.1:${port}`, ready: { http: '/healthz', timeout: '4s' } }
  await rig.apply({ apps: { api: { ...api, script: fixture('http-server.mjs') } } })
  const before = await rig.pids('api')
  const result = await rig.apply({ apps: { api: { ...api, script: fixture('never-listens.mjs') } } })
  expect(result).toMatchObject({ code: 6 })
  expect(await rig.pids('api')).toEqual(before)
})

test('the port of an app that declares nothing else counts as ready only in its own process', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = { script: fixture('http-server.mjs'), listen: `127.0.0.1:${port}` }
  await rig.apply({ apps: { api: { ...api, env: { VERSION: '1' } } } })
  expect(await rig.apply({ apps: { api: { ...api, env: { VERSION: '2' } } } })).toMatchObject({ code: 0 })
  expect(await get(port)).toMatchObject({ body: { version: '2' } })
})

test('a port that moves from one app to another in one apply', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const server = { script: fixture('http-server.mjs'), listen: `127.0.0.1:${port}` }
  await rig.apply({ apps: { a: { ...server, env: { VERSION: 'a' } } } })
  const result = await rig.apply({ apps: { b: { ...server, env: { VERSION: 'b' } } } })
  expect(result.stderr).not.toContain('which belongs to')
  expect(result).toMatchObject({ code: 0 })
  expect(await get(port)).toMatchObject({ body: { version: 'b' } })
})

test('a changed port is open before and closed after the roll', async () => {
  await using rig = await createRig()
  const [from, to] = [await freePort(), await freePort()]
  const api = (port: number): object => ({
    apps: { api: { script: fixture('http-server.mjs'), listen: `127.0.0.1:${port}` } },
  })
  await rig.apply(api(from))
  expect(await rig.apply(api(to))).toMatchObject({ code: 0 })
  expect(await get(to)).toMatchObject({ status: 200 })
  await expect(get(from)).rejects.toThrow('ECONNREFUSED')
})
