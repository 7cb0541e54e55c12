import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { environmentOf, isRunning } from '../support/processes.ts'
import { createRig, fixture } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

test('the second apply of a file does nothing: the same pids, the same revision', async () => {
  await using rig = await createRig()
  const config = { apps: { one: { ...sleeper, instances: 2 }, two: sleeper } }
  expect(await rig.apply(config)).toMatchObject({ code: 0 })
  const before = await rig.ls()
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0, stderr: '' })
  const facts = (apps: typeof before): unknown =>
    apps.map(({ revision, instances }) => [revision, instances.map(({ pid }) => pid)])
  expect(facts(await rig.ls())).toEqual(facts(before))
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('the order of keys and the format of the file change nothing', async () => {
  await using rig = await createRig()
  await rig.apply({ project: 'demo', apps: { one: { ...sleeper, env: { A: '1', B: '2' } }, two: sleeper } })
  const before = [...(await rig.pids('one')), ...(await rig.pids('two'))]
  const yaml = 'apps:\n  two: { command: [sleep, "1000"] }\n  one: { env: { B: 2, A: 1 }, command: [sleep, "1000"] }\n'
  expect(await rig.apply(`${yaml}project: demo\n`)).toMatchObject({ code: 0 })
  expect([...(await rig.pids('one')), ...(await rig.pids('two'))]).toEqual(before)
})

test('a changed variable replaces that app and no other', async () => {
  await using rig = await createRig()
  const config = (level: string): object => ({
    apps: { changed: { ...sleeper, instances: 2, env: { LEVEL: level } }, other: sleeper },
  })
  await rig.apply(config('info'))
  const [changed, other] = [await rig.pids('changed'), await rig.pids('other')]
  expect(await rig.apply(config('debug'))).toMatchObject({ code: 0 })
  const now = await rig.pids('changed')
  expect(now).toHaveLength(2)
  expect(now.filter((pid) => changed.includes(pid))).toEqual([])
  for (const pid of now) expect(environmentOf(pid)).toMatchObject({ LEVEL: 'debug' })
  for (const pid of changed) expect(isRunning(pid)).toBe(false)
  expect(await rig.pids('other')).toEqual(other)
})

test('a removed app is stopped and gone, and a new one is started', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { old: sleeper, kept: sleeper } })
  const [[old = 0], kept] = [await rig.pids('old'), await rig.pids('kept')]
  const result = await rig.apply({ apps: { kept: sleeper, fresh: sleeper } })
  expect(result).toMatchObject({ code: 0 })
  expect(isRunning(old)).toBe(false)
  expect((await rig.ls()).map(({ app, state }) => [app, state])).toEqual([
    ['fresh', 'running'],
    ['kept', 'running'],
  ])
  expect(await rig.pids('kept')).toEqual(kept)
})

test('a removed variable leaves the process', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: { ...sleeper, env: { KEPT: '1', REMOVED: '1' } } } })
  await rig.apply({ apps: { app: { ...sleeper, env: { KEPT: '1' } } } })
  const [pid = 0] = await rig.pids('app')
  const env = environmentOf(pid)
  expect(env['KEPT']).toBe('1')
  expect(env).not.toHaveProperty('REMOVED')
})

test('nothing of the shell leaks into an app except what is documented or let through', async () => {
  await using rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { app: { ...sleeper, inherit_env: ['LET_*'], env: { OWN: 'x' } } } })
  const env = { LEAK: 'leaked', LET_IN: 'yes', LANG: 'C.UTF-8', TERM: 'xterm', NODE_ENV: 'test' }
  expect(await rig.eco(['apply', '--yes'], { env })).toMatchObject({ code: 0 })
  const [pid = 0] = await rig.pids('app')
  const names = Object.keys(environmentOf(pid)).toSorted()
  const documented = [
    'ECO_APP',
    'ECO_ENV',
    'ECO_INSTANCE',
    'ECO_PROJECT',
    'ECO_REVISION',
    'ECO_RUN',
    'HOME',
    'LANG',
    'LET_IN',
    'OWN',
    'PATH',
  ]
  expect(names.filter((name) => !['PWD', 'SHLVL', '_'].includes(name))).toEqual(documented)
})

test('a removed key goes back to its default', async () => {
  await using rig = await createRig()
  const app = { ...sleeper, instances: 3, stop: { signal: 'SIGINT', timeout: '3s' } }
  await rig.apply({ apps: { app } })
  const [first] = await rig.pids('app')
  expect(await rig.apply({ apps: { app: sleeper } })).toMatchObject({ code: 0 })
  expect(await rig.pids('app')).toEqual([first])
  const { apps } = (await rig.eco(['describe', 'app', '--json'])).json()
  expect(apps[0].spec).toMatchObject({ instances: 1, stop: { signal: 'SIGTERM', timeoutMs: 10_000 } })
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('environments are scopes of their own, and nothing of one is in the other', async () => {
  await using rig = await createRig()
  const environments = {
    production: { apps: { app: { env: { ONLY_PRODUCTION: '1', SHARED: 'p' } } } },
    staging: { apps: { app: { env: { ONLY_STAGING: '1' } }, extra: sleeper } },
  }
  const config = { apps: { app: { ...sleeper, env: { SHARED: 'base' } } }, environments }
  await rig.apply(config, '--env', 'production')
  const [production = 0] = await rig.pids('app', '--env', 'production')
  expect(await rig.apply(config, '--env', 'staging')).toMatchObject({ code: 0 })
  const [staging = 0] = await rig.pids('app', '--env', 'staging')
  expect(await rig.pids('app', '--env', 'production')).toEqual([production])
  expect(environmentOf(staging)).toMatchObject({ SHARED: 'base', ONLY_STAGING: '1', ECO_ENV: 'staging' })
  expect(environmentOf(staging)).not.toHaveProperty('ONLY_PRODUCTION')
  expect(environmentOf(production)).toMatchObject({ SHARED: 'p', ECO_ENV: 'production' })
})

test('--only touches nothing else: neither changes nor removes', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { a: sleeper, b: sleeper, gone: sleeper } })
  const [b, gone] = [await rig.pids('b'), await rig.pids('gone')]
  const changed = { ...sleeper, env: { X: '1' } }
  expect(await rig.apply({ apps: { a: changed, b: changed, fresh: sleeper } }, '--only', 'a')).toMatchObject({
    code: 0,
  })
  const [a = 0] = await rig.pids('a')
  expect(environmentOf(a)).toMatchObject({ X: '1' })
  expect(await rig.pids('b')).toEqual(b)
  expect(await rig.pids('gone')).toEqual(gone)
  expect((await rig.ls()).map(({ app }) => app)).toEqual(['a', 'b', 'gone'])
  // The rest is still pending.
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 2 })
})

test('instances 0 keeps an app known and stopped', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: { ...sleeper, instances: 2 }, other: sleeper } })
  const before = await rig.pids('app')
  expect(await rig.apply({ apps: { app: { ...sleeper, instances: 0 }, other: sleeper } })).toMatchObject({ code: 0 })
  expect(await rig.app('app')).toMatchObject({ wanted: 0, ready: 0, state: 'stopped' })
  for (const pid of before) expect(isRunning(pid)).toBe(false)
})

test('--no-wait returns at once and the apply goes on', async () => {
  await using rig = await createRig()
  const app = { script: fixture('ready-signal.mjs'), env: { AFTER_MS: '1500' }, ready: 'signal' }
  const result = await rig.apply({ apps: { app } }, '--no-wait')
  expect(result).toMatchObject({ code: 0 })
  expect(result.stdout).toContain('Begun')
  expect((await rig.app('app')).state).toBe('starting')
  await eventually(async () => expect(await rig.app('app')).toMatchObject({ state: 'running', revision: 1 }))
})

test('every apply leaves a revision that says who, when, from which file and what', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: sleeper } })
  const path = join(rig.home, 'scopes/demo/default/revisions/000001.json')
  const revision = JSON.parse(readFileSync(path, 'utf8'))
  expect(revision).toMatchObject({ serial: 1, exit_code: 0, scope: { project: 'demo', environment: 'default' } })
  expect(revision.source.file).toBe(join(rig.dir, 'ecosystem.yaml'))
  expect(Date.parse(revision.at)).toBeGreaterThan(Date.now() - 60_000)
  expect(Object.keys(revision.apps)).toEqual(['app'])
})

test('an app that fails after it was ready, while the apply still waits for another one, is no success', async () => {
  await using rig = await createRig()
  const applied = await rig.apply({
    apps: {
      slow: { command: ['sleep', '1000'], ready: { delay: '3s' } },
      frail: { command: ['sh', '-c', 'sleep 1; echo no database >&2; exit 3'], restart: { policy: 'never' } },
    },
  })
  expect(applied).toMatchObject({ code: 8 })
  expect(applied.stderr).toContain('frail#0 exited with code 3: restart policy is never')
  expect(applied.stderr).toContain('no database')
})
