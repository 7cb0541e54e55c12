import { expect, test } from 'vitest'
import { kill } from '../support/processes.ts'
import { eventually } from '../support/eventually.ts'
import { createRig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

test('diff --exit-code: 0 nothing to do, 2 changes pending, 3 drift only', async () => {
  await using rig = await createRig()
  const app = { ...sleeper, instances: 2, restart: { policy: 'never' } }
  rig.write('ecosystem.yaml', { apps: { app } })
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 2 })
  expect(await rig.eco(['diff'])).toMatchObject({ code: 0 })
  expect(await rig.ls()).toEqual([])
  await rig.eco(['apply', '--yes'])
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
  const [, second = 0] = await rig.pids('app')
  kill(second)
  await eventually(async () => expect((await rig.app('app')).state).toBe('failed'))
  const drift = await rig.eco(['diff', '--exit-code'])
  expect(drift).toMatchObject({ code: 3 })
  expect(drift.stdout).toMatch(/app#1.*SIGKILL/)
  rig.write('ecosystem.yaml', { apps: { app: { ...app, env: { X: '1' } } } })
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 2 })
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect(await rig.pids('app')).toHaveLength(2)
})

test('an apply repairs drift and leaves the healthy instances alone', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: { ...sleeper, instances: 2, restart: { policy: 'never' } } } })
  const [first = 0, second = 0] = await rig.pids('app')
  kill(second)
  await eventually(async () => expect((await rig.app('app')).ready).toBe(1))
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  const now = await rig.pids('app')
  expect(now).toHaveLength(2)
  expect(now[0]).toBe(first)
  expect(now[1]).not.toBe(second)
})

test('text, JSON and Markdown tell the same changes, causes and impacts', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: { ...sleeper, env: { LEVEL: 'info' } }, old: sleeper, same: sleeper } })
  rig.write('ecosystem.yaml', { apps: { app: { ...sleeper, env: { LEVEL: 'debug' } }, fresh: sleeper, same: sleeper } })
  const text = await rig.eco(['diff'])
  const json = (await rig.eco(['diff', '--format', 'json', '--exit-code'])).json()
  const short = await rig.eco(['diff', '--json', '--exit-code'])
  const markdown = await rig.eco(['diff', '--format', 'markdown'])
  expect(short.code).toBe(2)
  expect(short.json().exit_code).toBe(2)
  expect(json.format_version).toMatch(/^1\./)
  const changes = json.changes.map(({ app, kind }: { app: string; kind: string }) => `${kind} ${app}`).toSorted()
  expect(changes).toEqual(['create fresh', 'destroy old', 'update app'])
  for (const { stdout } of [text, markdown]) {
    for (const fact of ['app', 'env.LEVEL', 'info', 'debug', 'fresh', 'old']) expect(stdout).toContain(fact)
  }
  expect(text.stdout).not.toContain('\u001b')
  expect(await rig.eco(['diff', '--format', 'xml'])).toMatchObject({ code: 4 })
})

test('diff changes nothing, and its plan id is that of the apply that follows', async () => {
  await using rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { app: sleeper } })
  const first = (await rig.eco(['diff', '--json'])).json()
  const second = (await rig.eco(['plan', '--json'])).json()
  expect(second.plan_id ?? second.id).toBe(first.plan_id ?? first.id)
  expect(await rig.ls()).toEqual([])
  const applied = (await rig.eco(['apply', '--yes', '--json'])).json()
  expect(applied).toMatchObject({ plan_id: first.plan_id ?? first.id, serial: 1, exit_code: 0 })
})
