/** `eco logs` as people see it. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { execa } from 'execa'
import { ECO } from '../support/binary.ts'
import { eventually } from '../support/eventually.ts'
import { createRig, type Rig } from '../support/rig.ts'
import { findScript } from '../support/script.ts'

const hasScript = findScript()

const sh = (script: string): { command: string[] } => ({ command: ['sh', '-c', script] })
const logFile = (rig: Rig, name: string): string => join(rig.home, 'scopes/demo/default/logs', `${name}.log`)

/** Runs eco on a terminal of its own. @param typed once something is on the screen */
async function onTerminal(
  rig: Rig,
  args: string[],
  env: Record<string, string> = {},
  typed: { readonly after: string; readonly keys: string } | null = null,
): Promise<{ code: number; screen: string }> {
  const line = ['stty', 'cols', '120', 'rows', '40;', 'exec', process.execPath, ECO, ...args].join(' ')
  const terminal = execa('script', ['-qec', line, '/dev/null'], {
    cwd: rig.dir,
    extendEnv: false,
    env: { ...rig.env, TERM: 'xterm', LANG: 'C.UTF-8', SHELL: '/bin/sh', ...env },
    stdin: 'pipe',
    reject: false,
    timeout: 25_000,
  })
  let screen = ''
  let keys = typed?.keys ?? ''
  terminal.stdout.on('data', (chunk: Buffer) => {
    screen += chunk.toString()
    if (typed === null || !screen.includes(typed.after)) return
    terminal.stdin.write(keys)
    keys = ''
  })
  const { exitCode = -1 } = await terminal
  return { code: exitCode, screen: screen.replaceAll('\r\n', '\n') }
}

async function applied(rig: Rig): Promise<void> {
  await rig.apply({ apps: { api: sh('exec sleep 1000'), web: sh('exec sleep 1000') } })
  await eventually(async () => expect((await rig.ls()).every(({ ready }) => ready === 1)).toBe(true))
}

test.skipIf(!hasScript)('each app has its colour, markers are dim, and JSON is laid out for people', async () => {
  await using rig = await createRig()
  await applied(rig)
  writeFileSync(
    logFile(rig, 'api-0.out'),
    '{"level":40,"time":1769882645123,"pid":1,"hostname":"h","msg":"slow","ms":812}\n',
  )
  writeFileSync(logFile(rig, 'web-0.err'), 'plain \u001b[32mgreen\u001b[0m\n')
  const { screen, code } = await onTerminal(rig, ['logs', '--no-follow'])
  expect(code).toBe(0)
  const seen = screen.replaceAll('\u001b', '')
  expect(seen).toMatch(/\[36mapi#0 \|\[0m .*WARN.*slow.*ms=.*812/)
  expect(seen).not.toContain('hostname')
  expect(seen).toMatch(/\[33mweb#0 !\[0m plain \[32mgreen/)
  expect(seen).toMatch(/\[2m── [\d:]+ api#0 started, pid \d+\[0m/)
  const plain = await onTerminal(rig, ['logs', '--no-follow', '--no-markers', 'api'], { NO_COLOR: '1' })
  expect(plain.screen).toMatch(/^api#0 \| [\d:.]+ WARN +slow ms=812\n$/)
  const raw = await onTerminal(rig, ['logs', '--no-follow', '--raw', 'api'])
  expect(raw.screen).toBe('{"level":40,"time":1769882645123,"pid":1,"hostname":"h","msg":"slow","ms":812}\n')
})

test.skipIf(!hasScript)('nothing that an app writes drives the terminal, unless that is asked for', async () => {
  await using rig = await createRig()
  await applied(rig)
  const evil = 'a\u001b]0;title\u0007b\u001b[2Jc\u009b2Jd\u202ee'
  writeFileSync(logFile(rig, 'api-0.out'), `${evil}\n${'x'.repeat(2_000_000)}\n`)
  const { screen } = await onTerminal(rig, ['logs', 'api', '--no-follow', '--no-markers'], { NO_COLOR: '1' })
  // oxlint-disable-next-line no-control-regex
  expect(screen).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  expect(screen).toContain('(cut: the line has 2000000 bytes; --raw prints all of it)')
  expect(screen.length).toBeLessThan(100_000)
  const raw = await onTerminal(rig, ['logs', 'api', '--raw', '--no-follow'])
  expect(raw.screen).toContain('\u001b]0;title\u0007')
})

test.skipIf(!hasScript)('Ctrl-C ends it with 0 and leaves the terminal as it was', async () => {
  await using rig = await createRig()
  await applied(rig)
  writeFileSync(logFile(rig, 'api-0.out'), 'hello\n')
  const { screen, code } = await onTerminal(rig, ['logs', '--no-markers'], {}, { after: 'hello', keys: '\u0003' })
  expect(code).toBe(0)
  expect(screen).toMatch(/hello\n(\^C)?$/)
})

test.skipIf(!hasScript)('eco events says how to see what an app wrote about it', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { crash: { ...sh('echo why; exit 3'), restart: { policy: 'never' } } } })
  const { screen } = await onTerminal(rig, ['events'])
  const [, command = ''] = /hint: eco (logs crash --around \d+) shows/.exec(screen) ?? []
  const around = await onTerminal(rig, [...command.split(' '), '--no-follow'])
  expect(around.screen).toContain('why')
  expect(around.screen).toMatch(/▶── .*crash#0 failed: exited with code 3/)
})
