/** Probes of instances that share one listening socket: each is asked by a way of its own. */

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { kill } from '../support/processes.ts'
import { freePort } from '../support/ports.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const INSTANCES = 4
const EVERY = { interval: '200ms', timeout: '500ms', failures: 3 }
/** Three intervals of which each ends with a timeout, and the time to stop. */
const FOUND_MS = 3 * 500 + 1000

function server(port: number, fields: { env?: object; [key: string]: unknown } = {}): object {
  return {
    script: fixture('shared-server.mjs'),
    instances: INSTANCES,
    listen: port,
    ready: { http: `:${port}/ready`, timeout: '20s' },
    stop: { timeout: '1s' },
    ...fields,
    env: { PORT: port, ...fields.env },
  }
}

async function events(rig: Rig): Promise<string> {
  return (await rig.eco(['events', '--json'])).stdout
}

/** One of them gets a signal; it alone is replaced, and in time. */
async function expectReplaced(rig: Rig, signal: NodeJS.Signals, reason: string): Promise<void> {
  const before = await rig.pids('app')
  const [, hung = 0] = before
  process.kill(hung, signal)
  const signalledAt = Date.now()
  // The stop timeout is over before a process goes that hangs, and one more interval before the first attempt begins.
  await eventually(async () => !(await rig.pids('app')).includes(hung), 15_000)
  expect(Date.now() - signalledAt).toBeLessThan(FOUND_MS + 1000 + 3000) // 3 s for a busy machine
  await eventually(async () => (await rig.app('app')).ready === INSTANCES, 15_000)
  const after = await rig.pids('app')
  expect(after.filter((pid) => !before.includes(pid))).toHaveLength(1)
  expect(await events(rig)).toContain(reason)
  const { instances } = await rig.app('app')
  expect(instances.map(({ restarts }) => restarts)).toEqual([0, 1, 0, 0])
}

test.each([
  ['SIGSTOP', 'loop'],
  ['SIGUSR2', 'loop'],
] as const)('http health: one of four that hangs (%s) is replaced, and the others are not', async (signal, then) => {
  await using rig = await createRig()
  const port = await freePort()
  const app = server(port, { health: { http: `:${port}/healthz`, ...EVERY }, env: { THEN: then } })
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0, stderr: expect.any(String) })
  await expectReplaced(rig, signal, `health: http 127.0.0.1:${port}/healthz gave no answer within 0.5s (3 of 3)`)
  expect(rig.output('app')).toContain(`/healthz for 127.0.0.1:${port} from ::ffff:127.0.0.1`)
})

test('https health: the certificate and the name are the same as by the port', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const [key, cert] = [join(rig.dir, 'key.pem'), join(rig.dir, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-keyout', key, '-out', cert]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  execFileSync('openssl', ['req', '-x509', '-nodes', ...curve, ...subject], { stdio: 'ignore' })
  const health = { http: `https://localhost:${port}/healthz`, ...EVERY }
  const ready = { http: `https://localhost:${port}/ready`, timeout: '20s' }
  const app = server(port, { health, ready, env: { KIND: 'https', KEY: key, CERT: cert } })
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0, stderr: expect.any(String) })
  await eventually(() => rig.output('app').includes(`/healthz for localhost:${port} from ::ffff:127.0.0.1`))
  await expectReplaced(rig, 'SIGSTOP', `health: https localhost:${port}/healthz gave no answer within 0.5s (3 of 3)`)
})

test('tcp health: a connection that only waits does not count', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const ready = { tcp: port, timeout: '20s' }
  const app = server(port, { health: { tcp: port, ...EVERY }, ready, env: { KIND: 'net', THEN: 'loop' } })
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0, stderr: expect.any(String) })
  await expectReplaced(rig, 'SIGUSR2', `health: tcp 127.0.0.1:${port} gave no answer within 0.5s (3 of 3)`)
})

test('a unix socket that is shared', async () => {
  await using rig = await createRig()
  const path = join(rig.dir, 'app.sock')
  const code = `require('http').createServer((q, r) => r.end()).listen(${JSON.stringify(path)})`
  const app = {
    script: rig.write('unix.cjs', code),
    instances: INSTANCES,
    listen: path,
    ready: { http: `unix:${path}:/`, timeout: '20s' },
    health: { http: `unix:${path}:/healthz`, ...EVERY },
    stop: { timeout: '1s' },
  }
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0, stderr: expect.any(String) })
  await expectReplaced(rig, 'SIGSTOP', 'gave no answer within 0.5s (3 of 3)')
})

test('readiness: one that answers 503 for itself becomes unready alone', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const app = server(port, { readiness: { http: `:${port}/ready`, ...EVERY }, env: { THEN: 'sick' } })
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0, stderr: expect.any(String) })
  const before = await rig.pids('app')
  process.kill(before[2] ?? 0, 'SIGUSR2')
  await eventually(async () => (await rig.app('app')).ready === INSTANCES - 1)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const { instances, ready } = await rig.app('app')
  expect(ready).toBe(INSTANCES - 1)
  expect(instances[2]).toMatchObject({ state: 'running', reason: expect.stringContaining('/ready answered 503') })
  expect(await rig.pids('app')).toEqual(before)
})

test('one that hangs is found by the next daemon too, and a rollout leaves no sockets behind', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const app = server(port, { health: { http: `:${port}/healthz`, ...EVERY }, env: { THEN: 'loop' } })
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0, stderr: expect.any(String) })
  const [first = 0] = await rig.pids('app')
  const daemon = await rig.daemonPid()
  kill(daemon)
  kill(first) // its folder is left to the next daemon
  await eventually(async () => (await rig.app('app')).ready === INSTANCES)
  expect(await rig.daemonPid()).not.toBe(daemon)
  const before = await rig.pids('app')
  const [, , hung = 0] = before
  process.kill(hung, 'SIGUSR2')
  await eventually(async () => !(await rig.pids('app')).includes(hung), 15_000)
  await eventually(async () => (await rig.app('app')).ready === INSTANCES, 15_000)
  expect((await rig.pids('app')).filter((pid) => !before.includes(pid))).toHaveLength(1)
  const folders = () => readdirSync(join(rig.home, 'probe')).length
  await eventually(() => folders() === INSTANCES)
  expect(await rig.eco(['reload', 'app'])).toMatchObject({ code: 0, stderr: expect.any(String) })
  await eventually(() => folders() === INSTANCES)
  expect(await rig.eco(['stop', 'app'])).toMatchObject({ code: 0, stderr: expect.any(String) })
  await eventually(() => !existsSync(join(rig.home, 'probe')) || folders() === 0)
}, 60_000)

test('an app that closes its server and has nothing left to do ends', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const health = { http: `:${port}/healthz`, ...EVERY, failures: 1000 }
  const app = server(port, { health, restart: { policy: 'never' }, env: { THEN: 'close' } })
  const script = rig.write(
    'closes.cjs',
    `const s = require('http').createServer((q, r) => r.end('ok')).listen(process.env.PORT)
    process.once('SIGUSR2', () => s.close(() => console.log('closed')))`,
  )
  expect(await rig.apply({ apps: { app: { ...app, script } } })).toMatchObject({ code: 0, stderr: expect.any(String) })
  for (const pid of await rig.pids('app')) process.kill(pid, 'SIGUSR2')
  await eventually(async () => (await rig.pids('app')).length === 0)
  expect(rig.output('app')).toContain('closed')
  const { instances } = await rig.app('app')
  expect(instances.map(({ state }) => state)).toEqual(Array.from({ length: INSTANCES }, () => 'exited'))
})
