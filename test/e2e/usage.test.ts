/** Mistakes on the command line: the exit code, and on stderr what was probably meant. */

import { expect, test } from 'vitest'
import { createRig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

const mistakes: readonly (readonly [args: string[], code: number, stderr: RegExp])[] = [
  [['aply'], 4, /no command "aply"[\s\S]*did you mean "eco apply"/],
  [['frobnicate'], 4, /eco --help/],
  [['apply', '--evn', 'production'], 4, /unknown option '--evn'[\s\S]*--env/],
  [['ls', '--jsno'], 4, /unknown option '--jsno'[\s\S]*--json/],
  [['diff', '--format', 'xml'], 4, /text, json, markdown/],
  [['scale', 'api', 'many'], 4, /whole number/],
  [['scale', 'api'], 4, /missing required argument 'instances'/],
  [['stop'], 4, /missing required argument/],
  [['daemon', 'strat'], 4, /daemon start|strat/],
  [['explain', 'intsances'], 4, /instances/],
  [['stop', 'appi'], 5, /No app matches "appi"[\s\S]*did you mean "api"/],
  [['ls', 'nothing*'], 5, /No app matches "nothing\*"/],
  [['restart', 'api#7'], 5, /no instance api#7[\s\S]*api#0/],
  [['stop', '/(/'], 4, /not a valid regular expression/],
  [['ls', '--env', 'prodution'], 5, /demo\/default/],
  [['stop', 'api', '--project', 'dmeo'], 5, /demo\/default/],
  [['apply', '--yes', '--only', 'apii'], 5, /did you mean "api"/],
  [['diff', '--env', 'prodution'], 4, /production/],
  [['validate', 'nowhere.yaml'], 4, /nowhere\.yaml/],
  [['apply', 'nowhere.yaml', '--yes'], 4, /nowhere\.yaml/],
]

test('every mistake has its exit code and a hint, and changes nothing', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sleeper }, environments: { production: {} } })
  const before = await rig.pids('api')
  for (const [args, code, stderr] of mistakes) {
    const result = await rig.eco(args)
    expect.soft(result.stderr, `eco ${args.join(' ')}`).toMatch(stderr)
    expect.soft(result.code, `eco ${args.join(' ')}`).toBe(code)
    expect.soft(result.stdout, `eco ${args.join(' ')}`).toBe('')
    expect.soft(result.stderr, `eco ${args.join(' ')}`).not.toMatch(/ {4}at .*\(/)
  }
  expect(await rig.pids('api')).toEqual(before)
})

test('an error is JSON too when JSON was asked for', async () => {
  await using rig = await createRig()
  const result = await rig.eco(['stop', 'api', '--json'])
  expect(result.code).toBe(5)
  expect(result.json()).toMatchObject({
    error: { code: 'UNKNOWN_TARGET', message: 'No app matches "api".' },
    exit_code: 5,
  })
})

test('help and version are answers: exit 0, on stdout, with no daemon started', async () => {
  await using rig = await createRig()
  for (const args of [['--help'], ['help'], ['apply', '--help'], ['help', 'daemon'], []]) {
    const { code, stdout } = await rig.eco(args)
    expect(code, args.join(' ')).toBe(0)
    expect(stdout, args.join(' ')).toContain('Usage: eco')
  }
  expect((await rig.eco(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  expect(await rig.eco(['daemon', 'status'])).toMatchObject({ code: 5 })
})

test('a folder without an ecosystem file says which names were looked for', async () => {
  await using rig = await createRig()
  const result = await rig.eco(['apply', '--yes'])
  expect(result.code).toBe(4)
  expect(result.stderr).toContain('ecosystem.yaml')
  expect(result.stderr).toContain('eco init')
})

test('the file is found from a folder below it', async () => {
  await using rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: sleeper } })
  rig.write('deep/down/here.txt', '')
  expect(await rig.eco(['apply', '--yes'], { cwd: `${rig.dir}/deep/down` })).toMatchObject({ code: 0 })
  expect(await rig.app('api')).toMatchObject({ project: 'demo', state: 'running' })
})

test('init writes a file that validates, and does not replace one', async () => {
  await using rig = await createRig()
  expect(await rig.eco(['init'])).toMatchObject({ code: 0 })
  expect(await rig.eco(['validate'])).toMatchObject({ code: 0, stderr: '' })
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  const again = await rig.eco(['init'])
  expect(again).toMatchObject({ code: 4 })
  expect(again.stderr).toContain('--force')
})
