/** What happens to log files behind eco's back: noticed, told once, and no reason for an app to end. */

import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import type { StoredEvent } from '../../src/model/events.ts'
import { ECO } from '../support/binary.ts'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill } from '../support/processes.ts'
import { createRig, type Rig } from '../support/rig.ts'
import { mountSmallDisk } from '../support/small-disk.ts'

/** Numbered lines, as fast as one every 10 ms. */
const WRITER = `let n = 0; setInterval(() => console.log('line ' + n++), 10)`
const SHELL = 'n=0; while :; do echo line $n; n=$((n+1)); sleep 0.02; done'

/** The same with lines of a kilobyte, which soon need the next page of a full file system. */
const WIDE_WRITER = `let n = 0; setInterval(() => console.log('line ' + n++ + ' ' + 'x'.repeat(1000)), 10)`
const WIDE_SHELL = 'n=0; x=$(printf %01000d 0); while :; do echo line $n $x; n=$((n+1)); sleep 0.02; done'

function numbersIn(path: string): number[] {
  return [...readFileSync(path, 'utf8').matchAll(/line (\d+) /g)].map((match) => Number(match[1]))
}

function logOf(rig: Rig, name = 'api-0.out.log'): string {
  return join(rig.home, 'scopes/demo/default/logs', name)
}

async function events(rig: Rig, ...names: string[]): Promise<StoredEvent[]> {
  const { stdout } = await rig.eco(['events', '--json', '--since', '1h'])
  const all = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as StoredEvent)
  return all.filter(({ event }) => names.includes(event))
}

/** Waits until it writes on. */
async function writesOn(path: string): Promise<void> {
  const size = existsSync(path) ? statSync(path).size : 0
  await eventually(() => statSync(path).size > size)
}

async function start(rig: Rig, apps: object = { api: { command: ['node', '-e', WRITER] } }): Promise<number> {
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  const [pid = 0] = await rig.pids('api')
  await writesOn(logOf(rig))
  return pid
}

/** Waits for another look of the daemon, which finds the log of this app removed. */
async function lookedAgain(rig: Rig, app: string): Promise<void> {
  rmSync(logOf(rig, `${app}-0.out.log`))
  await eventually(async () => expect((await events(rig, 'log_lost')).some((it) => it.app === app)).toBe(true))
}

function fill(path: string): void {
  for (const size of [1 << 16, 1 << 12, 1]) {
    try {
      for (;;) appendFileSync(path, Buffer.alloc(size, 120))
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC')
    }
  }
}

test('a log folder without room ends no app, is told once in each scope, and its end as well', async (context) => {
  await using rig = await createRig()
  const logs = join(rig.dir, 'logs')
  mountSmallDisk(context, logs, 'size=2m')
  const at = (name: string): object => ({ logs: { out: join(logs, name), merge: true } })
  const apps = {
    node: { command: ['node', '-e', WIDE_WRITER], ...at('node.log') },
    shell: { command: ['sh', '-c', WIDE_SHELL], ...at('shell.log') },
    // Ends at the first line that it cannot write.
    frail: { command: ['sh', '-ec', WIDE_SHELL], ...at('frail.log') },
    elsewhere: { command: ['node', '-e', WRITER] },
  }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  expect(await rig.apply({ apps: { far: { command: ['sleep', '1000'] } }, project: 'far' })).toMatchObject({ code: 0 })
  const pids = async (): Promise<number[]> => [...(await rig.pids('node')), ...(await rig.pids('shell'))]
  const before = await pids()
  await writesOn(join(logs, 'shell.log'))
  fill(join(logs, 'ballast'))

  const [full, ...others] = await eventually(async () => {
    const told = await events(rig, 'logs_full')
    expect(told).not.toEqual([])
    return told
  })
  expect(others).toEqual([])
  expect(full).toMatchObject({ scope: 'demo/default', app: null, data: { folder: logs, total_bytes: 2 * 2 ** 20 } })
  expect(full?.message).toMatch(/left for logs in .*: what apps write there is lost.*eco logs flush.*eco doctor/)
  const listed = await rig.eco(['ls'])
  expect(listed.stderr).toMatch(/left for logs in .*\n {2}hint: free space/)
  expect((await rig.eco(['ls', '--json'])).json().problems).toHaveLength(1)
  await eventually(async () => expect(await events(rig, 'restarting')).not.toEqual([]))
  await lookedAgain(rig, 'elsewhere')
  expect(await events(rig, 'logs_full')).toHaveLength(1)
  expect(await pids()).toEqual(before)

  rmSync(join(logs, 'ballast'))
  const resumed = await eventually(async () => {
    const told = await events(rig, 'logs_resumed')
    expect(told).toHaveLength(1)
    return told[0]
  })
  expect(resumed?.message).toMatch(/^there is room for logs in .* again/)
  expect((await rig.eco(['ls'])).stderr).toBe('')
  for (const name of ['node.log', 'shell.log', 'frail.log']) await writesOn(join(logs, name))
  expect(await pids()).toEqual(before)
  const numbers = numbersIn(join(logs, 'node.log'))
  expect(numbers.filter((number, i) => number !== (numbers[i - 1] ?? -1) + 1)).toHaveLength(1)
  expect(await events(rig, 'logs_full')).toHaveLength(1)
  const restarted = await events(rig, 'restarting', 'failed')
  expect(new Set(restarted.map(({ app, event }) => `${app} ${event}`))).toEqual(new Set(['frail restarting']))
})

test('a log file that is removed is told of once, and the next start makes a new one', async () => {
  await using rig = await createRig()
  const writer = { command: ['node', '-e', WRITER] }
  const pid = await start(rig, { api: writer, other: writer })
  const losses = async (): Promise<StoredEvent[]> => (await events(rig, 'log_lost')).filter(({ app }) => app === 'api')
  rmSync(logOf(rig))
  const lost = await eventually(async () => {
    const [first] = await losses()
    expect(first).toMatchObject({ instance: 'api#0', data: { reason: 'removed', path: logOf(rig) } })
    return first
  })
  expect(lost?.message).toContain('eco reload api --project demo --env default opens a new one')
  await lookedAgain(rig, 'other')
  expect(await losses()).toHaveLength(1)
  expect(await rig.pids('api')).toEqual([pid])
  expect((await rig.eco(['reload', 'api'])).code).toBe(0)
  await writesOn(logOf(rig))
  expect(await rig.pids('api')).not.toEqual([pid])
  // Of the new one it is told again, also by the daemon that comes next.
  rmSync(logOf(rig))
  kill(await rig.daemonPid())
  await eventually(async () => {
    expect((await rig.eco(['ls'])).code).toBe(0)
    expect(await losses()).toHaveLength(2)
  })
})

test('when the folder of the logs is deleted, an instance that crashes has its logs again', async () => {
  await using rig = await createRig()
  const pid = await start(rig)
  rmSync(dirname(logOf(rig)), { recursive: true })
  await eventually(async () => expect(await events(rig, 'log_lost')).not.toEqual([]))
  expect(await rig.pids('api')).toEqual([pid])
  kill(pid)
  await eventually(() => expect(rig.output('api')).toContain('line 3'))
  expect(statSync(dirname(logOf(rig))).mode & 0o777).toBe(0o700)
  expect(statSync(logOf(rig)).mode & 0o777).toBe(0o600)
  await eventually(async () => expect((await rig.app('api')).state).toBe('running'))
})

test('a log file that is replaced by a symlink is never written through', async () => {
  await using rig = await createRig()
  const pid = await start(rig)
  // Stands for /etc/passwd: one that a broken guard may spoil.
  const target = rig.write('passwd', 'root:x:0:0::/root:/bin/sh\n')
  rmSync(logOf(rig))
  symlinkSync(target, logOf(rig))
  kill(pid)
  await eventually(async () => expect((await rig.app('api')).reason).toMatch(/symlink|symbolic|ELOOP/i))
  await eventually(async () => expect((await rig.app('api')).instances[0]?.restarts).toBeGreaterThan(1))
  expect(readFileSync(target, 'utf8')).toBe('root:x:0:0::/root:/bin/sh\n')
  // Away with it, and it comes back by itself.
  rmSync(logOf(rig))
  await eventually(() => expect(rig.output('api')).toContain('line 3'), 40_000)
})

test('a symlink in place of a log that is written is told of', async () => {
  await using rig = await createRig()
  const pid = await start(rig)
  const target = rig.write('victim', 'whole\n')
  rmSync(logOf(rig))
  symlinkSync(target, logOf(rig))
  const lost = await eventually(async () => {
    const told = await events(rig, 'log_lost')
    expect(told).toHaveLength(1)
    return told[0]
  })
  expect(lost).toMatchObject({ data: { reason: 'symlink' } })
  expect(lost?.message).toContain(`a symlink to ${target}`)
  expect(await rig.pids('api')).toEqual([pid])
  expect(readFileSync(target, 'utf8')).toBe('whole\n')
})

test('a log file that is moved away, as logrotate does it, is told of', async () => {
  await using rig = await createRig()
  const pid = await start(rig)
  renameSync(logOf(rig), logOf(rig, 'api-0.out.log.1'))
  writeFileSync(logOf(rig), '', { mode: 0o600 })
  const lost = await eventually(async () => {
    const told = await events(rig, 'log_lost')
    expect(told).toHaveLength(1)
    return told[0]
  })
  expect(lost).toMatchObject({ data: { reason: 'moved' } })
  expect(lost?.message).toContain(`was moved to ${logOf(rig, 'api-0.out.log.1')}`)
  // Put back, it is as if nothing had been.
  renameSync(logOf(rig, 'api-0.out.log.1'), logOf(rig))
  await writesOn(logOf(rig))
  expect(await rig.pids('api')).toEqual([pid])
})

test('a log file that somebody empties is written on from its start, without a hole', async () => {
  await using rig = await createRig()
  const pid = await start(rig)
  await eventually(() => statSync(logOf(rig)).size > 500)
  truncateSync(logOf(rig))
  await writesOn(logOf(rig))
  const text = readFileSync(logOf(rig), 'utf8')
  expect(text).toMatch(/^line \d+\n(?:line \d+\n)*/)
  expect(text).not.toContain('\0')
  expect(await rig.pids('api')).toEqual([pid])
  expect(isRunning(pid)).toBe(true)
  expect(await events(rig, 'log_lost')).toEqual([])
})

test('what an app does with its own output is its own business', async () => {
  await using rig = await createRig()
  const apps = {
    api: { command: ['sh', '-c', `echo begins; exec >own.log 2>&1; rm own.log; ${SHELL}`] },
    plain: { command: ['node', '-e', WRITER] },
  }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  await eventually(() => expect(rig.output('api')).toBe('begins\n'))
  rmSync(logOf(rig, 'plain-0.out.log'))
  await eventually(async () => expect(await events(rig, 'log_lost')).toHaveLength(1))
  expect((await events(rig, 'log_lost'))[0]?.app).toBe('plain')
})

test('two hundred instances start at once where a process may have 256 files open', async () => {
  await using rig = await createRig()
  const api = {
    command: ['sh', '-c', 'echo out; echo err >&2; exec sleep 1000'],
    instances: 200,
    ready: { delay: '1s' },
  }
  rig.write('ecosystem.yaml', { apps: { api } })
  const narrow = ['-c', 'ulimit -n 256 && exec "$@"', 'sh', process.execPath, ECO, 'apply', '--yes']
  const { status, stderr } = spawnSync('sh', narrow, { cwd: rig.dir, env: rig.env, encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  expect(new Set(await rig.pids('api')).size).toBe(200)
  for (let slot = 0; slot < 200; slot++) {
    expect(rig.output('api', { slot })).toBe('out\n')
    expect(rig.output('api', { slot, stream: 'err' })).toBe('err\n')
  }
  expect(readFileSync(`/proc/${await rig.daemonPid()}/limits`, 'utf8')).toMatch(/Max open files\s+256/)
})
