/** What operators type: verbs, selectors and holds. */

import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill } from '../support/processes.ts'
import { createRig, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

async function states(rig: Rig): Promise<Record<string, string>> {
  return Object.fromEntries((await rig.ls()).map(({ app, state }) => [app, state]))
}

test('selectors: a name, a glob, a regular expression, all, several', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sleeper, 'worker-a': sleeper, 'worker-b': sleeper } })
  expect(await rig.eco(['stop', 'worker*'])).toMatchObject({ code: 0 })
  expect(await states(rig)).toEqual({ api: 'running', 'worker-a': 'stopped', 'worker-b': 'stopped' })
  expect(await rig.eco(['start', '/-b$/'])).toMatchObject({ code: 0 })
  expect(await states(rig)).toEqual({ api: 'running', 'worker-a': 'stopped', 'worker-b': 'running' })
  expect(await rig.eco(['start', 'all'])).toMatchObject({ code: 0 })
  expect(await rig.eco(['stop', 'api', 'worker-b'])).toMatchObject({ code: 0 })
  expect(await states(rig)).toEqual({ api: 'stopped', 'worker-a': 'running', 'worker-b': 'stopped' })
  expect((await rig.ls('work*')).map(({ app }) => app)).toEqual(['worker-a', 'worker-b'])
})

test('restart api#1 restarts that instance only', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { ...sleeper, instances: 3 } } })
  const before = await rig.pids('api')
  expect(await rig.eco(['restart', 'api#1'])).toMatchObject({ code: 0 })
  const after = await rig.pids('api')
  expect([after[0], after[2]]).toEqual([before[0], before[2]])
  expect(after[1]).not.toBe(before[1])
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('reload replaces every instance and changes nothing that is applied', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { ...sleeper, instances: 2 }, other: sleeper } })
  const [before, other] = [await rig.pids('api'), await rig.pids('other')]
  expect(await rig.eco(['reload', 'api'])).toMatchObject({ code: 0 })
  const after = await rig.pids('api')
  expect(after).toHaveLength(2)
  expect(after.filter((pid) => before.includes(pid))).toEqual([])
  expect(await rig.pids('other')).toEqual(other)
  expect(await rig.app('api')).toMatchObject({ revision: 1 })
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('a stopped app is held: shown by ls and diff, left alone by the daemon, ended by apply', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sleeper, other: sleeper } })
  const [[api = 0], other] = [await rig.pids('api'), await rig.pids('other')]
  expect(await rig.eco(['stop', 'api'])).toMatchObject({ code: 0 })
  expect(isRunning(api)).toBe(false)
  expect(await rig.app('api')).toMatchObject({ state: 'stopped', hold: { verb: 'stop', instances: 0 } })
  const diff = await rig.eco(['diff', '--exit-code'])
  expect(diff).toMatchObject({ code: 3 })
  expect(diff.stdout).toContain('eco stop api')
  // It survives the daemon.
  await rig.eco(['daemon', 'stop'])
  expect(await rig.app('api')).toMatchObject({ state: 'stopped', hold: { verb: 'stop' } })
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect(await rig.app('api')).toMatchObject({ state: 'running', hold: null })
  expect(await rig.pids('other')).toEqual(other)
})

test('scale keeps the pids of the instances that stay, is a hold, and ends with the next apply', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { ...sleeper, instances: 2 } } })
  const two = await rig.pids('api')
  expect(await rig.eco(['scale', 'api', '4'])).toMatchObject({ code: 0 })
  const four = await rig.pids('api')
  expect(four).toHaveLength(4)
  expect(four.slice(0, 2)).toEqual(two)
  expect(await rig.app('api')).toMatchObject({ wanted: 4, hold: { verb: 'scale', instances: 4 } })
  expect((await rig.eco(['diff'])).stdout).toContain('eco scale api 4')
  expect(await rig.eco(['scale', 'api', '1'])).toMatchObject({ code: 0 })
  expect(await rig.pids('api')).toEqual(two.slice(0, 1))
  for (const pid of four.slice(1)) expect(isRunning(pid)).toBe(false)
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  const again = await rig.pids('api')
  expect(again).toHaveLength(2)
  expect(again[0]).toBe(two[0])
  expect(await rig.app('api')).toMatchObject({ hold: null })
})

test('scale to 0 and back', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sleeper } })
  expect(await rig.eco(['scale', 'api', '0'])).toMatchObject({ code: 0 })
  expect(await rig.app('api')).toMatchObject({ state: 'stopped', wanted: 0 })
  expect(await rig.eco(['start', 'api'])).toMatchObject({ code: 0 })
  expect(await rig.app('api')).toMatchObject({ state: 'running', wanted: 1, hold: null })
})

test('delete forgets an app, and the next apply brings it back', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sleeper, other: sleeper } })
  const [[api = 0], other] = [await rig.pids('api'), await rig.pids('other')]
  expect(await rig.eco(['delete', 'api', '--yes'])).toMatchObject({ code: 0 })
  expect(isRunning(api)).toBe(false)
  expect((await rig.ls()).map(({ app }) => app)).toEqual(['other'])
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 2 })
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect(await rig.pids('other')).toEqual(other)
  expect(await rig.app('api')).toMatchObject({ state: 'running' })
})

test('an app that two environments have must be told apart; all means all', async () => {
  await using rig = await createRig()
  const config = { apps: { api: sleeper }, environments: { production: {}, staging: {} } }
  await rig.apply(config, '--env', 'production')
  await rig.apply(config, '--env', 'staging')
  const ambiguous = await rig.eco(['stop', 'api'])
  expect(ambiguous).toMatchObject({ code: 5 })
  expect(ambiguous.stderr).toContain('demo/production')
  expect(ambiguous.stderr).toContain('demo/staging')
  expect(ambiguous.stderr).toContain('--env')
  expect((await rig.ls()).map(({ state }) => state)).toEqual(['running', 'running'])
  expect(await rig.eco(['stop', 'api', '--env', 'staging'])).toMatchObject({ code: 0 })
  expect((await rig.ls('--env', 'production')).map(({ state }) => state)).toEqual(['running'])
  expect(await rig.eco(['stop', 'all'])).toMatchObject({ code: 0 })
  expect((await rig.ls()).map(({ state }) => state)).toEqual(['stopped', 'stopped'])
})

test('a verb that starts a bad app says so with exit code 7', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { command: ['sh', '-c', 'test -e bad && exit 9; exec sleep 1000'] } } })
  await rig.eco(['stop', 'api'])
  rig.write('bad', '')
  const result = await rig.eco(['start', 'api'])
  expect(result).toMatchObject({ code: 7 })
  expect(result.stderr).toContain('exited with code 9')
})

test('logs and describe tell what an app wrote and how it ended', async () => {
  await using rig = await createRig()
  const command = ['sh', '-c', 'echo hello; echo oops >&2; printf "\\033[31mred\\n"; exec sleep 1000']
  await rig.apply({ apps: { api: { command, instances: 2 } } })
  const logs = await rig.eco(['logs', 'api#1', '--no-follow'])
  expect(logs).toMatchObject({ code: 0 })
  expect(logs.stdout).toMatch(/api#1 \| hello/)
  expect(logs.stdout).toMatch(/api#1 ! oops/)
  expect(logs.stdout).not.toContain('api#0')
  // No terminal: as it was written.
  expect(logs.stdout).toContain('\u001b[31mred')
  const lines = (await rig.eco(['logs', 'api', '--json', '--err', '--no-follow', '--no-markers'])).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ instance, stream, line }) => [instance, stream, line])).toEqual([
    ['api#0', 'err', 'oops'],
    ['api#1', 'err', 'oops'],
  ])
  const describe = await rig.eco(['describe', 'api'])
  expect(describe.stdout).toContain('demo/default/api  service, running, 2 of 2 ready')
  expect(describe.stdout).toContain('hello')
})

test('eco start of an app that pauses between two crashes tries at once, and tells how that went', async () => {
  await using rig = await createRig()
  const command = ['sh', '-c', 'test -e good || { echo no database >&2; exit 3; }; exec sleep 1000']
  const good = rig.write('good', '')
  await rig.apply({ apps: { api: { command, restart: { backoff: { initial: '2s', max: '2s', jitter: '0%' } } } } })
  rmSync(good)
  for (const pid of await rig.pids('api')) kill(pid)
  await eventually(async () => expect((await rig.app('api')).state).toBe('backoff'))
  const failed = await rig.eco(['start', 'api'])
  expect(failed).toMatchObject({ code: 8 })
  expect(failed.stderr + failed.stdout).toContain('api#0 exited with code 3')
  rig.write('good', '')
  expect(await rig.eco(['start', 'api'])).toMatchObject({ code: 0 })
  expect(await rig.app('api')).toMatchObject({ ready: 1, state: 'running' })
})
