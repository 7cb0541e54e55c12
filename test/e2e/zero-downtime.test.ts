/** A change never drops a request, and a bad build never replaces a good one: looked at from outside, under load. */

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../support/binary.ts'
import { openWebSocket, startLoad } from '../support/load.ts'
import { freePort } from '../support/ports.ts'
import { findPython } from '../support/python.ts'
import { createRig } from '../support/rig.ts'

const CLIENTS = { keepAlive: 8, perRequest: 8 }
const REQUESTS = 2000

/** The apps that the bench measures. */
function zeroApp(file: string): string {
  return join(ROOT, 'bench/apps/zero', file)
}

async function served(fields: object): Promise<{ port: number; config: (env?: object, changed?: object) => object }> {
  const port = await freePort()
  const app = {
    instances: 2,
    listen: `127.0.0.1:${port}`,
    rollout: { soak: '200ms' },
    // Kept connections that nobody drains keep an app from ending: then it shall fail soon.
    stop: { timeout: '3s' },
    ...fields,
  }
  return { port, config: (env = {}, changed = {}) => ({ apps: { api: { ...app, ...changed, env } } }) }
}

const python = findPython()
if (python === null) process.stderr.write('SKIPPED: no python3 here, so no roll of a Python app was tried\n')

const apps: readonly { readonly what: string; readonly app: object }[] = [
  { what: 'handles no signal', app: { script: zeroApp('plain.cjs') } },
  { what: 'closes its server', app: { script: zeroApp('closes.cjs') } },
  { what: 'says when it is ready', app: { script: zeroApp('says-ready.cjs'), ready: 'signal' } },
  { what: 'takes 300 ms to start', app: { script: zeroApp('slow.cjs') } },
  ...(python === null ? [] : [{ what: 'runs in Python', app: { command: [python, zeroApp('server.py')] } }]),
]

for (const { what, app } of apps) {
  test(`a reload and an apply under load fail no request of an app that ${what}`, async () => {
    await using rig = await createRig()
    const { port, config } = await served(app)
    expect(await rig.apply(config({ VERSION: '1' }))).toMatchObject({ code: 0 })
    const first = await rig.pids('api')
    const load = await startLoad(port, CLIENTS)
    const reloaded = await rig.eco(['reload', 'api'])
    const second = await rig.pids('api')
    const applied = await rig.apply(config({ VERSION: '2' }))
    const third = await rig.pids('api')
    const failures = await load.finish(() => load.count() >= REQUESTS && load.answers.has('2'))
    expect(reloaded).toMatchObject({ code: 0 })
    expect(applied).toMatchObject({ code: 0 })
    expect(new Set([...first, ...second, ...third])).toHaveLength(6)
    expect(failures).toEqual([])
  })
}

test('a WebSocket lives on through stop.drain when its instance is replaced', async () => {
  await using rig = await createRig()
  const { port, config } = await served({
    script: zeroApp('plain.cjs'), // ends at once when it is asked to
    instances: 1,
    stop: { drain: '1500ms' },
  })
  await rig.apply(config({ VERSION: '1' }))
  const socket = await openWebSocket(port)
  await socket.echo()
  const began = performance.now()
  const applied = rig.apply(config({ VERSION: '2' }))
  let echoes = 0
  const talk = async (): Promise<never> => {
    for (;;) {
      await socket.echo()
      echoes += 1
      await new Promise((done) => setTimeout(done, 50))
    }
  }
  await expect(talk()).rejects.toThrow('the WebSocket was closed')
  expect((await socket.closed) - began).toBeGreaterThanOrEqual(1500)
  expect(echoes).toBeGreaterThan(0)
  expect(await applied).toMatchObject({ code: 0 })
})

/** Short, so that a failure comes soon; what works has the time it takes under load. */
const impatient = { ready: { http: '/healthz', timeout: '2s' } }

const bad: readonly {
  readonly what: string
  readonly file: string
  readonly changed?: object
  readonly env?: object
}[] = [
  { what: 'throws at its start', file: 'bad-throws.cjs' },
  { what: 'never listens', file: 'bad-never-listens.cjs', changed: impatient },
  { what: 'answers 500', file: 'bad-500.cjs', changed: impatient },
  {
    what: 'dies during its soak',
    file: 'bad-dies.cjs',
    changed: { rollout: { soak: '2s' } },
    env: { DIES_AFTER_MS: '500' },
  },
]

for (const { what, file, changed = {}, env = {} } of bad) {
  test(`a build that ${what} fails no request, ends with 6, and the old processes go on`, async () => {
    await using rig = await createRig()
    const { port, config } = await served({
      script: zeroApp('closes.cjs'),
      ready: { http: '/healthz', timeout: '15s' },
    })
    expect(await rig.apply(config({ VERSION: '1' }))).toMatchObject({ code: 0 })
    const before = await rig.pids('api')
    const load = await startLoad(port, CLIENTS)
    const result = await rig.apply(config({ VERSION: '2', ...env }, { script: zeroApp(file), ...changed }))
    const after = await rig.pids('api')
    const failures = await load.finish(() => load.count() >= REQUESTS)
    expect(failures).toEqual([])
    expect(result).toMatchObject({ code: 6 })
    expect(after).toEqual(before)
  })
}
