/** Every way of telling readiness, with a program that uses it. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/ports.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

/** Applies the app, and holds eco to its word: it took at least this long, and it says "running" afterwards. */
async function expectReady(rig: Rig, app: object, atLeastMs: number): Promise<void> {
  const started = Date.now()
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0 })
  expect(Date.now() - started).toBeGreaterThanOrEqual(atLeastMs)
  expect(await rig.app('app')).toMatchObject({ state: 'running', ready: 1 })
}

test("signal: process.send('ready') in Node.js", async () => {
  await using rig = await createRig()
  await expectReady(rig, { script: fixture('ready-signal.mjs'), env: { AFTER_MS: '700' }, ready: 'signal' }, 700)
})

test('signal: the line "ready" on the descriptor in ECO_READY_FD', async () => {
  await using rig = await createRig()
  await expectReady(rig, { command: ['sh', fixture('ready-fd.sh')], ready: { signal: true } }, 100)
})

test('http: until the status is right', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const app = { script: fixture('slow-ready.mjs'), env: { PORT: port, SLOW_MS: '700' }, ready: { http: `:${port}/` } }
  await expectReady(rig, app, 700)
})

test('http: a status that is not accepted is no readiness, one that is named is', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const app = { script: fixture('http-server.mjs'), listen: `127.0.0.1:${port}`, env: { HEALTH: '418' } }
  const refused = await rig.apply({ apps: { app: { ...app, ready: { http: '/healthz', timeout: '3s' } } } })
  expect(refused).toMatchObject({ code: 7 })
  expect(refused.stderr).toContain('answered 418')
  await expectReady(rig, { ...app, ready: { http: '/healthz', status: [418] } }, 0)
})

test('tcp: when its own process accepts', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const app = { script: fixture('slow-ready.mjs'), env: { PORT: port, SLOW_MS: '700' }, ready: { tcp: port } }
  await expectReady(rig, app, 700)
})

test('tcp: somebody else on the port does not count', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const apps = {
    other: { script: fixture('http-server.mjs'), env: { PORT: port }, ready: { log: 'listening' } },
    app: { script: fixture('never-listens.mjs'), ready: { tcp: port, timeout: '4s' }, depends_on: ['other'] },
  }
  const result = await rig.apply({ apps })
  expect(result).toMatchObject({ code: 7 })
  expect(result.stderr).toContain('which is not this instance')
})

test('log: a regular expression, and a part of a line', async () => {
  await using rig = await createRig()
  await expectReady(rig, { script: fixture('log-then-ready.mjs'), ready: { log: '/^cache is WARM: \\d+/i' } }, 150)
  await expectReady(rig, { script: fixture('log-then-ready.mjs'), ready: { log: 'is warm: 42' } }, 0)
})

test('log: only what this run wrote counts, not the line of the run before', async () => {
  await using rig = await createRig()
  const app = { script: fixture('log-then-ready.mjs'), ready: { log: 'cache is warm', timeout: '5s' } }
  await expectReady(rig, app, 150)
  const result = await rig.apply({ apps: { app: { ...app, script: fixture('never-ready.mjs') } } })
  expect(result).toMatchObject({ code: 6 })
  expect(result.stderr).toContain('waiting for a log line like /cache is warm/')
})

test('exec: when the command ends with 0, in the cwd and with the environment of the app', async () => {
  await using rig = await createRig()
  const script = 'sleep 0.5; echo "$WHAT" > there; exec sleep 1000'
  const ready = { exec: ['sh', '-c', 'test "$(cat there)" = "$WHAT"'] }
  await expectReady(rig, { command: ['sh', '-c', script], env: { WHAT: 'done' }, ready }, 500)
})

test('delay: alive for this long', async () => {
  await using rig = await createRig()
  await expectReady(rig, { command: ['sleep', '1000'], ready: { delay: '600ms' } }, 600)
  const dead = await rig.apply({ apps: { app: { command: ['sleep', '0.2'], ready: { delay: '600ms' } } } })
  expect(dead).toMatchObject({ code: 6 })
})

test('nothing declared: alive and idle; one that ends in its start-up is not', async () => {
  await using rig = await createRig()
  await expectReady(rig, { script: fixture('never-listens.mjs') }, 0)
  expect(await rig.apply({ apps: { app: { script: fixture('crash-at-start.mjs') } } })).toMatchObject({ code: 6 })
})

test('an app that never says that it is ready fails after its timeout, with the reason', async () => {
  await using rig = await createRig()
  const app = { script: fixture('never-ready.mjs'), ready: { signal: true, timeout: '3s' } }
  const result = await rig.apply({ apps: { app } })
  expect(result).toMatchObject({ code: 7 })
  expect(result.stderr).toContain('app#0 was not ready within 3s: waiting for its ready signal')
  expect(result.stderr).toContain('still loading the model')
})

test('an apply does not end with 0 when an app that was ready has failed before its end', async () => {
  await using rig = await createRig()
  const dies = { command: ['sh', '-c', 'sleep 1; echo "no disk" >&2; exit 3'], restart: { policy: 'never' } }
  const result = await rig.apply({ apps: { dies, slow: { command: ['sleep', '1000'], ready: { delay: '2500ms' } } } })
  expect(result.code).toBe(8)
  expect(result.stderr).toContain('dies#0 exited with code 3')
  expect(result.stderr).toContain('no disk')
})

test('an apply that has nothing to do waits for what is not ready, and does not end with 0 when it stays so', async () => {
  await using rig = await createRig()
  rig.write('ok', '')
  const readiness = { exec: ['test', '-e', 'ok'], interval: '200ms', failures: 1 }
  const app = { command: ['sleep', '1000'], readiness, ready: { delay: '100ms', timeout: '3s' } }
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0 })
  rmSync(join(rig.dir, 'ok'))
  await eventually(async () => expect(await rig.app('app')).toMatchObject({ ready: 0 }))
  const result = await rig.eco(['apply', '--yes'])
  expect(result.code).toBe(8)
  expect(result.stderr).toMatch(/app#0 was not ready within 3s: readiness: .+/)
  const waits = rig.eco(['apply', '--yes'])
  rig.write('ok', '')
  expect(await waits).toMatchObject({ code: 0 })
})
