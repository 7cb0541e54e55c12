/** What people see on a terminal, and what scripts get from a pipe. */

import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { execa } from 'execa'
import { ECO } from '../support/binary.ts'
import { freePort } from '../support/ports.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'
import { findScript } from '../support/script.ts'

const sleeper = { command: ['sleep', '1000'] }

const hasScript = findScript()

/** Runs eco on a terminal of its own, with what the user answers to its question. */
async function onTerminal(
  rig: Rig,
  args: string[],
  typed = '',
  columns = 80,
): Promise<{ code: number; screen: string }> {
  const line = ['stty', 'cols', String(columns), 'rows', '40;', 'exec', process.execPath, ECO, ...args].join(' ')
  const terminal = execa('script', ['-qec', line, '/dev/null'], {
    cwd: rig.dir,
    extendEnv: false,
    env: { ...rig.env, TERM: 'xterm', LANG: 'C.UTF-8', SHELL: '/bin/sh' },
    stdin: 'pipe',
    reject: false,
    timeout: 25_000,
  })
  // Typed once the question is there: what comes earlier is lost when the terminal changes its mode.
  let screen = ''
  let answer: string | null = typed
  terminal.stdout.on('data', (chunk: Buffer) => {
    screen += chunk.toString()
    if (answer === null || !screen.includes('[y/N]')) return
    terminal.stdin.write(answer)
    answer = null
  })
  const { exitCode, stdout } = await terminal
  return { code: exitCode ?? -1, screen: stdout.replaceAll('\r', '') }
}

test('a pipe gets plain rows: one instance a line, every column, no colours', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = { script: fixture('http-server.mjs'), listen: `127.0.0.1:${port}`, instances: 2 }
  await rig.apply({ apps: { api, job: { kind: 'job', command: ['true'] }, off: { ...sleeper, instances: 0 } } })
  const [first = 0, second = 0] = await rig.pids('api')
  const { stdout } = await rig.eco(['ls'])
  const known = stdout.replaceAll(/ \d+s (\d+) \S+ \S+ /g, ' UPTIME $1 CPU MEMORY ')
  expect(known.split('\n')).toEqual([
    `demo/default/api#0 2/2 running ${first} UPTIME 0 CPU MEMORY 127.0.0.1:${port} 1`,
    `demo/default/api#1 2/2 running ${second} UPTIME 0 CPU MEMORY 127.0.0.1:${port} 1`,
    'demo/default/job#0 - completed - - 0 - - - 1',
    'demo/default/off 0/0 stopped - - - - - - 1',
    '',
  ])
})

test.skipIf(!hasScript)('a terminal gets a table that fits it', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { ...sleeper, instances: 2 }, worker: sleeper } })
  for (const columns of [120, 80, 40]) {
    const { code, screen } = await onTerminal(rig, ['ls'], '', columns)
    const lines = stripVTControlCharacters(screen).split('\n')
    expect(code).toBe(0)
    expect(lines[0]).toBe('demo/default')
    expect(lines[1]).toMatch(/^app +ready +state/)
    expect(lines.filter((line) => / (├|└) #\d/.test(line))).toHaveLength(2)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns)
    expect(screen).toContain('\u001b[')
  }
})

test.skipIf(!hasScript)('on a terminal apply asks, and anything but yes changes nothing', async () => {
  await using rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: sleeper } })
  for (const typed of ['n\n', '\n', 'maybe\n', '\u0004']) {
    const { code, screen } = await onTerminal(rig, ['apply'], typed)
    expect(screen).toContain('Apply this plan? [y/N]')
    expect(code).toBe(5)
  }
  expect(await rig.ls()).toEqual([])
})

test.skipIf(!hasScript)('on a terminal apply goes ahead after y, and shows the steps', async () => {
  await using rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: sleeper } })
  const { code, screen } = await onTerminal(rig, ['apply'], 'y\n')
  expect(code).toBe(0)
  expect(screen).toContain('start api')
  expect(screen).toContain('Done. 1 of 1 steps done on demo/default, serial 1.')
  expect(await rig.app('api')).toMatchObject({ state: 'running' })
})

test.skipIf(!hasScript)('on a terminal rollback asks, and ls says how long something is held', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sleeper } })
  await rig.apply({ apps: { api: { ...sleeper, env: { X: '1' } } } })
  const no = await onTerminal(rig, ['rollback'], 'n\n')
  expect(no.screen).toContain('Go back to revision 1? [y/N]')
  expect(no.code).toBe(5)
  expect(await rig.app('api')).toMatchObject({ revision: 2 })
  const yes = await onTerminal(rig, ['rollback'], 'y\n')
  expect(yes.code).toBe(0)
  expect(yes.screen).toContain('Done. 1 of 1 steps done on demo/default, serial 3.')
  await rig.eco(['stop', 'api', '--for', '2h'])
  const { screen } = await onTerminal(rig, ['ls'], '', 160)
  expect(stripVTControlCharacters(screen)).toMatch(
    /api: stopped by \S+ until \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ; the next apply ends this before \(eco start api\)/,
  )
})

test('NO_COLOR and FORCE_COLOR are honoured', async () => {
  await using rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: sleeper } })
  expect((await rig.eco(['diff'], { env: { FORCE_COLOR: '1' } })).stdout).toContain('\u001b[')
  expect((await rig.eco(['diff'], { env: { FORCE_COLOR: '1', NO_COLOR: '1' } })).stdout).not.toContain('\u001b[')
})

test('a reader that stops reading is no error', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { ...sleeper, instances: 3 } } })
  const result = await execa('sh', ['-c', `"${process.execPath}" "${ECO}" ls | head -n 1`], {
    extendEnv: false,
    env: rig.env,
  })
  expect(result.stdout).toContain('api#0')
  expect(result.stderr).toBe('')
})
