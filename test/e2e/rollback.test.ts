/** Back to an older revision: by a plan like any other, and as a new revision. */

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { call } from '../../src/daemon/client.ts'
import { kill, isRunning } from '../support/processes.ts'
import { eventually } from '../support/eventually.ts'
import { createRig, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

/** Says what it was given, so that a test can see which version runs. */
function talker(x: string): object {
  return { command: ['sh', '-c', 'echo "X is $X"; exec sleep 1000'], env: { X: x } }
}

/** All that a refusal must leave alone. */
async function everything(rig: Rig): Promise<unknown> {
  const apps = (await rig.ls()).map(({ app, revision, version, hold, instances }) => {
    return [app, revision, version, hold, instances.map(({ pid }) => pid)]
  })
  return [apps, (await rig.eco(['history', '--json'])).stdout]
}

async function newest(rig: Rig): Promise<any> {
  return (await rig.eco(['history', '--json'])).json().revisions[0]
}

test('goes back to the revision before the current one, touches what differs only, and makes a new revision', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: talker('good'), other: sleeper } })
  await rig.apply({ apps: { api: talker('bad'), other: sleeper } })
  const [other, api] = [await rig.pids('other'), await rig.pids('api')]
  const result = await rig.eco(['rollback', '--yes'])
  expect(result).toMatchObject({ code: 0 })
  expect(result.stdout).toContain('eco rollback 1 · demo/default')
  expect(result.stdout).toContain('env.X  "bad" -> "good"')
  expect(result.stdout).toContain('serial 3')
  expect(await rig.pids('other')).toEqual(other)
  for (const pid of api) expect(isRunning(pid)).toBe(false)
  expect(rig.output('api').trim().split('\n').at(-1)).toBe('X is good')
  expect(await newest(rig)).toMatchObject({ serial: 3, current: true, rollback_to: 1, changed: { updated: ['api'] } })
  expect((await rig.eco(['history'])).stdout).toMatch(/^3 \(current\).* rollback to 1; updated api$/m)
  expect((await rig.eco(['events'])).stdout).toContain('rollback to 1 done, serial 3')
  // The file is the truth for the next apply, as ever.
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 2 })
  // The one before it with other apps is the bad one now: twice is there and back again.
  expect(await rig.eco(['rollback', '--yes'])).toMatchObject({ code: 0 })
  expect(await newest(rig)).toMatchObject({ serial: 4, rollback_to: 2 })
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
  // The next daemon knows it.
  await rig.eco(['daemon', 'stop'])
  expect(await rig.app('api')).toMatchObject({ revision: 4, version: 4, ready: 1 })
})

test('to a revision of another file with other apps: creates, prunes, and the scope is that file again', async () => {
  await using rig = await createRig()
  await rig.apply({ project: 'demo', apps: { api: sleeper, old: sleeper } })
  const file = rig.write('next/ecosystem.yaml', { project: 'demo', apps: { api: sleeper, young: sleeper } })
  await rig.eco(['apply', file, '--yes', '--take-over'])
  const api = await rig.pids('api')
  expect(await rig.eco(['rollback', '1', '--yes'])).toMatchObject({ code: 0 })
  expect((await rig.ls()).map(({ app, ready }) => [app, ready])).toEqual([
    ['api', 1],
    ['old', 1],
  ])
  // What differs in both files is where they lie.
  expect(await rig.pids('api')).not.toEqual(api)
  expect(await newest(rig)).toMatchObject({ file: join(rig.dir, 'ecosystem.yaml'), rollback_to: 1 })
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
  expect(await rig.eco(['apply', file, '--yes'])).toMatchObject({ code: 5 })
})

test('--dry-run shows the plan and does nothing; without a terminal or --yes nothing is done either', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: talker('1') } })
  await rig.apply({ apps: { api: talker('2') } })
  await rig.apply({ apps: { api: talker('3') } })
  const before = await everything(rig)
  const dry = await rig.eco(['rollback', '1', '--dry-run'])
  expect(dry).toMatchObject({ code: 0, stderr: '' })
  expect(dry.stdout).toContain('"3" -> "1"')
  expect(dry.stdout).toContain('Apply exactly this: eco rollback 1\n')
  expect((await rig.eco(['rollback', '--dry-run', '--json'])).json()).toMatchObject({
    format_version: '1.0',
    rollback_to: 2,
    changes: [{ app: 'api', fields: [{ before: '3', after: '2' }] }],
  })
  const unasked = await rig.eco(['rollback'])
  expect(unasked).toMatchObject({ code: 5 })
  expect(unasked.stderr).toContain('--yes')
  expect(await everything(rig)).toEqual(before)
  const done = await rig.eco(['rollback', '1', '--yes', '--json'])
  expect(done.json()).toMatchObject({ format_version: '1.0', serial: 4, exit_code: 0, steps: [{ app: 'api' }] })
})

test('a plan that was shown and is another one by now is refused', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: talker('1') } })
  await rig.apply({ apps: { api: talker('2') } })
  const { home } = rig
  const params = { scope: { project: 'demo', environment: 'default' }, allowEmpty: false }
  const { plan, serial } = await call('rollbackPlan', { ...params, serial: null }, { home })
  await rig.apply({ apps: { api: talker('3') } })
  const before = await everything(rig)
  const late = call('rollback', { ...params, serial, plan: plan.id, by: 'ann', wait: true }, { home })
  await expect(late).rejects.toMatchObject({
    code: 'PLAN_STALE',
    hint: expect.stringContaining('eco rollback 1 --dry-run'),
  })
  expect(await everything(rig)).toEqual(before)
})

test('a revision that does not start any more is rolled back itself, and leaves no revision', async () => {
  await using rig = await createRig()
  const build = rig.write('build.sh', 'exec sleep 1000')
  await rig.apply({ apps: { api: { command: ['sh', build], env: { X: '1' } } } })
  await rig.apply({ apps: { api: talker('2') } })
  const before = await everything(rig)
  writeFileSync(build, 'echo gone >&2; exit 3')
  const result = await rig.eco(['rollback', '--yes'])
  expect(result).toMatchObject({ code: 6 })
  expect(result.stderr).toContain('exited with code 3')
  expect(await everything(rig)).toEqual(before)
})

test('holds end with it, and it says so', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: talker('1'), other: sleeper } })
  await rig.apply({ apps: { api: talker('2'), other: sleeper } })
  await rig.eco(['stop', 'other'])
  await rig.eco(['scale', 'api', '3'])
  const result = await rig.eco(['rollback', '--yes'])
  expect(result).toMatchObject({ code: 0 })
  expect(result.stdout).toMatch(/\* other +held .*-> ends with this plan/)
  expect((await rig.ls()).map(({ app, ready, hold }) => [app, ready, hold])).toEqual([
    ['api', 1, null],
    ['other', 1, null],
  ])
})

test('secrets come back as they were, without being in the environment; without their key nothing is done', async () => {
  await using rig = await createRig()
  const command = ['sh', '-c', 'echo "TOKEN is $TOKEN"; exec sleep 1000']
  rig.write('ecosystem.yaml', { apps: { api: { command, env: { TOKEN: { from_env: 'TOKEN' } } } } })
  await rig.eco(['apply', '--yes'], { env: { TOKEN: 'first' } })
  await rig.eco(['apply', '--yes'], { env: { TOKEN: 'second' } })
  const result = await rig.eco(['rollback', '--yes'])
  expect(result).toMatchObject({ code: 0 })
  expect(result.stdout + result.stderr).not.toMatch(/first|second/)
  expect(rig.output('api').trim().split('\n').at(-1)).toBe('TOKEN is first')

  await rig.eco(['daemon', 'stop'])
  renameSync(join(rig.home, 'secret.key'), join(rig.home, 'secret.key.away'))
  writeFileSync(join(rig.home, 'secret.key'), `${'0'.repeat(64)}\n`)
  const before = await everything(rig)
  const refused = await rig.eco(['rollback', '2', '--yes'])
  expect(refused).toMatchObject({ code: 5, stdout: '' })
  expect(refused.stderr).toContain('secret.key in ECO_HOME is not the key')
  expect(refused.stderr).toContain('Revision 2 has it as TOKEN of api. Nothing was changed.')
  expect(refused.stderr).toContain('hint: restore secret.key')
  expect(await everything(rig)).toEqual(before)
})

test('what cannot be gone back to is refused, with what would be right, and nothing is changed', async () => {
  await using rig = await createRig()
  expect((await rig.eco(['rollback', '--yes'])).stderr).toContain('Nothing was ever applied here.')
  await rig.apply({ apps: { api: sleeper } })
  const one = await rig.eco(['rollback', '--yes'])
  expect(one).toMatchObject({ code: 5, stdout: '' })
  expect(one.stderr).toContain('demo/default has only one revision, 1: there is nothing to go back to.')
  await rig.apply({ apps: { api: talker('2') } })
  await rig.eco(['delete', 'all', '--yes'])
  await rig.apply({ apps: { api: talker('2') } })
  const before = await everything(rig)
  const path = join(rig.home, 'scopes/demo/default/revisions/000002.json')
  const intact = readFileSync(path)
  writeFileSync(path, 'not json')
  const cases: readonly (readonly [args: string[], code: number, stderr: RegExp])[] = [
    [['rollback', '9', '--yes'], 5, /no revision 9: it has 1 to 4/],
    [['rollback', '2', '--yes'], 5, /Revision 2 of demo\/default is damaged: .*000002\.json/],
    [['rollback', 'two'], 4, /"two" is no serial[\s\S]*eco rollback SERIAL/],
    [['rollback', '--env', 'staging'], 5, /known: demo\/default/],
    [['rollback', '3', '--yes'], 5, /remove the only app of demo\/default\n {2}hint: --allow-empty/],
    [['rollback', '--yes'], 5, /remove the only app/],
  ]
  for (const [args, code, stderr] of cases) {
    const result = await rig.eco(args)
    expect.soft(result.stderr, args.join(' ')).toMatch(stderr)
    expect.soft(result.code, args.join(' ')).toBe(code)
  }
  writeFileSync(path, intact)
  expect(await everything(rig)).toEqual(before)
  expect(await rig.eco(['rollback', '--yes', '--allow-empty'])).toMatchObject({ code: 0 })
  expect(await rig.ls()).toEqual([])
})

test('a damaged revision is not passed over in silence on the way back', async () => {
  await using rig = await createRig()
  for (const x of ['1', '2', '3']) await rig.apply({ apps: { api: talker(x) } })
  writeFileSync(join(rig.home, 'scopes/demo/default/revisions/000002.json'), '')
  const result = await rig.eco(['rollback', '--yes'])
  expect(result).toMatchObject({ code: 5, stdout: '' })
  expect(result.stderr).toContain('Revision 2 of demo/default is damaged')
  expect(await rig.eco(['rollback', '1', '--yes'])).toMatchObject({ code: 0 })
  expect(await newest(rig)).toMatchObject({ serial: 4, rollback_to: 1, base: 3 })
})

test('a rollback to what is applied has nothing to do but to mend what does not run', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { ...sleeper, restart: { policy: 'never' } }, other: sleeper } })
  const nothing = await rig.eco(['rollback', '1', '--yes'])
  expect(nothing).toMatchObject({ code: 0, stdout: 'No changes. 2 apps, 2 instances match revision 1 (serial 1).\n' })
  const [pid = 0] = await rig.pids('api')
  kill(pid)
  await eventually(async () => expect(await rig.app('api')).toMatchObject({ ready: 0 }))
  expect(await rig.eco(['rollback', '1', '--yes'])).toMatchObject({ code: 0 })
  expect(await rig.app('api')).toMatchObject({ ready: 1, revision: 1 })
})

test('during a rollout it has to be said how far back; a rollback takes the rollout over', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: talker('1') } })
  await rig.apply({ apps: { api: talker('2') } })
  const hanging = { ...talker('3'), ready: { log: 'never', timeout: '60s' } }
  rig.write('ecosystem.yaml', { apps: { api: hanging } })
  expect(await rig.eco(['apply', '--yes', '--no-wait'])).toMatchObject({ code: 0 })
  await eventually(async () => expect(await rig.pids('api')).toHaveLength(2))
  const refused = await rig.eco(['rollback', '--yes'])
  expect(refused).toMatchObject({ code: 5, stdout: '' })
  expect(refused.stderr).toMatch(/A rollout is under way \(apply by .*revision 2; "eco rollback SERIAL" goes further/s)
  const result = await rig.eco(['rollback', '1', '--yes'])
  expect(result).toMatchObject({ code: 0 })
  expect(result.stderr).toContain('takes it over')
  expect(await newest(rig)).toMatchObject({ serial: 3, rollback_to: 1, base: 2 })
  expect(await rig.app('api')).toMatchObject({ ready: 1, wanted: 1 })
  expect(rig.output('api').trim().split('\n').at(-1)).toBe('X is 1')
})
