/** `eco logs` of what has been written: each option, on real apps. */

import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { ECO } from '../support/binary.ts'
import { eventually } from '../support/eventually.ts'
import { kill, processesWith } from '../support/processes.ts'
import { createRig, type Rig } from '../support/rig.ts'

const sh = (script: string): { command: string[] } => ({ command: ['sh', '-c', script] })
const logFile = (rig: Rig, name: string): string => join(rig.home, 'scopes/demo/default/logs', `${name}.log`)

async function logs(rig: Rig, ...args: string[]): Promise<string[]> {
  const result = await rig.eco(['logs', '--no-follow', ...args])
  expect(result.code, result.stderr).toBe(0)
  return result.stdout.split('\n').slice(0, -1)
}

async function objects(rig: Rig, ...args: string[]): Promise<Record<string, unknown>[]> {
  return (await logs(rig, '--json', ...args)).map((line) => JSON.parse(line) as Record<string, unknown>)
}

const onlyLines = (lines: readonly string[]): string[] => lines.filter((line) => !line.startsWith('── '))

test('shows the last lines of each instance, with what happened in between', async () => {
  await using rig = await createRig()
  const script = 'for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done; sleep 0.4; exit 3'
  await rig.apply({
    apps: { crash: { ...sh(script), restart: { max: 1, backoff: { initial: '50ms', jitter: '0%' } } } },
  })
  await eventually(async () => expect((await rig.app('crash')).state).toBe('failed'))
  const all = await logs(rig, 'crash')
  const marks = all.filter((line) => line.startsWith('── ')).map((line) => line.replace(/^── [\d:]+ /, ''))
  expect(marks).toEqual([
    expect.stringMatching(/^crash#0 started, pid \d+$/),
    expect.stringMatching(/^crash#0 ready after/),
    'crash#0 exited with code 3; restarting (restart 1 of 1)',
    expect.stringMatching(/^crash#0 started, pid \d+$/),
    expect.stringMatching(/^crash#0 ready after/),
    expect.stringContaining('crash#0 failed: exited with code 3'),
  ])
  // Each run stands between its start and its end.
  const kinds = all.map(
    (line) =>
      /started|restarting|failed/.exec(line)?.[0] ??
      (line.includes('#0 ! ') ? 'err' : /#0 \| /.test(line) ? 'out' : ''),
  )
  const run = kinds.slice(kinds.indexOf('started') + 1, kinds.indexOf('restarting'))
  expect(run.filter((kind) => kind === 'out')).toHaveLength(5)
  expect(run.filter((kind) => kind === 'err')).toHaveLength(5)
  // So many of both streams together.
  expect(onlyLines(await logs(rig, 'crash', '-n', '3'))).toHaveLength(3)
  expect(onlyLines(await logs(rig, 'crash', '-n', '3', '--out'))).toEqual([
    'crash#0 | out 3',
    'crash#0 | out 4',
    'crash#0 | out 5',
  ])
  expect(onlyLines(await logs(rig, 'crash', '-n', 'all'))).toHaveLength(20)
  expect(await logs(rig, 'crash', '-n', '1', '--no-markers', '--err')).toEqual(['crash#0 ! err 5'])
  expect(await logs(rig, 'crash', '-n', '2', '--err', '--raw')).toEqual(['err 4', 'err 5'])
})

test('puts lines of all instances and files in the order of the times that they carry', async () => {
  await using rig = await createRig()
  const stamp = 'date -u +%Y-%m-%dT%H:%M:%S.%3NZ'
  const script = `for i in 1 2 3 4 5 6; do echo "$(${stamp}) $ECO_INSTANCE"; sleep 0.1; echo "$(${stamp}) $ECO_INSTANCE" >&2; done; exec sleep 1000`
  await rig.apply({ apps: { api: { ...sh(script), instances: 2 }, web: sh(script) } })
  const lines = await eventually(async () => {
    const found = onlyLines(await logs(rig))
    expect(found).toHaveLength(36)
    return found
  })
  const times = lines.map((line) => line.split(/ [|!] /)[1]?.split(' ')[0] ?? '')
  expect(times).toEqual([...times].sort())
  expect(new Set(lines.map((line) => line.split(' ')[0]))).toEqual(new Set(['api#0', 'api#1', 'web#0']))
})

test('the objects of --json have the fields that are documented', async () => {
  await using rig = await createRig()
  await rig.apply({
    apps: { api: sh('echo \'{"level":50,"msg":"no"}\'; printf "\\377 bytes\\n" >&2; exec sleep 1000') },
  })
  const found = await eventually(async () => {
    const all = await objects(rig)
    expect(all.filter(({ type }) => type === 'line')).toHaveLength(2)
    return all
  })
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string
  const common = { time, scope: 'demo/default', app: 'api', instance: 'api#0' }
  expect(found).toContainEqual({
    ...common,
    type: 'line',
    stream: 'out',
    level: 'error',
    line: '{"level":50,"msg":"no"}',
  })
  expect(found).toContainEqual({ ...common, type: 'line', stream: 'err', level: null, line: '\uFFFD bytes' })
  const started = found.find(({ event }) => event === 'started')
  expect(started).toEqual({
    ...common,
    type: 'marker',
    event: 'started',
    message: expect.stringContaining('started, pid'),
    seq: expect.any(Number),
  })
  expect(found.every(({ time: at }, i) => i === 0 || String(at) >= String(found[i - 1]?.['time']))).toBe(true)
})

test('greps and takes levels, and stack traces with their line', async () => {
  await using rig = await createRig()
  const text = `2026-01-31T18:00:00Z INFO listening
2026-01-31T18:00:01Z WARN slow (1)
2026-01-31T18:00:02Z ERROR broken
    at one.js:1
    at two.js:2
2026-01-31T18:00:03Z INFO going on
`
  rig.write('text', text)
  await rig.apply({ apps: { api: sh('cat text; exec sleep 1000') } })
  await eventually(async () => expect(onlyLines(await logs(rig))).toHaveLength(6))
  const rest = async (...args: string[]): Promise<string[]> =>
    onlyLines(await logs(rig, ...args)).map((line) => line.replace(/^api#0 \| (2026\S+ )?/, ''))
  expect(await rest('--level', 'warn')).toEqual(['WARN slow (1)', 'ERROR broken', '    at one.js:1', '    at two.js:2'])
  expect(await rest('--level', 'error', '-n', '2')).toEqual(['    at one.js:1', '    at two.js:2'])
  expect(await rest('--grep', 'INFO|WARN')).toEqual(['INFO listening', 'WARN slow (1)', 'INFO going on'])
  expect(await rest('--grep', '/info/i', '-n', '1')).toEqual(['INFO going on'])
  expect(await rest('--grep', 'one|two', '--invert')).toHaveLength(4)
  expect(await rest('--grep', 'slow \\(1\\)')).toEqual(['WARN slow (1)'])
  expect(await rest('--grep', 'nothing like it')).toEqual([])
})

test('--since and --until take what was written between', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sh('i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done') } })
  await eventually(() => rig.output('api').includes('\n22\n'), 20_000)
  const all = (await objects(rig, '-n', 'all')).filter(({ type }) => type === 'line')
  const [from, to] = [String(all[5]?.['time']), String(all[14]?.['time'])]
  const between = (await objects(rig, '--since', from, '--until', to)).filter(({ type }) => type === 'line')
  // Lines of one second may have one time.
  const expected = all.filter(({ time }) => String(time) >= from && String(time) <= to)
  expect(between.map(({ line }) => line)).toEqual(expected.map(({ line }) => line))
  expect(expected.length).toBeGreaterThan(5)
  expect(onlyLines(await logs(rig, '--since', '1h', '-n', '2'))).toHaveLength(2)
  expect(await logs(rig, '--until', '1h')).toEqual([])
})

test('without an index the times in the lines serve, and where there are none it says so', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sh('exec sleep 1000'), mute: sh('exec sleep 1000') } })
  await rig.eco(['daemon', 'stop'])
  rmSync(join(rig.home, 'log-index'), { recursive: true })
  const now = Date.now()
  const lines = Array.from({ length: 40 }, (_, i) => `${new Date(now - (40 - i) * 60_000).toISOString()} line ${i}\n`)
  appendFileSync(logFile(rig, 'api-0.out'), lines.join(''))
  appendFileSync(logFile(rig, 'mute-0.out'), 'no time\n'.repeat(30))
  const api = await rig.eco(['logs', 'api', '--no-follow', '--since', '10m'])
  expect(onlyLines(api.stdout.split('\n').slice(0, -1)).map((line) => line.split(' ').at(-1))).toEqual(
    expect.arrayContaining(['31', '39']),
  )
  expect(api.stdout).not.toContain('line 29\n')
  const mute = await rig.eco(['logs', 'mute', '--no-follow', '--since', '10m'])
  expect(mute.stderr).toContain('mute#0: nothing tells when its lines were written')
  expect(onlyLines(mute.stdout.split('\n').slice(0, -1)).length).toBeGreaterThan(19)
})

test('--previous shows the run before the last start', async () => {
  await using rig = await createRig()
  const script = 'echo "run $(cat n 2>/dev/null)"; echo x >> n; exec sleep 1000'
  await rig.apply({ apps: { api: sh(script), once: sh('echo once; exec sleep 1000') } })
  await rig.eco(['restart', 'api'])
  await rig.eco(['restart', 'api'])
  await eventually(() => rig.output('api').includes('run x x\n') || rig.output('api').split('run').length === 4)
  const result = await rig.eco(['logs', '--previous'])
  expect(result.code).toBe(0)
  expect(onlyLines(result.stdout.split('\n').slice(0, -1))).toEqual(['api#0  | run x'])
  expect(result.stdout).toMatch(/^── \S+ api#0 stopped$/m)
  expect(result.stdout.match(/api#0 started/g)).toHaveLength(1)
  expect(result.stderr).toContain('No run before the last start is known of once#0.')
  // Without the index the events tell.
  await rig.eco(['daemon', 'stop'])
  rmSync(join(rig.home, 'log-index'), { recursive: true })
  const again = await rig.eco(['logs', '--previous', 'api'])
  expect(again.code).toBe(0)
})

test('--around shows what was written about the time of an event', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sh('while :; do echo tick; sleep 0.1; done') } })
  await eventually(() => rig.output('api').split('\n').length > 5)
  await rig.eco(['restart', 'api'])
  await eventually(() => rig.output('api').split('\n').length > 25)
  const events = (await rig.eco(['events', '--json'])).stdout.split('\n').filter(Boolean)
  const stopped = events.map((line) => JSON.parse(line)).find(({ event }) => event === 'stopped')
  const lines = await logs(rig, '--around', String(stopped.seq), '--window', '1s')
  expect(lines.filter((line) => line.startsWith('▶── '))).toEqual([
    expect.stringMatching(new RegExp(`^▶── \\S+ api#0 stopped ◀ event ${stopped.seq}$`)),
  ])
  const meant = lines.findIndex((line) => line.startsWith('▶'))
  expect(lines.slice(0, meant).some((line) => line.endsWith('| tick'))).toBe(true)
  expect(lines.slice(meant).some((line) => line.endsWith('| tick'))).toBe(true)
  expect((await logs(rig, '--around', stopped.at, '--window', '1s')).length).toBeGreaterThan(4)
  const text = (await rig.eco(['events'])).stdout
  expect(text).toMatch(new RegExp(`#${stopped.seq} .*api#0 +.*stopped`))
  const unknown = await rig.eco(['logs', '--around', '99999'])
  expect(unknown).toMatchObject({ code: 5, stdout: '' })
  expect(unknown.stderr).toContain('No event has the number 99999')
  await rig.eco(['apply', '--yes', '--env', 'second'])
  const config = { apps: { api: sh('exec sleep 1000') }, environments: { second: {} } }
  await rig.apply(config, '--env', 'second')
  const several = await rig.eco(['logs', '--around', '2'])
  expect(several).toMatchObject({ code: 5 })
  expect(several.stderr).toContain('There is an event 2 in demo/default and demo/second.')
  expect(several.stderr).toContain('--project demo --env default')
  expect((await rig.eco(['logs', '--around', '2', '--env', 'second'])).code).toBe(0)
})

test.each([
  [['--grep', '('], '--grep ( is no regular expression'],
  [['--level', 'loud'], '--level loud is no level.'],
  [['--lines', 'many'], '--lines many is no number of lines.'],
  [['--since', 'yesterday'], '--since yesterday is neither a duration nor a time.'],
  [['--follow', '--until', '1m'], '--follow has no end, and --until names one.'],
  [['--around', '1', '--since', '1m'], '--around names a time'],
  [['--raw', '--json'], '--raw and --json exclude each other.'],
])('%j is refused with a reason', async (args, reason) => {
  await using rig = await createRig()
  const result = await rig.eco(['logs', ...args])
  expect(result).toMatchObject({ code: 4 })
  expect(result.stdout + result.stderr).toContain(reason)
})

test('says when there is nothing, and what an unknown name may have been', async () => {
  await using rig = await createRig()
  const nothing = await rig.eco(['logs'])
  expect(nothing).toMatchObject({ code: 0, stdout: '' })
  expect(nothing.stderr).toContain('hint: eco ls; eco apply')
  await rig.apply({
    apps: {
      api: sh('exec sleep 1000'),
      quiet: { ...sh('echo x; exec sleep 1000'), logs: { out: 'none', err: 'none' } },
    },
  })
  const unknown = await rig.eco(['logs', 'apy'])
  expect(unknown).toMatchObject({ code: 5, stdout: '' })
  expect(unknown.stderr).toContain('did you mean "api"?')
  expect((await rig.eco(['logs', 'quiet'])).stderr).toContain('quiet: no log file; the output is discarded.')
})

test('shows what an app that was removed has left', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sh('echo x; exec sleep 1000'), web: sh('exec sleep 1000') } })
  await eventually(() => expect(rig.output('api')).toBe('x\n'))
  await rig.eco(['delete', 'api', '--yes'])
  const result = await rig.eco(['logs', 'api', '--no-follow', '--no-markers'])
  expect(result).toMatchObject({ code: 0, stdout: 'api#0 | x\n' })
  expect(result.stderr).toBe('No app matches "api". These are the log files that were left behind.\n')
})

test('says which log it cannot read, shows the others, and ends with 1', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sh('echo x; exec sleep 1000'), web: sh('echo y; exec sleep 1000') } })
  await eventually(async () => expect(onlyLines(await logs(rig))).toHaveLength(2))
  const path = join(rig.home, 'scopes/demo/default/logs/api-0.out.log')
  rmSync(path)
  mkdirSync(path)
  const result = await rig.eco(['logs', '--no-follow', '--no-markers'])
  expect(result).toMatchObject({ code: 1, stdout: 'web#0 | y\n' })
  expect(result.stderr).toBe(`api#0: ${path} is no file: what is written there is gone\n`)
})

test('more logs than files may be open are no bug of eco', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { ...sh('exec sleep 1000'), instances: 30 } } })
  const { stderr, exitCode } = await execa(
    'sh',
    ['-c', 'ulimit -n 60; exec "$@"', 'sh', process.execPath, ECO, 'logs'],
    {
      cwd: rig.dir,
      env: rig.env,
      extendEnv: false,
      reject: false,
    },
  )
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/^There are more log files than may be open at once: EMFILE.*\n {2}hint: ulimit -n/)
})

test('bytes go through as they are, endless lines are cut, and --raw prints all of them', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { ...sh('exec sleep 1000'), logs: { rotation: 'off' } } } })
  const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x1b, 0x5b, 0x32, 0x4a, 0x0d, 0x0a])
  const endless = Buffer.alloc(100_000_000, 'x')
  writeFileSync(logFile(rig, 'api-0.out'), Buffer.concat([bytes, endless, Buffer.from('\nlast\n')]))
  const run = async (...args: string[]): Promise<Buffer> => {
    const command = [ECO, 'logs', '--no-follow', '--out', '--no-markers', ...args]
    const { stdout } = await execa(process.execPath, command, {
      encoding: 'buffer',
      env: rig.env,
      extendEnv: false,
      maxBuffer: 2e8,
      stripFinalNewline: false,
    })
    return Buffer.from(stdout)
  }
  const shown = await run()
  expect(shown.subarray(0, 8 + bytes.length)).toEqual(Buffer.concat([Buffer.from('api#0 | '), bytes]))
  expect(shown.toString()).toContain('x … (cut: the line has 100000000 bytes; --raw prints all of it)\napi#0 | last\n')
  expect(shown.length).toBeLessThan(100_000)
  const raw = await run('--raw')
  expect(raw.equals(readFileSync(logFile(rig, 'api-0.out')))).toBe(true)
})

test('a reader that has seen enough is no error', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sh('while :; do echo tick; sleep 0.05; done') } })
  const result = await execa('sh', ['-c', `"${process.execPath}" "${ECO}" logs | head -n 3`], {
    extendEnv: false,
    env: rig.env,
    timeout: 20_000,
  })
  expect(result.stdout.split('\n')).toHaveLength(3)
  expect(result.stderr).toBe('')
})

test('a daemon that does not answer is no reason to show nothing', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sh('echo hello; exec sleep 1000') } })
  await eventually(() => rig.output('api').includes('hello'))
  const pid = await rig.daemonPid()
  kill(pid, 'SIGSTOP')
  try {
    const result = await rig.eco(['logs', 'api', '--no-follow'])
    expect(result.stdout).toContain('api#0 | hello')
    expect(result.stderr).toContain('does not answer')
  } finally {
    kill(pid, 'SIGCONT')
  }
  expect(processesWith(`HOME=${rig.env['HOME']}`).length).toBeGreaterThan(0)
})
