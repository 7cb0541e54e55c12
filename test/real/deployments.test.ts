/** Web frameworks as they are deployed, with an answer under way: Next.js, directly and through npx, Nest, gunicorn. */

import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { get } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { processesWith } from '../support/processes.ts'
import { createRig, type Rig } from '../support/rig.ts'
import { expectGone, expectLifecycle, expectServing, type Lifecycle } from './lifecycle.ts'
import { applyApp, ecoIn, missing } from './real-app.ts'
import { isOnPath, skip } from './skip.ts'

async function expectPage(port: number, text: RegExp): Promise<void> {
  const { status, body } = await get(port, '/')
  expect(status).toBe(200)
  expect(typeof body === 'string' ? body : JSON.stringify(body)).toMatch(text)
}

async function nextApp(file: string, project: string, instances: number): Promise<Lifecycle> {
  const port = await freePort()
  const ask = () => expectPage(port, /Release (<!-- -->)?1/)
  return { folder: 'next', file, project, service: 'web', instances, ports: [port], env: { PORT: String(port) }, ask }
}

/** What was asked before the old copies were told to end is answered by them. */
async function expectAnswerDuringRollout(rig: Rig, app: Lifecycle, body: object | string): Promise<void> {
  const [port = 0] = app.ports
  const released = { ...app, env: { ...app.env, RELEASE: '2' } }
  const slow = get(port, '/slow')
  const applied = ecoIn(rig, released, ['apply', 'ecosystem.yaml', '--yes', '--take-over'])
  expect(await slow).toMatchObject({ status: 200, body })
  expect(await applied).toMatchObject({ code: 0 })
  await expectPage(port, /2/)
}

test.skipIf(missing('next'))('next: built by a job, then two copies on a port that stays open', async (context) => {
  await using rig = await createRig()
  const app = await nextApp('ecosystem.yaml', 'next', 2)
  await expectLifecycle(rig, context, { ...app, whileRunning: () => expectAnswerDuringRollout(rig, app, 'done') })
})

test.skipIf(missing('next'))('npx next start: three processes come and go as one', async (context) => {
  await using rig = await createRig()
  const app = await nextApp('npx.yaml', 'next-npx', 1)
  await expectLifecycle(rig, context, app)
  // npx dies of SIGTERM at once and its server would stay; it survives SIGINT, and would never end.
  for (const signal of ['SIGTERM', 'SIGINT']) {
    expect(await applyApp(rig, { ...app, env: { ...app.env, STOP_SIGNAL: signal } })).toMatchObject({ code: 0 })
    await expectServing(rig, app)
    const started = Date.now()
    expect(await ecoIn(rig, app, ['stop', 'web'])).toMatchObject({ code: 0 })
    expect(Date.now() - started, signal).toBeLessThan(8000)
    await expectGone(rig, app)
  }
})

test.skipIf(missing('next'))('npx next start: a server that npx has left behind does not hold the port', async () => {
  await using rig = await createRig()
  const app = await nextApp('npx.yaml', 'next-npx', 1)
  expect(await applyApp(rig, app)).toMatchObject({ code: 0 })
  const [npx = 0] = await rig.pids('web')
  process.kill(npx, 'SIGKILL')
  await eventually(async () => {
    expect(await rig.pids('web')).not.toContain(npx)
    await expectServing(rig, app)
  }, 30_000)
  // npx, perhaps a shell, the server; and the daemon: not one more than before.
  expect(processesWith(`HOME=${rig.env['HOME']}`).length).toBeLessThanOrEqual(4)
})

test.skipIf(missing('nest'))('nest: answers what it was asked before it ends', async (context) => {
  await using rig = await createRig()
  const port = await freePort()
  const app: Lifecycle = {
    folder: 'nest',
    service: 'api',
    instances: 2,
    ports: [port],
    env: { PORT: String(port) },
    ask: () => expectPage(port, /"release":"1"/),
  }
  const body = { pid: expect.any(Number) as number }
  await expectLifecycle(rig, context, { ...app, whileRunning: () => expectAnswerDuringRollout(rig, app, body) })
})

test.skipIf(skip('gunicorn', !isOnPath('gunicorn') && 'not installed (apt-get install gunicorn)'))(
  'gunicorn: takes its port from eco, forks its own workers, and answers what they were asked',
  async (context) => {
    await using rig = await createRig()
    const port = await freePort()
    const app: Lifecycle = {
      folder: 'gunicorn',
      service: 'web',
      ports: [port],
      env: { PORT: String(port) },
      ask: () => expectPage(port, /"release":"1"/),
    }
    const body = { pid: expect.any(Number) as number }
    await expectLifecycle(rig, context, { ...app, whileRunning: () => expectAnswerDuringRollout(rig, app, body) })
  },
)
