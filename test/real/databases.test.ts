/** PostgreSQL and Redis, from the packages of the system. */

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/ports.ts'
import { kill } from '../support/processes.ts'
import { createRig, type Rig } from '../support/rig.ts'
import { converse } from './ask.ts'
import { events, expectBackAfterKill, expectGone, expectLifecycle, expectServing, type Lifecycle } from './lifecycle.ts'
import { applyApp, ecoIn, workingIn } from './real-app.ts'
import { isOnPath, skip } from './skip.ts'

const PG_BIN = ['15', '16', '17', '18'].map((version) => `/usr/lib/postgresql/${version}/bin`).find(existsSync)
const noPostgres = skip(
  'PostgreSQL',
  PG_BIN === undefined && 'not installed (apt-get install postgresql)',
  process.getuid?.() !== 0 && 'it does not run as root, and only root can become another user',
)
const noRedis = skip('Redis', !isOnPath('redis-server') && 'not installed (apt-get install redis-server)')

interface Postgres extends Lifecycle {
  query(sql: string): Promise<string>
}

async function postgres(rig: Rig): Promise<Postgres> {
  const port = await freePort()
  const data = join(rig.dir, 'postgres')
  mkdirSync(data, { mode: 0o700 })
  // Another user works in it: the way there must be open.
  for (const folder of [dirname(rig.dir), rig.dir]) chmodSync(folder, 0o711)
  spawnSync('chown', ['postgres:', data])
  // The rig knows its processes by their environment, and PostgreSQL overwrites it.
  onTestFinished(() => workingIn([data]).forEach((pid) => kill(pid)))
  const psql = [join(PG_BIN ?? '', 'psql'), '-h', data, '-p', String(port), '-XAtqc']
  const query = async (sql: string): Promise<string> => {
    const asPostgres = ['--reuid=postgres', '--regid=postgres', '--init-groups', ...psql, sql]
    return (await execa('setpriv', asPostgres, { stdin: 'ignore' })).stdout
  }
  return {
    folder: 'postgres',
    service: 'postgres',
    ports: [port],
    folders: [data],
    env: { PGDATA: data, PGPORT: String(port), PG_BIN: PG_BIN ?? '' },
    query,
    ask: async () => expect(await query('select 6 * 7')).toBe('42'),
  }
}

/** Starts a query that does not end by itself, and waits until the server is at it. @returns its end: what psql says */
async function openQuery(app: Postgres, sql: string): Promise<{ readonly ended: Promise<string> }> {
  const ended = app.query(sql).then(
    () => 'done',
    (error: Error) => error.message,
  )
  await eventually(async () => {
    const found = await app.query(`select count(*) from pg_stat_activity where query = '${sql}' and state = 'active'`)
    expect(found).toBe('1')
  })
  return { ended }
}

test.skipIf(noPostgres)('postgres', async (context) => {
  await using rig = await createRig()
  const app = await postgres(rig)
  await expectLifecycle(rig, context, app)
})

test.skipIf(noPostgres)(
  'postgres with open queries stops at once by SIGINT, and keeps what was committed',
  async () => {
    await using rig = await createRig()
    const app = await postgres(rig)
    expect(await applyApp(rig, app)).toMatchObject({ code: 0 })
    await app.query('create table kept as select 1 as n')
    const sleeping = await openQuery(app, 'select pg_sleep(600)')
    const computing = await openQuery(app, 'select count(*) from generate_series(1, 1000000000000)')
    const started = Date.now()
    expect(await ecoIn(rig, app, ['stop', 'postgres'])).toMatchObject({ code: 0 })
    expect(Date.now() - started).toBeLessThan(10_000)
    await expectGone(rig, app)
    expect(await events(rig, app)).not.toContain('SIGKILL')
    expect(await Promise.all([sleeping.ended, computing.ended])).not.toContain('done')
    expect(await ecoIn(rig, app, ['start', 'postgres'])).toMatchObject({ code: 0 })
    expect(await app.query('select n from kept')).toBe('1')
  },
)

test.skipIf(noPostgres)(
  'postgres whose postmaster is killed comes back, although a backend is still at work',
  async () => {
    await using rig = await createRig()
    const app = await postgres(rig)
    expect(await applyApp(rig, app)).toMatchObject({ code: 0 })
    // It does not look up from its work, and holds the shared memory: no new server starts beside it.
    const computing = await openQuery(app, 'select count(*) from generate_series(1, 1000000000000)')
    await expectBackAfterKill(rig, app)
    expect(await computing.ended).not.toBe('done')
    await expectServing(rig, app)
    expect(await ecoIn(rig, app, ['delete', 'all', '--yes'])).toMatchObject({ code: 0 })
    await expectGone(rig, app)
  },
)

test.skipIf(noRedis)('redis, which saves what it has before it ends', async (context) => {
  await using rig = await createRig()
  const port = await freePort()
  const data = join(rig.dir, 'redis')
  mkdirSync(data)
  const app: Lifecycle = {
    folder: 'redis',
    service: 'redis',
    ports: [port],
    folders: [data],
    env: { REDIS_PORT: String(port), REDIS_DATA: data },
    ask: () => converse(port, 'PING\r\n', '+PONG'),
  }
  expect(await applyApp(rig, app)).toMatchObject({ code: 0 })
  await converse(port, 'SET kept 42\r\n', '+OK')
  expect(await ecoIn(rig, app, ['restart', 'redis'])).toMatchObject({ code: 0 })
  await converse(port, 'GET kept\r\n', '$2\r\n42')
  await expectLifecycle(rig, context, app)
  expect(await applyApp(rig, app)).toMatchObject({ code: 0 })
  await converse(port, 'GET kept\r\n', '$2\r\n42')
})
