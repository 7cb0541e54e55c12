/** What a daemon does by itself when it starts, and what it leaves to people. */

import net from 'node:net'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/ports.ts'
import { isRunning, kill, processesWith } from '../support/processes.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

/** Kills the daemon and the instances of some apps, as a power cut would. */
async function cut(rig: Rig, ...apps: string[]): Promise<void> {
  const pids = (await Promise.all(apps.map((app) => rig.pids(app)))).flat()
  pids.push(await rig.daemonPid())
  for (const pid of pids.toReversed()) kill(pid)
  await eventually(() => expect(pids.filter(isRunning)).toEqual([]))
}

test('a port that a stranger has taken keeps its own app down, and no other', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const web = { script: fixture('http-server.mjs'), listen: `127.0.0.1:${port}` }
  await rig.apply({ apps: { web, worker: sleeper } })
  await cut(rig, 'web', 'worker')
  const stranger = net.createServer().listen(port, '127.0.0.1')
  await eventually(() => expect(stranger.listening).toBe(true))
  try {
    await rig.eco(['daemon', 'start'])
    await eventually(async () => expect(await rig.app('worker')).toMatchObject({ state: 'running', ready: 1 }))
    await eventually(async () => expect((await rig.app('web')).reason).toContain(`Port ${port} is in use`))
  } finally {
    stranger.close()
  }
  // Free again: the next try succeeds.
  await eventually(async () => expect(await rig.app('web')).toMatchObject({ state: 'running', ready: 1 }), 20_000)
})

test('a failed job does not run again because a daemon starts', async () => {
  await using rig = await createRig()
  const migrate = { kind: 'job', command: ['sh', '-c', 'echo ran >> runs; exit 1'] }
  expect(await rig.apply({ apps: { migrate } })).toMatchObject({ code: 7 })
  for (let i = 0; i < 2; i++) {
    await rig.eco(['daemon', 'stop'])
    await rig.eco(['ls'])
  }
  expect(await rig.app('migrate')).toMatchObject({ state: 'failed' })
  expect(readFileSync(join(rig.dir, 'runs'), 'utf8')).toBe('ran\n')
})

test('a daemon killed in the middle of a roll leaves the old instance serving', async () => {
  await using rig = await createRig()
  const app = (wait: string): object => ({
    command: ['sh', '-c', `[ "$SLOW" = no ] || while :; do sleep 0.1; done; echo up; exec sleep 1000`],
    env: { SLOW: wait },
    ready: { log: 'up' },
  })
  await rig.apply({ apps: { api: app('no') } })
  const [old] = await rig.pids('api')
  rig.write('ecosystem.yaml', { apps: { api: app('yes') } })
  await rig.eco(['apply', '--yes', '--no-wait'])
  await eventually(async () => expect(await rig.pids('api')).toHaveLength(2))
  kill(await rig.daemonPid())
  await eventually(async () => expect(await rig.pids('api')).toEqual([old]))
  expect(await rig.app('api')).toMatchObject({ state: 'running', ready: 1 })
})

test('eco daemon stop --apps leaves nothing behind, not even what was about to start', async () => {
  await using rig = await createRig()
  await rig.apply({
    apps: {
      crasher: { command: ['sh', '-c', 'sleep 0.2; exit 1'], restart: { backoff: { initial: '300ms' } } },
      tick: { kind: 'cron', schedule: '* * * * * *', command: ['sleep', '0.3'] },
      slow: { command: ['sh', '-c', 'trap "sleep 1.2; exit" TERM; while :; do sleep 0.1; done'] },
    },
  })
  await eventually(async () => expect(['backoff', 'starting']).toContain((await rig.app('crasher')).state))
  await rig.eco(['daemon', 'stop', '--apps'])
  const left = processesWith(`HOME=${rig.env['HOME']}`).filter((pid) => isRunning(pid))
  expect(left).toEqual([])
})

test('starting one app of a scope that is down leaves the others stopped, and says so', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { one: sleeper, two: sleeper } })
  await rig.eco(['daemon', 'stop', '--apps'])
  expect(await rig.app('two')).toMatchObject({ state: 'stopped' })
  expect(await rig.eco(['start', 'one'])).toMatchObject({ code: 0 })
  expect(await rig.app('one')).toMatchObject({ state: 'running' })
  expect(await rig.app('two')).toMatchObject({ state: 'stopped', hold: { by: 'eco daemon stop --apps' } })
  await rig.eco(['daemon', 'stop'])
  expect(await rig.app('two')).toMatchObject({ state: 'stopped' })
})

test('a scope that was only looked at is not marked as stopped', async () => {
  await using rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: sleeper } })
  await rig.eco(['diff'])
  await rig.eco(['daemon', 'stop', '--apps'])
  expect((await rig.eco(['ls'])).stderr).not.toContain('was stopped')
})

test('an app that binds its port itself can be renamed', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const app = { script: fixture('http-server.mjs'), env: { PORT: port }, ready: { tcp: port } }
  await rig.apply({ apps: { before: app } })
  expect(await rig.apply({ apps: { after: { ...app, rollout: { exclusive: true } } } })).toMatchObject({ code: 0 })
})

test('an app that was skipped does not keep its port', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = { script: fixture('http-server.mjs'), listen: port, depends_on: ['migrate'] }
  const first = await rig.apply({ apps: { api, migrate: { kind: 'job', command: ['false'] } } })
  expect(first.code).toBe(7)
  const other = rig.write('other/ecosystem.yaml', {
    apps: { web: { script: fixture('http-server.mjs'), listen: port } },
  })
  expect(await rig.eco(['apply', other, '--yes'])).toMatchObject({ code: 0 })
})

test('apps may be called like what every object has', async () => {
  await using rig = await createRig()
  const apps = { constructor: sleeper, toString: { kind: 'cron', schedule: '0 3 * * *', command: ['true'] } }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  expect((await rig.ls()).map(({ app, state }) => [app, state])).toEqual([
    ['constructor', 'running'],
    ['toString', 'scheduled'],
  ])
  expect(await rig.eco(['describe'])).toMatchObject({ code: 0 })
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
})

test('ECO_REVISION is the serial of the apply that started the instance', async () => {
  await using rig = await createRig()
  const app = (env: object): object => ({
    apps: { api: { command: ['sh', '-c', 'echo rev $ECO_REVISION; exec sleep 99'], env } },
  })
  await rig.apply(app({ A: '1' }))
  await rig.apply(app({ A: '2' }))
  expect(rig.output('api')).toBe('rev 1\nrev 2\n')
})

test('a socket on which nobody answers is told, not waited for', async () => {
  await using rig = await createRig()
  mkdirSync(rig.home, { mode: 0o700 })
  const silent = net.createServer(() => {}).listen(join(rig.home, 'eco.sock'))
  await eventually(() => expect(silent.listening).toBe(true))
  const result = await rig.eco(['ls'])
  silent.close()
  expect(result).toMatchObject({ code: 5 })
  expect(result.stderr).toContain('does not answer')
})
