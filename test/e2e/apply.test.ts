import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { environmentOf, isRunning } from '../support/processes.ts'
import { createRig, fixture } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

test('the second apply of a file does nothing: the same pids, the same serial', async () => {
  await using rig = await createRig()
  const config = { apps: { one: { ...sleeper, instances: 2 }, two: sleeper } }
  const first = await rig.apply(config)
  expect(first).toMatchObject({ code: 0 })
  const before = await rig.ls()
  const second = await rig.eco(['apply', '--yes'])
  expect(second).toMatchObject({ code: 0, stderr: '' })
  const pidsOf = (apps: typeof before): unknown =>
    apps.map(({ revision, instances }) => [revision, instances.map(({ pid }) => pid)])
  expect(pidsOf(await rig.ls())).toEqual(pidsOf(before))
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
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
