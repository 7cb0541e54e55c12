/** The daemon: exactly one, and the apps do not depend on it. */

import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { daemons } from '../support/daemons.ts'
import { eventually } from '../support/eventually.ts'
import { findFiles } from '../support/files.ts'
import { get } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { isRunning, kill, processesWith } from '../support/processes.ts'
import { createRig, fixture } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

test('eight commands at once start exactly one daemon, ten times over', async () => {
  await using rig = await createRig()
  for (let round = 0; round < 10; round++) {
    const results = await Promise.all(Array.from({ length: 8 }, () => rig.eco(['ls', '--json'])))
    const pids = new Set(results.map((result) => (result.code === 0 ? result.json().daemon.pid : result.stderr)))
    expect([...pids], `round ${round}`).toHaveLength(1)
    await eventually(() => expect(daemons(rig)).toEqual([...pids]))
    // Ended in two ways by turns: properly, and so that its socket stays behind.
    if (round % 2 === 0) await rig.eco(['daemon', 'stop'])
    else kill([...pids][0] as number)
    await eventually(() => expect(daemons(rig)).toEqual([]))
  }
}, 60_000)

test('eight applies of eight scopes at once, with no daemon running, all succeed', async () => {
  await using rig = await createRig()
  const files = Array.from({ length: 8 }, (_, i) => rig.write(`p${i}/ecosystem.yaml`, { apps: { app: sleeper } }))
  const results = await Promise.all(files.map((file) => rig.eco(['apply', file, '--yes'])))
  expect(results.map(({ code }) => code)).toEqual(files.map(() => 0))
  expect((await rig.ls()).map(({ project, state }) => [project, state])).toEqual(
    files.map((_, i) => [`p${i}`, 'running']),
  )
  expect(daemons(rig)).toHaveLength(1)
})

test('kill -9 of the daemon: the apps live on, and the next command takes them over', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const apps = {
    api: { script: fixture('http-server.mjs'), instances: 2, listen: `127.0.0.1:${port}`, ready: { http: '/healthz' } },
    one: sleeper,
  }
  await rig.apply({ apps })
  const before = [...(await rig.pids('api')), ...(await rig.pids('one'))]
  const daemon = await rig.daemonPid()
  kill(daemon)
  await eventually(() => expect(isRunning(daemon)).toBe(false))
  expect(before.every(isRunning)).toBe(true)
  expect(await get(port)).toMatchObject({ status: 200 })
  expect([...(await rig.pids('api')), ...(await rig.pids('one'))]).toEqual(before)
  expect(await rig.daemonPid()).not.toBe(daemon)
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect([...(await rig.pids('api')), ...(await rig.pids('one'))]).toEqual(before)
})

test('kill -9 of the daemon: a unix socket goes on serving too, and the next apply replaces its instances', async () => {
  await using rig = await createRig()
  const path = join(rig.dir, 'api.sock')
  const config = (version: string): object => ({
    apps: {
      api: { script: fixture('http-server.mjs'), instances: 2, listen: path, env: { SOCKET: path, VERSION: version } },
    },
  })
  await rig.apply(config('1'))
  const before = await rig.pids('api')
  kill(await rig.daemonPid())
  expect(await rig.pids('api')).toEqual(before)
  expect(await get(path)).toMatchObject({ body: { version: '1' } })
  expect(await rig.apply(config('2'))).toMatchObject({ code: 0 })
  expect(await get(path)).toMatchObject({ body: { version: '2' } })
  expect(await rig.pids('api')).toHaveLength(2)
})

test('kill -9 of the daemon: the next apply replaces the instances of a port as well', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const config = (version: string): object => ({
    apps: {
      api: { script: fixture('http-server.mjs'), instances: 2, listen: `127.0.0.1:${port}`, env: { VERSION: version } },
    },
  })
  await rig.apply(config('1'))
  kill(await rig.daemonPid())
  expect(await rig.apply(config('2'))).toMatchObject({ code: 0 })
  expect(await get(port)).toMatchObject({ body: { version: '2' } })
  expect(await rig.eco(['scale', 'api', '3'])).toMatchObject({ code: 0 })
})

test('an adopted instance is supervised: stopped, replaced when it dies, rolled when it changes', async () => {
  await using rig = await createRig()
  const apps = { kept: sleeper, dies: sleeper, rolls: sleeper, stops: sleeper }
  await rig.apply({ apps })
  kill(await rig.daemonPid())
  const [dies = 0] = await rig.pids('dies')
  const [stops = 0] = await rig.pids('stops')
  const [rolls = 0] = await rig.pids('rolls')
  kill(dies)
  await eventually(async () => {
    const { state, instances } = await rig.app('dies')
    expect(state).toBe('running')
    expect(instances[0]?.pid).not.toBe(dies)
  })
  expect(await rig.eco(['stop', 'stops'])).toMatchObject({ code: 0 })
  expect(isRunning(stops)).toBe(false)
  expect(await rig.apply({ apps: { ...apps, rolls: { ...sleeper, env: { X: '1' } } } })).toMatchObject({ code: 0 })
  expect(isRunning(rolls)).toBe(false)
  expect(await rig.pids('rolls')).toHaveLength(1)
})

test('what died while no daemon watched comes back with the next one', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { a: sleeper, b: sleeper } })
  const [[a = 0], b] = [await rig.pids('a'), await rig.pids('b')]
  const daemon = await rig.daemonPid()
  kill(daemon)
  kill(a)
  await eventually(() => expect([daemon, a].some(isRunning)).toBe(false))
  await rig.eco(['daemon', 'start'])
  await eventually(async () => expect(await rig.app('a')).toMatchObject({ state: 'running', ready: 1 }))
  expect(await rig.pids('b')).toEqual(b)
})

test('eco daemon stop is not undone by a command that waits', async () => {
  await using rig = await createRig()
  const job = { kind: 'job', command: ['sh', '-c', 'while [ ! -e go ]; do sleep 0.05; done'] }
  rig.write('ecosystem.yaml', { apps: { job } })
  const applied = rig.eco(['apply', '--yes'])
  await eventually(async () => expect(await rig.ls()).toMatchObject([{ state: 'running' }]))
  const pid = await rig.daemonPid()
  expect(await rig.eco(['daemon', 'stop'])).toMatchObject({ code: 0 })
  const result = await applied
  expect(result).toMatchObject({ code: 7 })
  expect(result.stderr).toContain('was told to end ("eco daemon stop") before this was over')
  await eventually(() => expect(isRunning(pid)).toBe(false))
  expect(await rig.eco(['daemon', 'status'])).toMatchObject({ code: 5 })
  rig.write('go', '')
})

test('eco daemon stop leaves the apps; with --apps it stops them first', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { a: sleeper, b: { ...sleeper, instances: 2 } } })
  const before = [...(await rig.pids('a')), ...(await rig.pids('b'))]
  const daemon = await rig.daemonPid()
  const stop = await rig.eco(['daemon', 'stop'])
  expect(stop).toMatchObject({ code: 0 })
  expect(stop.stdout).toContain('3 instances go on')
  await eventually(() => expect(isRunning(daemon)).toBe(false))
  expect(before.every(isRunning)).toBe(true)
  expect([...(await rig.pids('a')), ...(await rig.pids('b'))]).toEqual(before)
  expect(await rig.eco(['daemon', 'stop', '--apps'])).toMatchObject({ code: 0 })
  expect(before.filter(isRunning)).toEqual([])
  expect(await rig.eco(['daemon', 'stop'])).toMatchObject({ code: 0 })
  expect((await rig.ls()).map(({ ready }) => ready)).toEqual([0, 0])
  expect(await rig.eco(['start', 'all'])).toMatchObject({ code: 0 })
  expect((await rig.ls()).map(({ ready }) => ready)).toEqual([1, 2])
})

test('two applies of one scope at once: one is carried out, the other refused', async () => {
  await using rig = await createRig()
  const slow = (input: string): object => ({
    apps: { app: { script: fixture('ready-signal.mjs'), env: { AFTER_MS: '1500', INPUT: input }, ready: 'signal' } },
  })
  rig.write('ecosystem.yaml', slow('first'))
  const first = rig.eco(['apply', '--yes'])
  await eventually(async () => expect((await rig.ls())[0]?.state).toBe('starting'))
  rig.write('ecosystem.yaml', slow('second'))
  const second = await rig.eco(['apply', '--yes'])
  expect(second).toMatchObject({ code: 5 })
  expect(second.stderr).toMatch(/demo\/default is busy: apply by \S+, for \d+s now/)
  expect(await first).toMatchObject({ code: 0 })
  expect(await rig.app('app')).toMatchObject({ revision: 1, state: 'running' })
  // No lock is left.
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
})

test('applies of different scopes do not wait for each other', async () => {
  await using rig = await createRig()
  const slow = { script: fixture('ready-signal.mjs'), env: { AFTER_MS: '4000' }, ready: 'signal' }
  const file = rig.write('slow/ecosystem.yaml', { apps: { slow } })
  const first = rig.eco(['apply', file, '--yes'])
  await eventually(async () => expect(await rig.ls()).toHaveLength(1))
  expect(await rig.apply({ apps: { app: sleeper } })).toMatchObject({ code: 0 })
  expect(await rig.app('slow')).toMatchObject({ state: 'starting' })
  expect(await first).toMatchObject({ code: 0 })
})

test('a client killed in the middle of an apply changes nothing: the apply goes on and leaves no lock', async () => {
  await using rig = await createRig()
  const app = { script: fixture('ready-signal.mjs'), env: { AFTER_MS: '1000' }, ready: 'signal' }
  rig.write('ecosystem.yaml', { apps: { app, next: { ...sleeper, depends_on: ['app'] } } })
  const laptop = new AbortController()
  const apply = rig.eco(['apply', '--yes'], { signal: laptop.signal })
  await eventually(async () => expect((await rig.ls())[0]?.state).toBe('starting'))
  laptop.abort()
  expect((await apply).code).not.toBe(0)
  await eventually(async () => {
    expect((await rig.ls()).map(({ app: name, state, revision }) => [name, state, revision])).toEqual([
      ['app', 'running', 1],
      ['next', 'running', 1],
    ])
  })
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
  expect(await rig.eco(['reload', 'next'])).toMatchObject({ code: 0 })
})

test('a daemon killed in the middle of an apply: the next one brings the scope to a known state, no lock is left', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: sleeper } })
  const before = await rig.pids('app')
  const slow = { script: fixture('ready-signal.mjs'), env: { AFTER_MS: '2000' }, ready: 'signal' }
  rig.write('ecosystem.yaml', { apps: { app: sleeper, slow } })
  const apply = rig.eco(['apply', '--yes'])
  await eventually(async () => expect(await rig.ls()).toHaveLength(2))
  kill(await rig.daemonPid())
  const result = await apply
  expect(result.code).toBe(6)
  expect(result.stderr).toContain('The daemon ended before it answered: this was cut off, and revision 1 is in force.')
  expect(result.stderr).toContain('eco apply does it again')
  expect((await rig.eco(['events'])).stdout).toMatch(
    /the apply by \S+ was cut off by the end of the daemon; revision 1 is brought back: eco apply repeats it/,
  )
  expect(await rig.pids('app')).toEqual(before)
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect(await rig.pids('app')).toEqual(before)
  expect(await rig.app('slow')).toMatchObject({ state: 'running', ready: 1 })
  // Nothing of the first attempt runs on unseen.
  const known = [...before, ...(await rig.pids('slow')), await rig.daemonPid()]
  await eventually(() => {
    const running = processesWith(`HOME=${join(rig.home, '..')}`).filter(isRunning)
    expect(running.filter((pid) => !known.includes(pid))).toEqual([])
  })
})

test('files are 0600 and folders 0700 whatever the umask', async () => {
  await using rig = await createRig()
  rig.write('ecosystem.yaml', {
    apps: {
      app: { command: ['sh', '-c', 'echo hello; exec sleep 1000'], env: { S: { value: 'x', secret: true } } },
      job: { kind: 'job', command: ['true'] },
    },
  })
  expect(await rig.eco(['diff', '--out', 'plan.json'], { umask: '000' })).toMatchObject({ code: 0 })
  expect(await rig.eco(['apply', '--yes'], { umask: '000' })).toMatchObject({ code: 0 })
  expect(await rig.eco(['stop', 'app'], { umask: '000' })).toMatchObject({ code: 0 })
  const wrong = findFiles(rig.home).filter(({ type, mode }) => mode !== (type === 'folder' ? 0o700 : 0o600))
  expect(wrong.map(({ path, mode }) => `${path} ${mode.toString(8)}`)).toEqual([])
  expect(statSync(join(rig.dir, 'plan.json')).mode & 0o777).toBe(0o600)
})

test.skipIf(process.platform !== 'linux')('an ECO_HOME that cannot be made is told, and is no bug', async () => {
  await using rig = await createRig()
  // Nobody can make a folder there, not even root: as in a container whose root is read-only.
  const { code, stderr } = await rig.eco(['ls'], { env: { ECO_HOME: '/sys/eco' } })
  expect(stderr).toContain('No daemon can be started with /sys/eco')
  expect(stderr).toContain('set ECO_HOME to a folder of yours')
  expect(code).toBe(5)
})

test('eco daemon stop --apps stops them also when the daemon was killed before', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { one: sleeper } })
  const [pid = 0] = await rig.pids('one')
  kill(await rig.daemonPid())
  await eventually(() => expect(daemons(rig)).toEqual([]))
  expect(await rig.eco(['daemon', 'stop', '--apps'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('Stopped 1 instance and the daemon'),
  })
  expect(isRunning(pid)).toBe(false)
  expect(daemons(rig)).toEqual([])
})
