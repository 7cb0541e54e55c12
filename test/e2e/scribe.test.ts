/** Nothing that was written is lost, whoever dies: the app, the daemon, or the scribe (docs/adr/0027-scribe.md). */

import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Output } from '../../src/model/spec.ts'
import { killDaemon } from '../support/daemons.ts'
import { eventually } from '../support/eventually.ts'
import { expectAll, numbers, progress } from '../support/lines.ts'
import { isRunning, kill, processesWith } from '../support/processes.ts'
import { findPython } from '../support/python.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const LONG_MS = 120_000
const COUNT = 100_000
const FORMATS = ['plain', 'time', 'json'] as const
const STAMPED = ['time', 'json'] as const

function writer(format: Output['format'], env: Record<string, string> = {}): object {
  return {
    script: fixture('writes-lines.mjs'),
    env: { COUNT: String(COUNT), PROGRESS: 'progress', ...env },
    logs: { format, rotation: 'off' },
    restart: { policy: 'never' },
    ready: { delay: '10ms' },
  }
}

/** Whatever becomes of it, it is started. */
async function applied(rig: Rig, apps: object): Promise<void> {
  const { stdout, stderr } = await rig.apply({ apps })
  expect(stdout + stderr).toContain('app#0 started')
}

/** Those that live, of this rig. */
function scribes(rig: Rig): number[] {
  return processesWith(`ECO_HOME=${rig.home}`).filter((pid) => {
    try {
      return isRunning(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('scribe.cjs')
    } catch {
      return false
    }
  })
}

async function theScribe(rig: Rig): Promise<number> {
  return eventually(() => {
    const [pid = 0, ...more] = scribes(rig)
    expect(more).toEqual([])
    expect(pid).toBeGreaterThan(0)
    return pid
  })
}

function spools(rig: Rig): string[] {
  const dir = join(rig.home, 'spool')
  return existsSync(dir) ? readdirSync(dir).filter((name) => name !== 'state') : []
}

const whenWritten = (rig: Rig, count: number): Promise<void> =>
  eventually(() => expect(progress(rig)).toBeGreaterThanOrEqual(count), 20_000)

describe.each(FORMATS)('format: %s', (format) => {
  test.each(['exit', 'throw', 'abort'])(
    'every line is there after an end by %s',
    async (end) => {
      await using rig = await createRig()
      await applied(rig, { app: writer(format, { END: end, BURST: '1000' }) })
      await eventually(async () => expect((await rig.app('app')).state).toMatch(/failed|exited/), 20_000)
      expectAll(rig.output('app'), format, COUNT)
    },
    LONG_MS,
  )

  test(
    'every line is there that a process had written which somebody killed',
    async () => {
      await using rig = await createRig()
      await applied(rig, { app: writer(format, { BURST: '50' }) })
      await whenWritten(rig, 5000)
      const [pid = 0] = await rig.pids('app')
      kill(pid)
      await eventually(() => expect(isRunning(pid)).toBe(false))
      const written = progress(rig)
      await eventually(() => {
        const found = numbers(rig.output('app'), format)
        expect(found.length).toBeGreaterThanOrEqual(written)
        expect(found.every((n, index) => n === index)).toBe(true)
      })
    },
    LONG_MS,
  )

  test(
    'a stopped daemon keeps nobody from writing, and a killed one loses nothing',
    async () => {
      await using rig = await createRig()
      await applied(rig, { app: writer(format, { BURST: '500', PAUSE: '10' }) })
      await whenWritten(rig, 1000)
      const [pid] = await rig.pids('app')
      const daemon = await rig.daemonPid()
      kill(daemon, 'SIGSTOP')
      onTestFinished(() => kill(daemon, 'SIGCONT'))
      const before = progress(rig)
      await whenWritten(rig, before + 10_000)
      await eventually(() => expect(numbers(rig.output('app'), format).length).toBeGreaterThan(before + 9000))
      kill(daemon)
      await eventually(() => expect(isRunning(daemon)).toBe(false))
      await whenWritten(rig, before + 20_000)
      expect(await rig.pids('app')).toEqual([pid])
      await whenWritten(rig, COUNT)
      await eventually(() => expectAll(rig.output('app'), format, COUNT))
    },
    LONG_MS,
  )
})

test.each(STAMPED)(
  'format: %s: a scribe that is killed again and again loses no line, and writes none twice',
  async (format) => {
    await using rig = await createRig()
    await applied(rig, { app: writer(format, { BURST: '250', PAUSE: '5' }) })
    const killed = new Set<number>()
    while (progress(rig) < COUNT - 10_000) {
      const scribe = await theScribe(rig)
      const until = numbers(`${rig.output('app')}\n`.replace(/[^\n]*\n$/, ''), format).length
      await eventually(() => expect(rig.output('app').length).toBeGreaterThan(until * 90))
      kill(scribe)
      killed.add(scribe)
      await eventually(() => expect(isRunning(scribe)).toBe(false))
    }
    expect(killed.size).toBeGreaterThan(2)
    await whenWritten(rig, COUNT)
    await eventually(() => expectAll(rig.output('app'), format, COUNT))
  },
  LONG_MS,
)

test(
  'an app goes on without a daemon and without a scribe, and the next ones write what it wrote meanwhile',
  async () => {
    await using rig = await createRig()
    await applied(rig, { app: writer('json', { BURST: '500', PAUSE: '10', END: 'cut' }) })
    await whenWritten(rig, 1000)
    const [pid = 0] = await rig.pids('app')
    const scribe = await theScribe(rig)
    await killDaemon(rig)
    kill(scribe)
    await eventually(() => expect(isRunning(scribe)).toBe(false))
    await whenWritten(rig, COUNT)
    await eventually(() => expect(isRunning(pid)).toBe(false))
    const before = rig.output('app').length
    await rig.eco(['daemon', 'start'])
    await eventually(() => expectAll(rig.output('app'), 'json', COUNT), 20_000)
    expect(rig.output('app').length).toBeGreaterThan(before)
    expect(rig.output('app')).toContain('"message":"unfinished"')
    await eventually(() => expect(spools(rig)).toEqual([]))
  },
  LONG_MS,
)

test(
  'the scribe goes on beside a new daemon, and ends when there is nothing left to be written',
  async () => {
    await using rig = await createRig()
    const talker = { command: ['sh', '-c', 'while :; do echo tick; sleep 0.1; done'], logs: { format: 'time' } }
    await rig.apply({ apps: { talker } })
    const scribe = await theScribe(rig)
    await rig.eco(['daemon', 'stop'])
    const without = rig.output('talker').length
    await eventually(() => expect(rig.output('talker').length).toBeGreaterThan(without))
    await rig.eco(['daemon', 'start'])
    const [pid = 0] = await rig.pids('talker')
    await rig.eco(['restart', 'talker'])
    await eventually(() => expect(isRunning(pid)).toBe(false))
    expect(await theScribe(rig)).toBe(scribe)
    const doctor = await rig.eco(['doctor'])
    expect(doctor.stdout).not.toMatch(/scribe|spool|stray/i)
    await rig.eco(['delete', 'talker', '--yes'])
    await eventually(() => expect(spools(rig)).toEqual([]))
    await eventually(() => expect(isRunning(scribe)).toBe(false), 15_000)
  },
  LONG_MS,
)

test('what the children of an app write is there too, in both streams, and after its end', async () => {
  await using rig = await createRig()
  const script = [
    'echo parent',
    'echo oops >&2',
    'echo reopened >> /dev/stdout',
    'sh -c "echo child; (sleep 0.3; echo its child, once it has ended) &"',
    'setsid sh -c "sleep 0.2; echo in a session of its own" &',
    'exec sleep 1000',
  ].join('\n')
  const python = findPython()
  const raw = ['-c', 'import os; os.write(1, b"raw\\n"); os.write(2, b"raw too\\n"); os.system("sleep 1000")']
  const logs = { format: 'json' }
  await rig.apply({
    apps: {
      shell: { command: ['sh', '-c', script], logs },
      ...(python === null ? {} : { python: { command: [python, ...raw], logs } }),
    },
  })
  const messages = (app: string, stream: 'out' | 'err'): unknown[] => {
    const lines = rig.output(app, { stream }).split('\n').filter(Boolean)
    return lines.map((line) => {
      const { message, ...about } = JSON.parse(line) as Record<string, string>
      expect(about).toEqual({
        app,
        instance: `${app}#0`,
        stream: `std${stream}`,
        time: expect.stringMatching(/^\d{4}-.*Z$/),
      })
      return message
    })
  }
  const all = ['parent', 'reopened', 'child', 'in a session of its own', 'its child, once it has ended']
  await eventually(() => expect(messages('shell', 'out')).toEqual(all))
  expect(messages('shell', 'err')).toEqual(['oops'])
  if (python === null) return console.warn('SKIPPED: there is no Python here, whose raw writes are not tested')
  await eventually(() => expect([messages('python', 'out'), messages('python', 'err')]).toEqual([['raw'], ['raw too']]))
})

test('its last words and its ready line are those that it wrote', async () => {
  await using rig = await createRig()
  const dies = { command: ['sh', '-c', 'echo "starting"; printf "no port" >&2; exit 9'], logs: { format: 'json' } }
  const ready = {
    command: ['sh', '-c', 'sleep 0.2; echo "listening on 80"; exec sleep 1000'],
    ready: { log: '/^listening/' },
    logs: { format: 'json' },
  }
  const result = await rig.apply({ apps: { dies: { ...dies, restart: { policy: 'never' } }, ready } })
  expect(result.stderr + result.stdout).toMatch(/^\s+no port$/m)
  expect((await rig.app('ready')).ready).toBe(1)
})

test('hooks write into the log of their instance as it does', async () => {
  await using rig = await createRig()
  const app = { command: ['sleep', '1000'], hooks: { pre_start: 'echo from the hook' }, logs: { format: 'json' } }
  expect((await rig.apply({ apps: { app } })).code).toBe(0)
  expect(JSON.parse(rig.output('app', { stream: 'err' }))).toMatchObject({
    instance: 'app#0',
    message: 'from the hook',
  })
  const failing = {
    ...app,
    env: { OTHER: '1' },
    hooks: { pre_start: 'echo why it failed; exit 3' },
    restart: { policy: 'never' },
  }
  expect((await rig.apply({ apps: { app: failing } })).stderr).toContain('why it failed')
})

test(
  'a log that is moved away or deleted is made again, and a line without an end comes in pieces',
  async () => {
    await using rig = await createRig()
    const script = 'i=0; while :; do i=$((i+1)); echo "tick $i"; sleep 0.05; done'
    const long = { command: ['sh', '-c', 'head -c 5000000 /dev/zero | tr "\\0" y; exec sleep 1000'] }
    const logs = { format: 'time', rotation: 'off' }
    await rig.apply({ apps: { app: { command: ['sh', '-c', script], logs }, long: { ...long, logs } } })
    const log = join(rig.home, 'scopes/demo/default/logs/app-0.out.log')
    const ticks = (text: string): number[] => [...text.matchAll(/^\S+ tick (\d+)$/gm)].map(([, n]) => Number(n))
    await eventually(() => expect(ticks(rig.output('app')).length).toBeGreaterThan(2))
    renameSync(log, `${log}.old`)
    await eventually(() => expect(ticks(rig.output('app')).length).toBeGreaterThan(2))
    const all = [...ticks(readFileSync(`${log}.old`, 'utf8')), ...ticks(rig.output('app'))]
    expect(all).toEqual(all.map((_, index) => index + 1))
    expect(statSync(log).mode & 0o777).toBe(0o600)
    rmSync(log)
    await eventually(() => expect(ticks(rig.output('app')).length).toBeGreaterThan(2))

    await rig.eco(['stop', 'long'])
    const pieces = rig.output('long').split('\n')
    expect(pieces.map((line) => line.replace(/^\S+ /, '')).join('')).toBe('y'.repeat(5_000_000))
    expect(pieces.length).toBeGreaterThan(70)
  },
  LONG_MS,
)

test(
  'one that hangs is replaced, and what came meanwhile is written once',
  async () => {
    await using rig = await createRig()
    await applied(rig, { app: writer('json', { BURST: '100', PAUSE: '20' }) })
    await whenWritten(rig, 1000)
    const scribe = await theScribe(rig)
    kill(scribe, 'SIGSTOP')
    await eventually(() => expect(isRunning(scribe)).toBe(false), 30_000)
    expect(await theScribe(rig)).not.toBe(scribe)
    expect(readFileSync(join(rig.home, 'daemon.log'), 'utf8')).toContain(`the scribe, pid ${scribe}, does not answer`)
    await whenWritten(rig, COUNT)
    await eventually(() => expectAll(rig.output('app'), 'json', COUNT))
  },
  LONG_MS,
)

test(
  'one that hangs is replaced by a daemon that never heard of it',
  async () => {
    await using rig = await createRig()
    await applied(rig, { app: writer('time', { BURST: '100', PAUSE: '20' }) })
    await whenWritten(rig, 1000)
    const scribe = await theScribe(rig)
    kill(scribe, 'SIGSTOP')
    await killDaemon(rig)
    await rig.eco(['daemon', 'start'])
    await eventually(() => expect(isRunning(scribe)).toBe(false), 30_000)
    await whenWritten(rig, COUNT)
    await eventually(() => expectAll(rig.output('app'), 'time', COUNT))
  },
  LONG_MS,
)

test(
  'a log that the scribe cannot write is told of, in the events and by ls, and so is its end',
  async () => {
    await using rig = await createRig()
    const script = 'i=0; while :; do echo "tick $i"; i=$((i+1)); sleep 0.05; done'
    await rig.apply({ apps: { app: { command: ['sh', '-c', script], logs: { format: 'time' } } } })
    const log = join(rig.home, 'scopes/demo/default/logs/app-0.out.log')
    const ticks = (text: string): number[] => [...text.matchAll(/^\S+ tick (\d+)$/gm)].map(([, n]) => Number(n))
    await eventually(() => expect(ticks(rig.output('app')).length).toBeGreaterThan(2))
    const target = rig.write('victim', 'whole\n')
    renameSync(log, `${log}.old`)
    symlinkSync(target, log)
    const events = async (): Promise<string> => (await rig.eco(['events', '--since', '1h'])).stdout
    await eventually(async () => expect(await events()).toMatch(/app#0 .*is a symlink.*what it writes is kept/))
    expect((await rig.eco(['ls'])).stderr).toContain(`its log ${log} is a symlink`)
    expect(readFileSync(target, 'utf8')).toBe('whole\n')
    rmSync(log)
    await eventually(async () => expect(await events()).toContain(`its log ${log} is written again`))
    expect((await rig.eco(['ls'])).stderr).toBe('')
    const all = [...ticks(readFileSync(`${log}.old`, 'utf8')), ...ticks(rig.output('app'))]
    expect(all).toEqual(all.map((_, index) => index))
  },
  LONG_MS,
)
