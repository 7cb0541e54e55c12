/** Frameworks as their READMEs show them, and the ways to start them: none knows of eco, and none loses a request. */

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../support/binary.ts'
import { startLoad } from '../support/load.ts'
import { freePort } from '../support/ports.ts'
import { createRig } from '../support/rig.ts'
import { missing } from './real-app.ts'

const FOLDER = join(ROOT, 'fixtures/real-apps/frameworks')
const CLIENTS = { keepAlive: 4, perRequest: 4 }
const REQUESTS = 500

const apps: readonly { readonly what: string; readonly app: object }[] = [
  { what: 'express', app: { script: 'express.cjs' } },
  { what: 'express by npm start', app: { command: ['npm', 'start'] } },
  { what: 'fastify', app: { script: 'fastify.mjs' } },
  { what: 'koa', app: { script: 'koa.cjs' } },
  { what: 'hono', app: { script: 'hono.mjs' } },
  { what: 'TypeScript by tsx', app: { command: ['node_modules/.bin/tsx', 'typed.ts'] } },
  { what: 'TypeScript by node --import tsx', app: { command: ['node', '--import', 'tsx', 'typed.ts'] } },
  { what: 'an app with a cluster of its own', app: { script: 'workers.cjs' } },
  { what: 'an app that serves from a worker thread', app: { script: 'thread.cjs' } },
]

for (const { what, app } of apps) {
  test.skipIf(missing('frameworks'))(`${what}: a roll of two instances fails no request`, async () => {
    await using rig = await createRig()
    const port = await freePort()
    const config = (version: string): object => ({
      apps: {
        web: { cwd: FOLDER, instances: 2, listen: port, rollout: { soak: '200ms' }, ...app, env: { VERSION: version } },
      },
    })
    const started = await rig.apply(config('1'))
    expect(started, started.stderr).toMatchObject({ code: 0 })
    const load = await startLoad(port, CLIENTS)
    const rolled = await rig.apply(config('2'))
    const failures = await load.finish(() => load.count() >= REQUESTS && load.answers.has('2'))
    expect(rolled, rolled.stderr).toMatchObject({ code: 0 })
    expect([...load.answers.keys()].toSorted()).toEqual(['1', '2'])
    expect(failures).toEqual([])
  })
}
