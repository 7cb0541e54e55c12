/** A bad build never replaces a good one, and what went wrong is told. */

import { chmodSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { isRunning } from '../support/processes.ts'
import { freePort } from '../support/ports.ts'
import { get } from '../support/http.ts'
import { createRig, fixture } from '../support/rig.ts'

/** Short, so that a failure comes soon; what works has the time it takes under load. */
const impatient = { http: '/healthz', timeout: '3s' }

interface Build {
  readonly script?: string
  readonly env?: Record<string, string>
  readonly [key: string]: unknown
}

async function server(overrides: Build = {}): Promise<{ port: number; config: (build?: Build) => object }> {
  const port = await freePort()
  const config = ({ env, ...build }: Build = {}): object => ({
    apps: {
      api: {
        script: fixture('http-server.mjs'),
        instances: 2,
        listen: `127.0.0.1:${port}`,
        ready: { http: '/healthz', timeout: '15s' },
        ...overrides,
        env: { VERSION: '1', ...env },
        ...build,
      },
    },
  })
  return { port, config }
}

const bad: readonly { readonly what: string; readonly build: Build; readonly why: RegExp }[] = [
  {
    what: 'ends at its start',
    build: { script: fixture('crash-at-start.mjs') },
    why: /api#0 exited with code 3[\s\S]*cannot open the database: ECONNREFUSED/,
  },
  {
    what: 'never listens',
    build: { script: fixture('never-listens.mjs'), ready: impatient },
    why: /api#0 was not ready within 3s[\s\S]*connecting to the database/,
  },
  {
    what: 'answers 500',
    build: { env: { HEALTH: '500' }, ready: impatient },
    why: /api#0 was not ready within 3s.*500/,
  },
]

for (const { what, build, why } of bad) {
  test(`a new build that ${what} is rolled back (6) and the old processes go on serving`, async () => {
    await using rig = await createRig()
    const { port, config } = await server()
    expect(await rig.apply(config())).toMatchObject({ code: 0 })
    const before = await rig.pids('api')
    const result = await rig.apply(config({ ...build, env: { ...build.env, VERSION: '2' } }))
    expect(result.stderr).toMatch(why)
    expect(result).toMatchObject({ code: 6 })
    expect(await rig.pids('api')).toEqual(before)
    expect(await get(port)).toMatchObject({ status: 200, body: { version: '1' } })
    expect(await rig.app('api')).toMatchObject({ state: 'running', ready: 2 })
    // The file still asks for it.
    expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 2 })
  })
}

test('a build that fails in its second instance leaves the first on the old version too', async () => {
  await using rig = await createRig()
  const { port, config } = await server()
  await rig.apply(config())
  const onlyFirst = rig.write(
    'only-first.mjs',
    `if (process.env.ECO_INSTANCE === '1') throw new Error('not here')
    await import(${JSON.stringify(fixture('http-server.mjs'))})`,
  )
  const result = await rig.apply(config({ script: onlyFirst, env: { VERSION: '2' } }))
  expect(result.stderr).toContain('not here')
  expect(result).toMatchObject({ code: 6 })
  for (let i = 0; i < 20; i++) expect(await get(port)).toMatchObject({ body: { version: '1' } })
  expect((await rig.app('api')).instances.map(({ ready }) => ready)).toEqual([true, true])
})

test('a new app that ends at its start: exit 7, with the reason and its last words', async () => {
  await using rig = await createRig()
  const result = await rig.apply({ apps: { app: { script: fixture('crash-at-start.mjs') } } })
  expect(result).toMatchObject({ code: 7 })
  expect(result.stderr).toMatch(/app#0 exited with code 3/)
  expect(result.stderr).toContain('cannot open the database: ECONNREFUSED')
  expect(result.stderr).toContain('giving up')
  expect(result.stderr).toContain('eco logs app')
})

test('a program that vanishes after the file was read is named: exit 7', async () => {
  await using rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { app: { command: ['./program'] } } })
  chmodSync(rig.write('program', '#!/bin/sh\nexec sleep 1000\n'), 0o755)
  await rig.eco(['diff', '--out', 'plan.json'])
  rmSync(join(rig.dir, 'program'))
  const result = await rig.eco(['apply', '--plan', 'plan.json', '--yes'])
  expect(result).toMatchObject({ code: 7 })
  expect(result.stderr).toMatch(/could not be started: .*program does not exist/)
})

test('during a roll the port answers every request, and the new instance is ready before the old one stops', async () => {
  await using rig = await createRig()
  const { port, config } = await server()
  await rig.apply(config())
  let rolling = true
  const seen = new Set<string>()
  const failures: unknown[] = []
  const client = async (): Promise<void> => {
    while (rolling) {
      const answer = await get(port).catch((error: unknown) => error)
      if (answer instanceof Error) failures.push(answer.message)
      else seen.add((answer as { body: { version: string } }).body.version)
    }
  }
  const clients = [client(), client()]
  const result = await rig.apply(config({ env: { VERSION: '2' } }))
  rolling = false
  await Promise.all(clients)
  expect(result).toMatchObject({ code: 0 })
  expect(failures).toEqual([])
  expect([...seen].toSorted()).toEqual(['1', '2'])
})

test('of an exclusive app two copies never run at the same time', async () => {
  await using rig = await createRig()
  const diary = rig.write('diary.txt', '')
  const script = rig.write(
    'lonely.mjs',
    `import { appendFileSync } from 'node:fs'
    const note = (what) => appendFileSync(process.env.DIARY, what + process.env.VERSION + '\\n')
    note('start ')
    process.on('SIGTERM', () => { note('end '); process.exit(0) })
    setInterval(() => {}, 1000)`,
  )
  const config = (version: string): object => ({
    apps: { app: { script, env: { DIARY: diary, VERSION: version }, rollout: { exclusive: true } } },
  })
  await rig.apply(config('1'))
  const [before = 0] = await rig.pids('app')
  expect(await rig.apply(config('2'))).toMatchObject({ code: 0 })
  expect(isRunning(before)).toBe(false)
  expect(readFileSync(diary, 'utf8')).toBe('start 1\nend 1\nstart 2\n')
})

test('an exclusive app whose new version is bad gets its old version back', async () => {
  await using rig = await createRig()
  const { port, config } = await server({ rollout: { exclusive: true }, instances: 1 })
  await rig.apply(config())
  const result = await rig.apply(config({ script: fixture('crash-at-start.mjs') }))
  expect(result).toMatchObject({ code: 6 })
  expect(await get(port)).toMatchObject({ body: { version: '1' } })
})

test('an apply of the same file over an app that never gets ready does not say that all is well', async () => {
  await using rig = await createRig()
  const app = { script: fixture('never-ready.mjs'), ready: { log: 'up and running', timeout: '3s' } }
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 7 })
  const again = await rig.eco(['apply', '--yes'])
  expect(again).toMatchObject({ code: 8 })
  expect(again.stderr).toContain('waiting for a log line like /up and running/')
  // A check that it passes puts it right.
  const { ready } = { ready: { log: 'still loading' } }
  expect(await rig.apply({ apps: { app: { ...app, ready } } })).toMatchObject({ code: 0 })
  expect(await rig.app('app')).toMatchObject({ state: 'running', ready: 1 })
})

test('an apply over a crash loop tries again at once, and waits for the outcome', async () => {
  await using rig = await createRig()
  const command = ['sh', '-c', 'test -e good || exit 1; exec sleep 1000']
  const apps = { app: { command, restart: { backoff: { initial: '20s', max: '20s' } } } }
  rig.write('ecosystem.yaml', { apps })
  await rig.eco(['apply', '--yes', '--no-wait'])
  await eventually(async () => expect((await rig.app('app')).state).toBe('backoff'))
  // Busy until the first apply has given up, then in its long pause.
  rig.write('good', '')
  await eventually(async () => expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 }), 28_000)
  expect(await rig.app('app')).toMatchObject({ state: 'running', ready: 1 })
})
