/** Readiness and liveness of running instances, with Kubernetes' meaning. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill, processesWith } from '../support/processes.ts'
import { freePort } from '../support/ports.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const EVERY = { interval: '100ms', timeout: '500ms' }

interface Server {
  readonly port: number
  readonly app: Readonly<Record<string, unknown>>
  /** How it answers from now on: a status, or hang, loop, stream. */
  readonly answer: (how: string) => void
}

async function server(rig: Rig, fields: object = {}): Promise<Server> {
  const port = await freePort()
  const control = join(rig.dir, `control-${port}`)
  const app = {
    script: fixture('health-server.mjs'),
    env: { PORT: port, CONTROL: control },
    ready: { log: 'listening' },
  }
  return { port, app: { ...app, ...fields }, answer: (how) => writeFileSync(control, how) }
}

async function messages(rig: Rig): Promise<string> {
  return (await rig.eco(['events', '--json'])).stdout
}

test('health: so many failures in a row restart it, and the events say why', async () => {
  await using rig = await createRig()
  const { port, app, answer } = await server(rig)
  const health = { http: `:${port}/healthz`, failures: 3, ...EVERY }
  expect(await rig.apply({ apps: { app: { ...app, health } } })).toMatchObject({ code: 0 })
  const [pid] = await rig.pids('app')
  answer('503')
  await eventually(async () => (await rig.pids('app'))[0] !== pid)
  answer('200')
  await eventually(async () => (await rig.app('app')).ready === 1)
  const told = await messages(rig)
  expect(told).toContain(`health: http 127.0.0.1:${port}/healthz answered 503 (3 of 3)`)
  expect(told).not.toContain('(1 of 3)')
  const after = await rig.pids('app')
  await new Promise((resolve) => setTimeout(resolve, 600))
  expect(await rig.pids('app')).toEqual(after)
})

test.each(['hang', 'loop', 'stream'])('health: an endpoint that goes into "%s" fails it', async (how) => {
  await using rig = await createRig()
  const { port, app, answer } = await server(rig)
  const match = { status: [200], body: 'all is well' }
  const health = { http: `:${port}/healthz`, failures: 2, ...(how === 'hang' ? {} : match), ...EVERY }
  answer('hang')
  expect(await rig.apply({ apps: { app: { ...app, health: { ...health, delay: '1h' } } } })).toMatchObject({
    code: 0,
  })
  const [pid] = await rig.pids('app')
  answer(how)
  expect(await rig.apply({ apps: { app: { ...app, health } } })).toMatchObject({ code: 0 })
  await eventually(async () => (await rig.pids('app'))[0] !== pid)
  const why = { hang: 'gave no answer within 0.5s', loop: 'answered 302', stream: 'does not match /all is well/' }[how]
  expect(await messages(rig)).toContain(why)
})

test('readiness: not ready while it fails, ready when it passes again, in the same process', async () => {
  await using rig = await createRig()
  const { port, app, answer } = await server(rig)
  const readiness = { http: `:${port}/`, failures: 2, successes: 2, ...EVERY }
  expect(await rig.apply({ apps: { app: { ...app, readiness } } })).toMatchObject({ code: 0 })
  const [pid] = await rig.pids('app')
  for (let round = 0; round < 2; round++) {
    answer('503')
    await eventually(async () => (await rig.app('app')).ready === 0)
    const { instances } = await rig.app('app')
    expect(instances[0]).toMatchObject({
      state: 'running',
      pid,
      reason: expect.stringContaining(`readiness: http 127.0.0.1:${port}/ answered 503`),
    })
    answer('200')
    await eventually(async () => (await rig.app('app')).ready === 1)
  }
  expect(await rig.pids('app')).toEqual([pid])
})

test('readiness: an apply waits for it, and so does what depends on it', async () => {
  await using rig = await createRig()
  const { port, app, answer } = await server(rig)
  answer('503')
  const readiness = { http: `:${port}/`, ...EVERY }
  const apps = {
    db: { ...app, readiness },
    api: { script: fixture('never-listens.mjs'), depends_on: { db: 'ready' } },
  }
  const applying = rig.apply({ apps })
  await eventually(async () => (await rig.app('db')).state === 'running')
  expect(await rig.app('db')).toMatchObject({ ready: 0 })
  expect(await rig.pids('api').catch(() => [])).toEqual([])
  answer('200')
  expect(await applying).toMatchObject({ code: 0 })
  expect(await rig.app('api')).toMatchObject({ state: 'running', ready: 1 })
})

test('readiness: one that never passes fails the apply, with the reason', async () => {
  await using rig = await createRig()
  const { port, app, answer } = await server(rig)
  answer('500')
  const ready = { log: 'listening', timeout: '3s' }
  const result = await rig.apply({ apps: { app: { ...app, ready, readiness: { http: `:${port}/`, ...EVERY } } } })
  expect(result.code).not.toBe(0)
  expect(result.stderr).toContain(`readiness: http 127.0.0.1:${port}/ answered 500`)
})

test('a changed probe is in force at once, in the same process', async () => {
  await using rig = await createRig()
  const { port, app, answer } = await server(rig)
  answer('503')
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0 })
  const [pid] = await rig.pids('app')
  const of = (fields: object) => rig.apply({ apps: { app: { ...app, ...fields } } })
  expect(await of({ health: { http: `:${port}/`, status: [503], ...EVERY } })).toMatchObject({ code: 0 })
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(await rig.pids('app')).toEqual([pid])
  expect(await of({ health: { http: `:${port}/`, failures: 1, ...EVERY } })).toMatchObject({ code: 0 })
  await eventually(async () => (await rig.pids('app'))[0] !== pid)
})

test('probes go on after the daemon was killed, and what was not ready is not', async () => {
  await using rig = await createRig()
  const { port, app, answer } = await server(rig)
  const readiness = { http: `:${port}/`, failures: 1, ...EVERY }
  expect(await rig.apply({ apps: { app: { ...app, readiness } } })).toMatchObject({ code: 0 })
  const [pid] = await rig.pids('app')
  answer('503')
  await eventually(async () => (await rig.app('app')).ready === 0)
  kill(await rig.daemonPid())
  expect(await eventually(() => rig.app('app'))).toMatchObject({ state: 'running', ready: 0 })
  answer('200')
  await eventually(async () => (await rig.app('app')).ready === 1)
  expect(await rig.pids('app')).toEqual([pid])
})

test("health: another process' answer does not count", async () => {
  await using rig = await createRig()
  const { port, app } = await server(rig)
  const other = {
    script: fixture('never-listens.mjs'),
    health: { http: `:${port}/`, failures: 1, ...EVERY, delay: '1s' },
  }
  expect(await rig.apply({ apps: { app, other } })).toMatchObject({ code: 0 })
  await eventually(async () => (await messages(rig)).includes('which is not this instance'))
})

test('exec: a probe that hangs is killed with all it started', async () => {
  await using rig = await createRig()
  const probe = ['sh', '-c', 'PROBE=yes sleep 1000 & setsid sleep 1000 & echo waiting; wait']
  const app = { command: ['sleep', '1000'], env: { WHO: 'probed' }, health: { exec: probe, failures: 2, ...EVERY } }
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0 })
  const why = 'health: exec sh did not end within 0.5s: waiting (2 of 2)'
  await eventually(async () => (await messages(rig)).includes(why))
  await rig.eco(['stop', 'app'])
  await eventually(() => processesWith('WHO=probed').filter((pid) => isRunning(pid)).length === 0)
})

test('exec: a probe that a killed daemon leaves behind goes with its instance', async () => {
  await using rig = await createRig()
  const health = { exec: ['sh', '-c', 'sleep 1000'], timeout: '1h' }
  const app = { command: ['sleep', '1000'], env: { WHO: 'left behind' }, health }
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0 })
  const probes = () => processesWith('WHO=left behind').filter((pid) => isRunning(pid)).length
  await eventually(() => probes() === 3)
  kill(await rig.daemonPid())
  await eventually(() => rig.app('app'))
  await rig.eco(['stop', 'app'])
  await eventually(() => probes() === 0)
})

test('a thousand attempts leave the daemon as it was', async () => {
  await using rig = await createRig()
  const apps: Record<string, object> = {}
  for (const how of ['hang', 'loop', 'stream', '200']) {
    const { port, app, answer } = await server(rig)
    answer(how)
    const failing = { failures: 1000, interval: '10ms', timeout: '100ms' }
    const health = { http: `:${port}/`, body: 'all is well', ...failing }
    apps[`on-${how}`] = { ...app, health }
  }
  const leaving = { exec: ['sh', '-c', 'sleep 1000 & exit 0'], interval: '50ms', timeout: '2s' }
  apps['leaving'] = { command: ['sleep', '1000'], health: leaving }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  const daemon = await rig.daemonPid()
  const asked = () => Object.keys(apps).reduce((sum, app) => sum + rig.output(app).split('asked').length - 1, 0)
  await eventually(() => asked() > 50)
  const before = readdirSync(`/proc/${daemon}/fd`).length
  await eventually(() => asked() > 1050, 50_000)
  // One attempt of each may be under way, with a socket or two pipes.
  await eventually(() => readdirSync(`/proc/${daemon}/fd`).length <= before + 3)
  await eventually(() => childrenOf(daemon) <= Object.keys(apps).length + 1)
  const { instances } = await rig.app('on-hang')
  expect(instances[0]).toMatchObject({ state: 'running', restarts: 0 })
}, 70_000)

function childrenOf(pid: number): number {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).length
}
