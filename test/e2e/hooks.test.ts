/** Commands around the life of an instance. */

import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill } from '../support/processes.ts'
import { createRig, type Rig } from '../support/rig.ts'

/** Notes its name and what it is told about the instance. */
const note = (name: string): string =>
  `echo "${name} $ECO_HOOK $ECO_APP#$ECO_INSTANCE $\${ECO_PID:+pid} $ECO_EXIT_CODE$ECO_EXIT_SIGNAL" >> notes`
const notes = (rig: Rig): string[] =>
  readFileSync(`${rig.dir}/notes`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.replaceAll(/ +/g, ' ').trim())

const sleeper = { command: ['sleep', '1000'] }

test('hooks run in order, in the folder and with the variables of the app', async () => {
  await using rig = await createRig()
  const names = ['pre_start', 'post_start', 'pre_stop', 'post_stop']
  const hooks = Object.fromEntries(names.map((name) => [name, note(name)]))
  expect(await rig.apply({ apps: { app: { ...sleeper, hooks } } })).toMatchObject({ code: 0 })
  expect(notes(rig)).toEqual(['pre_start pre_start app#0', 'post_start post_start app#0 pid'])
  await rig.eco(['stop', 'app'])
  expect(notes(rig).slice(2)).toEqual(['pre_stop pre_stop app#0 pid', 'post_stop post_stop app#0 SIGTERM'])
})

test('a failing pre_start fails the start at once, with its output in the error', async () => {
  await using rig = await createRig()
  const hooks = { pre_start: ['sh', '-c', 'echo one; echo "the migration table is locked" >&2; exit 3'] }
  const result = await rig.apply({ apps: { app: { command: ['sh', '-c', 'touch started; sleep 1000'], hooks } } })
  expect(result.code).toBe(7)
  expect(result.stderr + result.stdout).toContain('its pre_start hook failed: exited with code 3')
  expect(result.stderr + result.stdout).toContain('the migration table is locked')
  expect(existsSync(`${rig.dir}/started`)).toBe(false)
})

test('a failing post_start ends the instance, and the roll goes back to the version before', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: sleeper } })
  const before = await rig.pids('app')
  const hooks = { post_start: { run: 'echo cache is cold; exit 1', timeout: '5s' } }
  const result = await rig.apply({ apps: { app: { ...sleeper, env: { V: '2' }, hooks } } })
  expect(result.code).toBe(6)
  expect(result.stderr + result.stdout).toContain('its post_start hook failed: exited with code 1')
  expect(result.stderr + result.stdout).toContain('cache is cold')
  expect(await rig.pids('app')).toEqual(before)
})

test('a hook that hangs is ended with all it started when its time is over', async () => {
  await using rig = await createRig()
  const hooks = { pre_start: { run: 'sleep 1000 & echo $! > child; wait', timeout: '300ms' } }
  const result = await rig.apply({ apps: { app: { ...sleeper, hooks } } })
  expect(result.code).toBe(7)
  expect(result.stderr + result.stdout).toContain('did not end within 0.3s')
  const child = Number(readFileSync(`${rig.dir}/child`, 'utf8'))
  await eventually(() => expect(isRunning(child)).toBe(false))
})

test('a failing pre_stop is told, and the stop goes on', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: { ...sleeper, hooks: { pre_stop: 'exit 9' } } } })
  const [pid = 0] = await rig.pids('app')
  expect(await rig.eco(['stop', 'app'])).toMatchObject({ code: 0 })
  expect(isRunning(pid)).toBe(false)
  expect((await rig.eco(['events', 'app'])).stdout).toContain('its pre_stop hook failed: exited with code 9')
})

test('after a crash pre_stop does not run, and post_stop does, before the next start', async () => {
  await using rig = await createRig()
  const hooks = { pre_start: note('pre_start'), pre_stop: note('pre_stop'), post_stop: note('post_stop') }
  await rig.apply({ apps: { app: { ...sleeper, hooks } } })
  const [pid = 0] = await rig.pids('app')
  kill(pid)
  await eventually(async () => expect(await rig.app('app')).toMatchObject({ ready: 1, instances: [{ restarts: 1 }] }))
  expect(notes(rig).map((line) => line.split(' ')[0])).toEqual(['pre_start', 'post_stop', 'pre_start'])
})

test('a stop during pre_start ends the hook, and nothing is started', async () => {
  await using rig = await createRig()
  const hooks = { pre_start: { run: 'touch begun; sleep 1000', timeout: '1m' } }
  rig.write('ecosystem.yaml', { apps: { app: { command: ['sh', '-c', 'touch started; sleep 1000'], hooks } } })
  await rig.eco(['apply', '--yes', '--no-wait'])
  await eventually(() => expect(existsSync(`${rig.dir}/begun`)).toBe(true))
  expect((await rig.app('app')).instances[0]).toMatchObject({ state: 'starting', reason: 'its pre_start hook runs' })
  await rig.eco(['daemon', 'stop', '--apps'])
  expect(existsSync(`${rig.dir}/started`)).toBe(false)
})

test('a job has hooks too', async () => {
  await using rig = await createRig()
  const hooks = { pre_start: note('before'), post_stop: note('after') }
  const result = await rig.apply({ apps: { job: { kind: 'job', command: ['sh', '-c', 'echo job >> notes'], hooks } } })
  expect(result.code).toBe(0)
  expect(notes(rig).map((line) => line.split(' ')[0])).toEqual(['before', 'job', 'after'])
})
