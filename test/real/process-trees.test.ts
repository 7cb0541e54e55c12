/** Apps of several processes, and apps that take their time: a stop is over when all of it is gone. */

import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/ports.ts'
import { isRunning, kill, processesWith } from '../support/processes.ts'
import { createRig, type Rig } from '../support/rig.ts'
import { converse } from './ask.ts'
import { expectGone, expectLifecycle, type Lifecycle } from './lifecycle.ts'
import { applyApp, ecoIn, freshData, missing } from './real-app.ts'
import { expectSecondCopyRefused } from './second-copy.ts'

async function haraka(): Promise<Lifecycle> {
  const port = await freePort()
  const app: Lifecycle = {
    folder: 'haraka',
    service: 'smtp',
    ports: [port],
    env: { SMTP_PORT: String(port) },
    ask: () => converse(port, null, /^220 mail\.example ESMTP/),
  }
  freshData(app)
  return app
}

async function workersOf(rig: Rig, app: Lifecycle): Promise<number[]> {
  const [master = 0] = await rig.pids(app.service)
  const daemon = await rig.daemonPid()
  return processesWith(`HOME=${rig.env['HOME']}`).filter((pid) => pid !== master && pid !== daemon && isRunning(pid))
}

test.skipIf(missing('haraka'))('haraka, whose workers outlive their parent', async (context) => {
  await using rig = await createRig()
  const app = await haraka()
  await expectLifecycle(rig, context, app)
})

test.skipIf(missing('haraka'))(
  'haraka: a worker that dies is replaced by haraka itself, and eco stays out of it',
  async () => {
    await using rig = await createRig()
    const app = await haraka()
    expect(await applyApp(rig, app)).toMatchObject({ code: 0 })
    const [master] = await rig.pids('smtp')
    const workers = await eventually(async () => {
      const found = await workersOf(rig, app)
      expect(found).toHaveLength(2)
      return found
    })
    const [victim = 0] = workers
    kill(victim)
    await eventually(async () => {
      const now = await workersOf(rig, app)
      expect(now).toHaveLength(2)
      expect(now).not.toContain(victim)
    })
    expect(await rig.app('smtp')).toMatchObject({ state: 'running', instances: [{ pid: master, restarts: 0 }] })
    await app.ask()
    expect(await ecoIn(rig, app, ['stop', 'all'])).toMatchObject({ code: 0 })
    await expectGone(rig, app)
  },
)

test.skipIf(missing('haraka'))('haraka on a taken port is not running, although it is alive', async () => {
  await using rig = await createRig()
  await expectSecondCopyRefused(rig, await haraka())
})

test.skipIf(missing('homebridge'))('homebridge, whose farewell takes 5 s and ends with 143', async (context) => {
  await using rig = await createRig()
  const port = await freePort()
  const question = `GET /accessories HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`
  const app: Lifecycle = {
    folder: 'homebridge',
    service: 'bridge',
    ports: [port],
    env: { HAP_PORT: String(port) },
    // It knows us not: 470, connection authorization required.
    ask: () => converse(port, question, /^HTTP\/1\.1 470/),
  }
  freshData(app)
  await expectLifecycle(rig, context, app)
})
