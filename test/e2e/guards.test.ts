/** What an apply refuses, each time with exit code 5 and with nothing changed. */

import { expect, test } from 'vitest'
import { createRig, type EcoResult, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

async function expectRefused(rig: Rig, what: () => Promise<EcoResult>): Promise<EcoResult> {
  const before = (await rig.ls()).map(({ app, revision, instances }) => [
    app,
    revision,
    instances.map(({ pid }) => pid),
  ])
  const result = await what()
  expect(result).toMatchObject({ code: 5 })
  const after = (await rig.ls()).map(({ app, revision, instances }) => [app, revision, instances.map(({ pid }) => pid)])
  expect(after).toEqual(before)
  return result
}

test('an apply that would empty the scope needs --allow-empty', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { a: sleeper, b: sleeper } })
  const { stderr } = await expectRefused(rig, () => rig.apply({ apps: {} }))
  expect(stderr).toContain('all 2 apps')
  expect(stderr).toContain('--allow-empty')
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 5 })
  expect(await rig.eco(['apply', '--yes', '--allow-empty'])).toMatchObject({ code: 0 })
  expect(await rig.ls()).toEqual([])
})

test('another file may not take a scope over without --take-over', async () => {
  await using rig = await createRig()
  await rig.apply({ project: 'demo', apps: { a: sleeper } })
  const other = rig.write('copy/ecosystem.yaml', { project: 'demo', apps: { a: { ...sleeper, env: { X: '1' } } } })
  const { stderr } = await expectRefused(rig, () => rig.eco(['apply', other, '--yes']))
  expect(stderr).toContain('--take-over')
  expect(stderr).toContain(`${rig.dir}/ecosystem.yaml`)
  expect(await rig.eco(['apply', other, '--yes', '--take-over'])).toMatchObject({ code: 0 })
  // Now it is the other file's.
  await expectRefused(rig, () => rig.apply({ project: 'demo', apps: { a: sleeper } }))
  // Until nothing is left of it.
  expect(await rig.eco(['delete', 'all', '--yes'])).toMatchObject({ code: 0 })
  expect(await rig.apply({ project: 'demo', apps: { a: sleeper } })).toMatchObject({ code: 0 })
})

test('without a terminal and without --yes nobody can be asked', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { a: sleeper } })
  rig.write('ecosystem.yaml', { apps: { a: { ...sleeper, env: { X: '1' } } } })
  const { stdout, stderr } = await expectRefused(rig, () => rig.eco(['apply']))
  expect(stdout).toContain('env.X') // the plan is shown all the same
  expect(stderr).toContain('--yes')
  await expectRefused(rig, () => rig.eco(['apply'], { input: 'y\n' }))
  await expectRefused(rig, () => rig.eco(['delete', 'a']))
})

test('a saved plan is applied exactly as it was saved', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { a: sleeper } })
  rig.write('ecosystem.yaml', { apps: { a: sleeper, b: sleeper } })
  expect(await rig.eco(['diff', '--out', 'plan.json'])).toMatchObject({ code: 0 })
  // Not what the file says by now, but what was looked at.
  rig.write('ecosystem.yaml', { apps: { a: sleeper, c: sleeper } })
  expect(await rig.eco(['apply', '--plan', 'plan.json', '--yes'])).toMatchObject({ code: 0 })
  expect((await rig.ls()).map(({ app }) => app)).toEqual(['a', 'b'])
})

test('a saved plan is stale after another apply', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { a: sleeper } })
  rig.write('ecosystem.yaml', { apps: { a: sleeper, b: sleeper } })
  await rig.eco(['diff', '--out', 'plan.json'])
  await rig.apply({ apps: { a: { ...sleeper, env: { X: '1' } } } })
  const { stderr } = await expectRefused(rig, () => rig.eco(['apply', '--plan', 'plan.json', '--yes']))
  expect(stderr).toContain('stale')
  expect(stderr).toContain('eco diff')
})

test('a saved plan is stale after an apply that was taken back again: the serial has moved on', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { a: sleeper } })
  rig.write('ecosystem.yaml', { apps: { a: sleeper, b: sleeper } })
  await rig.eco(['diff', '--out', 'plan.json'])
  await rig.apply({ apps: { a: sleeper, c: sleeper } })
  await rig.apply({ apps: { a: sleeper } })
  await expectRefused(rig, () => rig.eco(['apply', '--plan', 'plan.json', '--yes']))
})

test('a saved plan is stale after the second time it was applied', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { a: sleeper } })
  rig.write('ecosystem.yaml', { apps: { a: { ...sleeper, env: { X: '1' } } } })
  await rig.eco(['diff', '--out', 'plan.json'])
  expect(await rig.eco(['apply', '--plan', 'plan.json', '--yes'])).toMatchObject({ code: 0 })
  await expectRefused(rig, () => rig.eco(['apply', '--plan', 'plan.json', '--yes']))
})

test('a file that is no plan is refused as such', async () => {
  await using rig = await createRig()
  rig.write('plan.json', '{}')
  const notOne = await rig.eco(['apply', '--plan', 'plan.json', '--yes'])
  expect(notOne).toMatchObject({ code: 4 })
  expect(notOne.stderr).toContain('plan.json is not a saved plan')
  expect(await rig.eco(['apply', '--plan', 'nowhere.json', '--yes'])).toMatchObject({ code: 4 })
})
