/** `eco logs`, while apps write, come and go, and the daemon and the files do what they like. */

import { once } from 'node:events'
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { countFaults, followLogs, type LogFollower } from '../support/logs.ts'
import { kill } from '../support/processes.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const WAIT_MS = 20_000

const sh = (script: string): { command: string[] } => ({ command: ['sh', '-c', script] })
/** Says its pid, so that each run can be told from the others. */
const teller = sh('echo "pid $$$$"; exec sleep 1000')
const logFile = (rig: Rig, name: string): string => join(rig.home, 'scopes/demo/default/logs', `${name}.log`)

function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

const without = (lines: readonly string[]): string[] => lines.filter((line) => !line.startsWith('── '))

test('shows what there is, then what comes, until Ctrl-C', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sh('echo first; echo again >&2; exec sleep 1000') } })
  await eventually(() => rig.output('api').includes('first'))
  const follower = followLogs(rig, 'api')
  await eventually(() => follower.lines().includes('api#0 | first'), WAIT_MS)
  appendFileSync(logFile(rig, 'api-0.out'), 'second\n')
  appendFileSync(logFile(rig, 'api-0.err'), 'third\n')
  await eventually(
    () =>
      expect(without(follower.lines()).sort()).toEqual([
        'api#0 ! again',
        'api#0 ! third',
        'api#0 | first',
        'api#0 | second',
      ]),
    WAIT_MS,
  )
  const ended = once(follower.child, 'exit')
  follower.child.kill('SIGINT')
  expect(await ended).toEqual([0, null])
  expect(follower.stderr()).toBe('')
})

test('follows restart, reload, scale, new apps, and an app that was deleted and applied again', async () => {
  await using rig = await createRig()
  const apps = { api: teller }
  await rig.apply({ apps })
  await eventually(() => rig.output('api').includes('pid'))
  const follower = followLogs(rig, '-n', '0')
  const shows = async (...parts: string[]): Promise<void> => {
    await eventually(() => {
      for (const part of parts) expect(follower.stdout()).toContain(part)
    }, WAIT_MS)
  }
  const running = async (name: string): Promise<string[]> =>
    (await rig.pids(name)).map((pid, slot) => `${name}#${slot} | pid ${pid}\n`)
  // It follows once it says what happens.
  await eventually(async () => {
    await rig.eco(['restart', 'api'])
    expect(follower.stdout()).toContain('api#0 started')
  }, WAIT_MS)
  await shows(...(await running('api')), 'api restart: begun', 'api#0 stopped')
  await rig.eco(['reload', 'api'])
  await shows(...(await running('api')), 'api roll: done')
  await rig.eco(['scale', 'api', '3'])
  await shows(...(await running('api')))
  await rig.eco(['scale', 'api', '1'])
  await shows('api#2 stopped')
  await rig.apply({ apps: { ...apps, web: teller } })
  await eventually(
    async () => expect(follower.stdout().replaceAll(/ +\|/g, ' |')).toContain((await running('web'))[0]),
    WAIT_MS,
  )
  await rig.eco(['delete', 'web', '--yes'])
  await shows('web#0 stopped')
  await rig.apply({ apps: { ...apps, web: teller } })
  await eventually(
    async () => expect(follower.stdout().replaceAll(/ +\|/g, ' |')).toContain((await running('web'))[0]),
    WAIT_MS,
  )
  const pids = without(follower.lines()).map((line) => line.split('pid ')[1])
  expect(new Set(pids).size).toBe(pids.length)
  expect(follower.stderr()).toBe('')
}, 90_000)

test('an instance that writes to another file is followed there as soon as it runs', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: teller } })
  await eventually(() => rig.output('api').includes('pid'))
  const follower = followLogs(rig, '-n', '0')
  await eventually(async () => {
    await rig.eco(['restart', 'api'])
    expect(follower.stdout()).toContain('api#0 started')
  }, WAIT_MS)
  const ready = { log: 'never', timeout: '10m' }
  rig.write('ecosystem.yaml', { apps: { api: { ...teller, ready, logs: { out: 'other.log' } } } })
  const applying = new AbortController()
  const applied = rig.eco(['apply', '--yes'], { signal: applying.signal })
  await eventually(() => {
    const pid = /pid \d+/.exec(readFileSync(join(rig.dir, 'other.log'), 'utf8'))?.[0] ?? 'none'
    expect(follower.stdout()).toContain(`api#0 | ${pid}\n`)
  }, WAIT_MS)
  applying.abort()
  await applied
}, 90_000)

test('an exit stands behind the last words, also when those have no end of line', async () => {
  await using rig = await createRig()
  const restart = { policy: 'never' }
  await rig.apply({ apps: { crash: { ...sh('printf "last words"; sleep 0.3; exit 3'), restart } } })
  await eventually(async () => expect((await rig.app('crash')).state).toBe('failed'))
  const follower = followLogs(rig)
  const kinds = (): string[] => follower.lines().flatMap((line) => /started|failed|last words.*/.exec(line)?.[0] ?? [])
  await eventually(() => expect(kinds()).toEqual(['started', 'last words', 'failed']), WAIT_MS)
  await rig.eco(['restart', 'crash'])
  const once = ['started', 'last words', 'failed']
  await eventually(() => expect(kinds()).toEqual([...once, ...once]), WAIT_MS)
})

describe('at full speed', () => {
  const LINES = 300_000
  const counter = { command: ['node', fixture('counts.mjs'), String(LINES), '20000000'] }

  const NONE = { lost: 0, torn: 0, doubled: 0 }

  async function watchCount(rig: Rig, meanwhile: (follower: LogFollower) => Promise<void>): Promise<object> {
    const idle = sh('echo here; exec sleep 1000')
    await rig.apply({ apps: { idle } })
    const follower = followLogs(rig, '--no-markers')
    await eventually(() => follower.count() === 1, WAIT_MS)
    await rig.apply({ apps: { idle, api: counter } })
    await meanwhile(follower)
    await eventually(() => expect(follower.count()).toBe(LINES + 1), 60_000)
    expect(follower.stderr()).toBe('')
    return countFaults(follower.lines().slice(1), LINES)
  }

  test('no line is lost, torn or doubled', async () => {
    await using rig = await createRig()
    expect(await watchCount(rig, () => Promise.resolve())).toEqual(NONE)
  }, 90_000)

  test('nor while the daemon is killed and the next one begins', async () => {
    await using rig = await createRig()
    const faults = await watchCount(rig, async () => {
      kill(await rig.daemonPid())
      await rig.ls()
    })
    expect(faults).toEqual(NONE)
  }, 90_000)

  test('nor while the daemon is stopped', async () => {
    await using rig = await createRig()
    const stopped: number[] = []
    try {
      const faults = await watchCount(rig, async (follower) => {
        // The new app must be known before.
        await eventually(() => expect(follower.count()).toBeGreaterThan(1))
        const pid = await rig.daemonPid()
        kill(pid, 'SIGSTOP')
        stopped.push(pid)
      })
      expect(faults).toEqual(NONE)
    } finally {
      for (const pid of stopped) kill(pid, 'SIGCONT')
    }
  }, 90_000)
})

describe('over rotations', () => {
  const LINES = 400_000

  test.each(['gzip', 'zstd', 'none'])(
    'no line is lost, torn or doubled, followed or read later (%s)',
    async (compress) => {
      await using rig = await createRig()
      const idle = sh('echo here; exec sleep 1000')
      const logs = { max_size: '2M', keep: 100, compress }
      const api = { command: ['node', fixture('counts.mjs'), String(LINES), '8000000'], logs }
      await rig.apply({ apps: { idle } })
      const follower = followLogs(rig, '--no-markers')
      await eventually(() => follower.count() === 1, WAIT_MS)
      await rig.apply({ apps: { idle, api } })
      await eventually(() => expect(follower.count()).toBeGreaterThan(LINES), 60_000)
      expect(countFaults(follower.lines().slice(1), LINES)).toEqual({ lost: 0, torn: 0, doubled: 0 })
      const archives = readdirSync(dirname(logFile(rig, 'api-0.out'))).filter((name) =>
        name.startsWith('api-0.out.log.'),
      )
      expect(archives.length).toBeGreaterThan(3)
      const all = await rig.eco(['logs', 'api', '--no-follow', '-n', 'all', '--no-markers'])
      const lines = all.stdout.split('\n').slice(0, -1)
      expect(countFaults(lines, LINES)).toEqual({ lost: 0, torn: 0, doubled: 0 })
      expect(lines).toEqual([...lines].sort())
      const some = await rig.eco(['logs', 'api', '--no-follow', '-n', '60000', '--raw'])
      expect(some.stdout).toBe(
        lines
          .slice(-60_000)
          .map((line) => `${line.replace(/^api#0 +\| /, '')}\n`)
          .join(''),
      )
      // A flush is no reason to stop, and what comes after it is shown.
      await rig.eco(['logs', 'flush', 'api', '--yes'])
      appendFileSync(logFile(rig, 'api-0.out'), 'after the flush\n')
      await eventually(() => expect(follower.count()).toBeGreaterThanOrEqual(LINES + 2), WAIT_MS)
      expect(follower.lines().at(-1)).toContain('after the flush')
      expect(follower.lines()).toHaveLength(LINES + 2)
    },
    120_000,
  )
})

describe('what others do to a file', () => {
  test('cutting it, replacing it, and removing it with its folder', async () => {
    await using rig = await createRig()
    const out = logFile(rig, 'api-0.out')
    await rig.apply({ apps: { api: sh('i=0; while :; do i=$((i+1)); echo "tick $i"; sleep 0.05; done') } })
    await eventually(() => rig.output('api').includes('tick 3\n'))
    const follower = followLogs(rig, '--no-markers')
    const ticks = (): number[] => follower.lines().map((line) => Number(line.split('tick ')[1]))
    const goesOn = async (): Promise<void> => {
      const now = ticks().at(-1) ?? 0
      await eventually(() => expect(ticks().at(-1)).toBeGreaterThan(now + 5), WAIT_MS)
    }
    await eventually(() => ticks().length > 3, WAIT_MS)
    // What was written between the last look and the cut is gone; nothing else is.
    truncateSync(out, 0)
    await goesOn()
    // logrotate with "create": the app writes on to the renamed file.
    renameSync(out, `${out}.1`)
    writeFileSync(out, '')
    await goesOn()
    appendFileSync(out, 'tick 1000000\n')
    await eventually(() => expect(ticks()).toContain(1_000_000), WAIT_MS)
    rmSync(dirname(out), { recursive: true })
    const seen = ticks().length
    await eventually(() => expect(ticks().length).toBeGreaterThan(seen + 5), WAIT_MS)
    const own = ticks().filter((it) => it < 1_000_000)
    expect(own).toEqual([...own].sort((a, b) => a - b))
    expect(new Set(own).size).toBe(own.length)
  }, 60_000)

  test('whoever comes after the folder has gone reads on through the process', async () => {
    await using rig = await createRig()
    await rig.apply({ apps: { api: sh('i=0; while :; do i=$((i+1)); echo "tick $i"; sleep 0.1; done') } })
    await eventually(() => rig.output('api').includes('tick 2\n'))
    rmSync(dirname(logFile(rig, 'api-0.out')), { recursive: true })
    const follower = followLogs(rig, '--no-markers', '-n', 'all', '--out')
    await eventually(() => expect(follower.lines().length).toBeGreaterThan(10), WAIT_MS)
    expect(follower.lines().slice(0, 3)).toEqual(['api#0 | tick 1', 'api#0 | tick 2', 'api#0 | tick 3'])
  }, 60_000)
})

test('a reader that is slow makes it wait, not grow', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: { command: ['node', fixture('counts.mjs'), '1500000'], logs: { rotation: 'off' } } } })
  const follower = followLogs(rig, '-n', 'all', '--no-markers')
  follower.child.stdout?.pause()
  await eventually(() => statSync(logFile(rig, 'api-0.out')).size > 100_000_000, 60_000)
  const { pid = 0 } = follower.child
  expect(residentMb(pid)).toBeLessThan(160)
  follower.child.stdout?.resume()
  await eventually(() => expect(follower.count()).toBe(1_500_000), 60_000)
  expect(countFaults(follower.lines(), 1_500_000)).toEqual({ lost: 0, torn: 0, doubled: 0 })
  expect(residentMb(pid)).toBeLessThan(160)
}, 150_000)
