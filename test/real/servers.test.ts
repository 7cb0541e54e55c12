/** Servers as npm has them, one process each: fixtures/real-apps has the ecosystem file of each. */

import { expect, test } from 'vitest'
import { get } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { createRig } from '../support/rig.ts'
import { converse } from './ask.ts'
import { expectLifecycle, type Lifecycle } from './lifecycle.ts'
import { freshData, missing } from './real-app.ts'
import { expectSecondCopyRefused } from './second-copy.ts'

/** A server that listens on one port by itself. */
async function server(
  folder: string,
  service: string,
  ask: (port: number) => Promise<unknown>,
): Promise<Lifecycle & { port: number }> {
  const port = await freePort()
  const app = { folder, service, port, ports: [port], env: { PORT: String(port) }, ask: () => ask(port) }
  freshData(app)
  return app
}

async function expectAnswer(port: number, path: string, text: RegExp): Promise<void> {
  const { status, body } = await get(port, path)
  expect(status).toBe(200)
  expect(typeof body === 'string' ? body : JSON.stringify(body)).toMatch(text)
}

test.skipIf(missing('http-server'))('http-server: two copies on a port that stays open', async (context) => {
  await using rig = await createRig()
  const app = await server('http-server', 'web', (port) => expectAnswer(port, '/', /It works/))
  await expectLifecycle(rig, context, { ...app, instances: 2 })
})

test.skipIf(missing('json-server'))('json-server', async (context) => {
  await using rig = await createRig()
  const app = await server('json-server', 'api', (port) => expectAnswer(port, '/posts/1', /Hello/))
  await expectLifecycle(rig, context, app)
  await expectSecondCopyRefused(rig, app)
})

test.skipIf(missing('verdaccio'))('verdaccio', async (context) => {
  await using rig = await createRig()
  const app = await server('verdaccio', 'registry', (port) => expectAnswer(port, '/-/ping', /^\{\}$/))
  await expectLifecycle(rig, context, app)
  await expectSecondCopyRefused(rig, app)
})

test.skipIf(missing('node-red'))('node-red', async (context) => {
  await using rig = await createRig()
  const app = await server('node-red', 'flows', (port) => expectAnswer(port, '/settings', /"version":"4\./))
  await expectLifecycle(rig, context, app)
})

test.skipIf(missing('aedes'))('aedes-cli, which speaks MQTT', async (context) => {
  await using rig = await createRig()
  // CONNECT of protocol 4 with a clean session and the client id "eco"; CONNACK says accepted.
  const connect = Buffer.from('\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03eco', 'latin1')
  const app = await server('aedes', 'broker', (port) => converse(port, connect, '\x20\x02\x00\x00'))
  await expectLifecycle(rig, context, app)
})

test.skipIf(missing('peer'))('peer, which stays alive on a port that is taken', async (context) => {
  await using rig = await createRig()
  const app = await server('peer', 'peerjs', (port) => expectAnswer(port, '/', /PeerJS Server/))
  await expectLifecycle(rig, context, app)
  await expectSecondCopyRefused(rig, app)
})

test.skipIf(missing('maildev'))('maildev, with a port for mail and one for people', async (context) => {
  await using rig = await createRig()
  const smtp = await freePort()
  const app = await server('maildev', 'mail', async (port) => {
    await expectAnswer(port, '/email', /^\[\]$/)
    await converse(smtp, null, /^220 /)
  })
  await expectLifecycle(rig, context, {
    ...app,
    env: { ...app.env, SMTP_PORT: String(smtp) },
    ports: [...app.ports, smtp],
  })
})
