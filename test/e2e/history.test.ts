/** What was applied when, by whom, from which commit; and what an apply leaves behind of which nothing came true. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { createRig, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }
const BROKEN = { command: ['sh', '-c', 'exit 9'] }

function revisionFile(rig: Rig, serial: number, scope = 'demo/default'): string {
  return join(rig.home, 'scopes', scope, 'revisions', `${String(serial).padStart(6, '0')}.json`)
}

async function serials(rig: Rig, ...args: string[]): Promise<number[]> {
  const { revisions } = (await rig.eco(['history', '--json', ...args])).json()
  return revisions.map(({ serial }: { serial: number }) => serial)
}

test('the revisions are listed, newest first, with who, what and from where; no daemon is needed', async () => {
  await using rig = await createRig()
  const more = Object.fromEntries([1, 2, 3, 4].map((index) => [`w${index}`, sleeper]))
  await rig.apply({ apps: { api: sleeper, old: sleeper } })
  await rig.apply({ apps: { api: { ...sleeper, env: { X: '1' } }, ...more } })
  await rig.eco(['delete', 'w4', '--yes'])
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  await rig.eco(['daemon', 'stop'])
  const { code, stdout } = await rig.eco(['history'])
  expect(code).toBe(0)
  expect(stdout.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}\S+/g, 'WHEN WHO').split('\n')).toEqual([
    'demo/default',
    expect.stringMatching(/^serial +when +by +git +file +changes$/),
    expect.stringMatching(/^4 \(current\) {2}WHEN WHO +ecosystem\.yaml {2}created w4$/),
    expect.stringMatching(/^3 +WHEN WHO +ecosystem\.yaml {2}destroyed w4$/),
    expect.stringMatching(/^2 +WHEN WHO +ecosystem\.yaml {2}created 4 apps, updated api, destroyed old$/),
    expect.stringMatching(/^1 +WHEN WHO +ecosystem\.yaml {2}created api old$/),
    '',
  ])
  const json = (await rig.eco(['history', '--json'])).json()
  expect(json).toMatchObject({ format_version: '1.0', project: 'demo', environment: 'default' })
  expect(json.revisions[2]).toMatchObject({
    serial: 2,
    current: false,
    exit_code: 0,
    rollback_to: null,
    file: join(rig.dir, 'ecosystem.yaml'),
    git: null,
    base: 1,
    changed: { created: ['w1', 'w2', 'w3', 'w4'], updated: ['api'], destroyed: ['old'] },
  })
  expect(await rig.eco(['daemon', 'status'])).toMatchObject({ code: 5 })
})

test('the commit of the file is told, and whether the file differed from it', async () => {
  await using rig = await createRig()
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=ann', '-c', 'user.email=ann@localhost', ...args], {
      cwd: rig.dir,
      env: rig.env,
      encoding: 'utf8',
    })
  rig.write('ecosystem.yaml', { apps: { api: sleeper } })
  git('init', '--quiet')
  git('add', '.')
  git('commit', '--quiet', '--message', 'first')
  const sha = git('rev-parse', 'HEAD').trim()
  await rig.eco(['apply', '--yes'])
  await rig.apply({ apps: { api: { ...sleeper, env: { X: '1' } } } })
  const { stdout } = await rig.eco(['history'])
  expect(stdout).toMatch(new RegExp(`^2 .*  ${sha.slice(0, 7)} \\(dirty\\)  ecosystem`, 'm'))
  expect(stdout).toMatch(new RegExp(`^1 .*  ${sha.slice(0, 7)}  +ecosystem`, 'm'))
  expect((await rig.eco(['history', '1', '--json'])).json()).toMatchObject({ git: { sha, dirty: false } })
})

test('one revision is shown with its changes, as diff shows them, and secrets by their fingerprint only', async () => {
  await using rig = await createRig()
  const config = (x: string): object => ({
    apps: { api: { ...sleeper, env: { X: x, TOKEN: { from_env: 'TOKEN' } } }, old: sleeper },
  })
  rig.write('ecosystem.yaml', config('1'))
  await rig.eco(['apply', '--yes'], { env: { TOKEN: 'first-secret' } })
  rig.write('ecosystem.yaml', config('2'))
  const diff = await rig.eco(['diff'], { env: { TOKEN: 'second-secret' } })
  await rig.eco(['apply', '--yes'], { env: { TOKEN: 'second-secret' } })
  const shown = await rig.eco(['history', '2'])
  expect(shown).toMatchObject({ code: 0, stderr: '' })
  const [, changes = ''] = /Changes\n([\s\S]*?)\n\n/.exec(diff.stdout) ?? []
  expect(changes).toContain('env.TOKEN')
  expect(shown.stdout).toContain(`Changes since serial 1\n${changes}`)
  expect(shown.stdout).toMatch(/^demo\/default {2}serial 2 \(current\)\n {2}applied {2}\d{4}-.* by \S+\n {2}file {5}/)
  expect(shown.stdout).toMatch(/ plan {5}p-1-[\da-f]{8}\n/)
  const json = await rig.eco(['history', '2', '--json'])
  expect(json.json().changes[0].fields).toMatchObject([
    {
      path: 'env.TOKEN',
      sensitive: true,
      before: null,
      after: null,
      fingerprints: [expect.any(String), expect.any(String)],
    },
    { path: 'env.X', sensitive: false, before: '1', after: '2' },
  ])
  const first = await rig.eco(['history', '1'])
  expect(first.stdout).toContain('First revision\n+ api  create  v1')
  for (const { stdout } of [shown, json, first]) expect(stdout).not.toMatch(/first-secret|second-secret/)
})

test('an apply that was rolled back as a whole leaves no revision, and the events tell of it', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sleeper } })
  const before = await rig.pids('api')
  expect(await rig.apply({ apps: { api: { ...BROKEN, env: { X: '1' } } } })).toMatchObject({ code: 6 })
  expect(await serials(rig)).toEqual([1])
  expect(await rig.app('api')).toMatchObject({ revision: 1, ready: 1 })
  expect(await rig.pids('api')).toEqual(before)
  const { stdout } = await rig.eco(['events', '--json'])
  const ended =
    stdout
      .split('\n')
      .filter((line) => line.includes('"apply_ended"'))
      .at(-1) ?? '{}'
  expect(JSON.parse(ended)).toMatchObject({ data: { exit_code: 6, serial: 1 } })
  // What comes true of an apply makes one, with its exit code.
  expect(await rig.apply({ apps: { api: BROKEN, other: sleeper } })).toMatchObject({ code: 6 })
  expect(await serials(rig)).toEqual([2, 1])
  expect((await rig.eco(['history'])).stdout).toMatch(/^2 \(current\).* created other; exit code 6$/m)
})

test('a failed take-over leaves the scope to the file it came from', async () => {
  await using rig = await createRig()
  await rig.apply({ project: 'demo', apps: { api: sleeper } })
  const other = rig.write('copy/ecosystem.yaml', { project: 'demo', apps: { api: BROKEN } })
  expect(await rig.eco(['apply', other, '--yes', '--take-over'])).toMatchObject({ code: 6 })
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
  expect(await serials(rig)).toEqual([1])
  // One with nothing to do but to take over is a change of where the scope comes from.
  rig.write('copy/ecosystem.yaml', { project: 'demo', apps: { api: { ...sleeper, cwd: rig.dir } } })
  expect(await rig.eco(['apply', other, '--yes', '--take-over'])).toMatchObject({ code: 0 })
  expect((await rig.eco(['history'])).stdout).toMatch(/^2 \(current\).* copy\/ecosystem\.yaml {2}no app$/m)
})

test('a first apply that was cancelled leaves no revision', async () => {
  await using rig = await createRig()
  rig.write('ecosystem.yaml', {
    apps: { api: { command: ['sh', '-c', 'sleep 1000'], ready: { log: 'never', timeout: '60s' } } },
  })
  await rig.eco(['apply', '--yes', '--no-wait'])
  await eventually(async () => expect(await rig.pids('api')).toHaveLength(1))
  await rig.eco(['stop', 'api'])
  const { code, stderr } = await rig.eco(['history'])
  expect(code).toBe(5)
  expect(stderr).toContain('Nothing was ever applied here.')
})

test('a damaged revision costs itself only, and says so', async () => {
  await using rig = await createRig()
  for (const x of ['1', '2', '3']) await rig.apply({ apps: { api: { ...sleeper, env: { X: x } } } })
  const path = revisionFile(rig, 2)
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, 40))
  const list = await rig.eco(['history'])
  expect(list).toMatchObject({ code: 0 })
  expect(list.stdout).toMatch(/^3 \(current\).* updated api \(since 1\)$/m)
  expect(list.stdout).toMatch(/^2 +damaged: .*JSON/m)
  expect(list.stdout).toMatch(/^1 .* created api$/m)
  expect((await rig.eco(['history', '--json'])).json().revisions[1]).toMatchObject({
    serial: 2,
    damaged: expect.stringContaining('JSON'),
  })
  const damaged = await rig.eco(['history', '2'])
  expect(damaged).toMatchObject({ code: 5, stdout: '' })
  expect(damaged.stderr).toContain(path)
  const after = await rig.eco(['history', '3'])
  expect(after).toMatchObject({ code: 0 })
  expect(after.stderr).toMatch(/^Revision 2 is damaged \(.*\); 3 is compared with 1\.$/m)
  expect(after.stdout).toContain('Changes since serial 1')
  expect(after.stdout).toContain('"1" -> "3"')
  // Nothing else minds.
  expect(await rig.apply({ apps: { api: { ...sleeper, env: { X: '4' } } } })).toMatchObject({ code: 0 })
  // The oldest one there is, when the one before it is gone.
  renameSync(revisionFile(rig, 1), `${revisionFile(rig, 1)}.gone`)
  expect((await rig.eco(['history'])).stdout).toMatch(/^3 .* oldest that is kept$/m)
  expect((await rig.eco(['history', '3'])).stdout).toContain('is not kept any more')
})

test('which scope is meant: the only one, the one of the file here, or the one that is named', async () => {
  await using rig = await createRig()
  const config = { apps: { api: sleeper }, environments: { production: {}, staging: {} } }
  await rig.apply(config, '--env', 'production')
  expect((await rig.eco(['history'])).stdout).toContain('demo/production')
  await rig.apply(config, '--env', 'staging')
  const ambiguous = await rig.eco(['history'])
  expect(ambiguous).toMatchObject({ code: 5, stdout: '' })
  expect(ambiguous.stderr).toContain('demo/production and demo/staging have revisions.')
  expect(ambiguous.stderr).toContain('eco history --env production\n')
  expect(ambiguous.stderr).toContain('eco history --env staging\n')
  expect((await rig.eco(['history', '1', '--env', 'staging'])).stdout).toContain('demo/staging  serial 1')
  // Another project, in a folder of its own.
  const folder = join(rig.dir, 'other')
  mkdirSync(folder)
  writeFileSync(join(folder, 'ecosystem.yaml'), JSON.stringify({ project: 'other', apps: { web: sleeper } }))
  expect(await rig.eco(['apply', '--yes'], { cwd: folder })).toMatchObject({ code: 0 })
  expect((await rig.eco(['history'], { cwd: folder })).stdout).toContain('other/default')
  const elsewhere = await rig.eco(['rollback'], { cwd: rig.home })
  expect(elsewhere).toMatchObject({ code: 5, stdout: '' })
  expect(elsewhere.stderr).toContain('eco rollback --project other --env default\n')
  expect((await rig.eco(['history', '--project', 'other'])).stdout).toContain('other/default')
})

test('mistakes are told with what would have been right', async () => {
  await using rig = await createRig()
  const nothing = await rig.eco(['history'])
  expect(nothing).toMatchObject({ code: 5, stdout: '' })
  expect(nothing.stderr).toContain('hint: eco apply')
  await rig.apply({ apps: { api: sleeper } })
  await rig.apply({ apps: { api: { ...sleeper, env: { X: '1' } } } })
  const cases: readonly (readonly [args: string[], code: number, stderr: RegExp])[] = [
    [['history', '7'], 5, /demo\/default has no revision 7: it has 1 to 2\.\n {2}hint: eco history/],
    [['history', '0'], 4, /"0" is no serial/],
    [['history', 'last'], 4, /"last" is no serial[\s\S]*eco history/],
    [['history', '1', '2'], 4, /too many arguments/],
    [['history', '--env', 'prodution'], 5, /as \*\/prodution\.\n {2}hint: known: demo\/default/],
    [['history', '--jsno'], 4, /--json/],
  ]
  for (const [args, code, stderr] of cases) {
    const result = await rig.eco(args)
    expect.soft(result.stderr, args.join(' ')).toMatch(stderr)
    expect.soft(result, args.join(' ')).toMatchObject({ code, stdout: '' })
  }
  expect((await rig.eco(['history', '7', '--json'])).json()).toMatchObject({
    error: { code: 'UNKNOWN_TARGET' },
    exit_code: 5,
  })
})
