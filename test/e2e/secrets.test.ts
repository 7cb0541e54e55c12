/** A secret's value is in the app, and nowhere else: not in any output, plan, event, state or log of eco. */

import { expect, test } from 'vitest'
import { filesWith } from '../support/files.ts'
import { environmentOf } from '../support/processes.ts'
import { createRig, fixture, type EcoResult, type Rig } from '../support/rig.ts'

const SOURCES = {
  FROM_ENV: 'hunter2-from-env',
  FROM_FILE: 'hunter2-from-file',
  FROM_COMMAND: 'hunter2-from-command',
  MARKED: 'hunter2-marked',
  IN_ENV_FILE: 'hunter2-in-env-file',
}

function writeProject(rig: Rig, values: typeof SOURCES, more: object = {}): void {
  rig.write('key.txt', `${values.FROM_FILE}\n`)
  rig.write('command-output.txt', values.FROM_COMMAND)
  rig.write('secret.env', `IN_ENV_FILE=${values.IN_ENV_FILE}\n`)
  rig.write('ecosystem.yaml', {
    apps: {
      app: {
        command: ['sleep', '1000'],
        env_file: [{ path: 'secret.env', secret: true }],
        env: {
          PLAIN: 'visible',
          FROM_ENV: { from_env: 'SHELL_SECRET' },
          FROM_FILE: { from_file: 'key.txt' },
          FROM_COMMAND: { from_command: ['cat', 'command-output.txt'] },
          MARKED: { value: values.MARKED, secret: true },
        },
      },
      ...more,
    },
  })
}

const COMMANDS: readonly (readonly string[])[] = [
  ['validate'],
  ['validate', '--json'],
  ['config'],
  ['config', '--json'],
  ['diff', '--out', 'plan.json'],
  ['diff', '--json', '--all'],
  ['diff', '--format', 'markdown'],
  ['apply', '--yes', '--json'],
  ['apply', '--yes'],
  ['ls'],
  ['ls', '--json'],
  ['describe', 'app'],
  ['describe', 'app', '--json'],
  ['logs', 'app', '--no-follow'],
  ['daemon', 'logs'],
  ['reload', 'app'],
  ['restart', 'app', '--json'],
  ['diff', '--all'],
]

test('no command prints a secret, and no file of eco holds one', async () => {
  await using rig = await createRig()
  writeProject(rig, SOURCES)
  const env = { SHELL_SECRET: SOURCES.FROM_ENV }
  for (const args of COMMANDS) expectNoSecret(args, await rig.eco(args, { env }))
  const [pid = 0] = await rig.pids('app')
  expect(environmentOf(pid)).toMatchObject({ ...SOURCES, PLAIN: 'visible' })
  // The plan lies in the project beside the files that hold the secrets themselves.
  expect(
    filesWith(rig.dir, 'hunter2')
      .map((path) => path.slice(rig.dir.length + 1))
      .toSorted(),
  ).toEqual(['command-output.txt', 'ecosystem.yaml', 'key.txt', 'secret.env'])
  expect(filesWith(rig.home, 'hunter2')).toEqual([])
})

for (const name of Object.keys(SOURCES) as (keyof typeof SOURCES)[]) {
  test(`a changed secret (${name}) rolls the app, and is shown as a changed fingerprint`, async () => {
    await using rig = await createRig()
    writeProject(rig, SOURCES)
    await rig.eco(['apply', '--yes'], { env: { SHELL_SECRET: SOURCES.FROM_ENV } })
    const [before = 0] = await rig.pids('app')
    const changed = { ...SOURCES, [name]: `${SOURCES[name]}-changed` }
    writeProject(rig, changed)
    const env = { SHELL_SECRET: changed.FROM_ENV }
    const diff = await rig.eco(['diff', '--exit-code'], { env })
    expect(diff).toMatchObject({ code: 2 })
    expect(diff.stdout).toContain(`env.${name}`)
    expect(diff.stdout).toMatch(/\(secret/)
    const json = (await rig.eco(['diff', '--json'], { env })).json()
    const field = json.changes[0].fields.find(({ path }: { path: string }) => path === `env.${name}`)
    expect(JSON.stringify(field)).toMatch(/fingerprint/)
    const result = await rig.eco(['apply', '--yes'], { env })
    expect(result).toMatchObject({ code: 0 })
    for (const output of [diff, result]) expectNoSecret(['diff'], output)
    const [after = 0] = await rig.pids('app')
    expect(after).not.toBe(before)
    expect(environmentOf(after)).toMatchObject(changed)
    expect(filesWith(rig.home, 'hunter2')).toEqual([])
  })
}

test('the same secrets again change nothing', async () => {
  await using rig = await createRig()
  writeProject(rig, SOURCES)
  const env = { SHELL_SECRET: SOURCES.FROM_ENV }
  await rig.eco(['apply', '--yes'], { env })
  const before = await rig.pids('app')
  expect(await rig.eco(['diff', '--exit-code'], { env })).toMatchObject({ code: 0 })
  await rig.eco(['apply', '--yes'], { env })
  expect(await rig.pids('app')).toEqual(before)
})

test('what an app prints of its secrets stays in its own log file', async () => {
  await using rig = await createRig()
  const loud = {
    script: fixture('prints-env.mjs'),
    env: { OWN: { value: SOURCES.MARKED, secret: true } },
    ready: { log: 'OWN' },
  }
  const quiet = { command: ['sleep', '1000'] }
  expect(await rig.apply({ apps: { loud, quiet } })).toMatchObject({ code: 0 })
  expect(filesWith(rig.home, SOURCES.MARKED).map((path) => path.slice(rig.home.length))).toEqual([
    '/scopes/demo/default/logs/loud-0.out.log',
  ])
})

test('a saved plan with secrets can be applied by somebody who does not know them', async () => {
  await using rig = await createRig()
  writeProject(rig, SOURCES)
  await rig.eco(['diff', '--out', 'plan.json'], { env: { SHELL_SECRET: SOURCES.FROM_ENV } })
  expect(await rig.eco(['apply', '--plan', 'plan.json', '--yes'])).toMatchObject({ code: 0 })
  const [pid = 0] = await rig.pids('app')
  expect(environmentOf(pid)).toMatchObject(SOURCES)
})

test('a missing secret is an error of the file, and its command does not tell what it printed', async () => {
  await using rig = await createRig()
  writeProject(rig, SOURCES)
  const missing = await rig.eco(['apply', '--yes'])
  expect(missing).toMatchObject({ code: 4 })
  expect(missing.stderr).toMatch(/ecosystem\.yaml:\d+:\d+ .*SHELL_SECRET/)
  rig.write('ecosystem.yaml', {
    apps: {
      app: { command: ['sleep', '1'], env: { A: { from_command: ['sh', '-c', 'echo hunter2-partial; exit 3'] } } },
    },
  })
  const failed = await rig.eco(['apply', '--yes'])
  expect(failed).toMatchObject({ code: 4 })
  expectNoSecret(['apply'], failed)
  expect(await rig.ls()).toEqual([])
})

function expectNoSecret(args: readonly string[], { code, stdout, stderr }: EcoResult): void {
  expect(`${stdout}${stderr}`, `eco ${args.join(' ')} (${code})`).not.toContain('hunter2')
}
