import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import type { StoredEvent } from '../../src/model/events.ts'
import { ECO } from '../support/binary.ts'
import { eventually } from '../support/eventually.ts'
import { kill } from '../support/processes.ts'
import { createRig, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }
const crasher = { command: ['sh', '-c', 'sleep 0.5; exit 3'], restart: { backoff: { initial: '50ms', max: '100ms' } } }

interface Follower {
  readonly events: StoredEvent[]
  readonly child: ReturnType<typeof spawn>
}

/** `eco events --follow --json`, in the background. */
function follow(rig: Rig, ...args: string[]): Follower {
  const child = spawn(process.execPath, [ECO, 'events', '--follow', '--json', ...args], {
    cwd: rig.dir,
    env: rig.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const events: StoredEvent[] = []
  let rest = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n')
    rest = lines.pop() ?? ''
    events.push(...lines.map((line) => JSON.parse(line) as StoredEvent))
  })
  return { events, child }
}

async function storedEvents(rig: Rig, ...args: string[]): Promise<StoredEvent[]> {
  const { stdout, code, stderr } = await rig.eco(['events', '--json', '--since', '1h', ...args])
  expect(code, stderr).toBe(0)
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as StoredEvent)
}

const numbers = (events: readonly StoredEvent[]): number[] => events.map(({ seq }) => seq)

test('events are told in the order of their numbers, and without a daemon too', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sleeper, crash: crasher } })
  const seen = await eventually(async () => {
    const found = await storedEvents(rig, 'crash#0')
    expect(found.length).toBeGreaterThan(3)
    return found
  })
  for (const it of seen) expect(it).toMatchObject({ app: 'crash', instance: 'crash#0', scope: 'demo/default' })
  expect(seen.map(({ event }) => event).slice(0, 4)).toEqual(['started', 'ready', 'restarting', 'started'])
  expect(seen[2]).toMatchObject({
    message: 'exited with code 3; restarting (restart 1 of 16)',
    data: { reason: 'exited with code 3', exit: { kind: 'code', code: 3 }, restarts: 1 },
  })
  await rig.eco(['daemon', 'stop', '--apps'])
  const all = await storedEvents(rig)
  expect(numbers(all)).toEqual(all.map((_, i) => i + 1))
  expect(all.at(-1)).toMatchObject({ event: 'daemon_stopped', app: null })
  const text = await rig.eco(['events', 'crash'])
  expect(text.stdout).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}#\d+ +crash#0 +.*exited with code 3/m)
  expect(text.stdout).not.toContain('api')
})

test('whoever follows sees each event once, through a kill -9 of the daemon and the next one', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sleeper, crash: crasher } })
  const follower = follow(rig, '--since', '1h')
  await eventually(() => follower.events.length > 3)
  kill(await rig.daemonPid())
  await rig.ls() // starts the next daemon
  await rig.eco(['stop', 'crash'])
  const all = await eventually(async () => {
    const stored = await storedEvents(rig)
    expect(stored.filter(({ event }) => event === 'daemon_started').length).toBe(1)
    expect(follower.events.at(-1)).toEqual(stored.at(-1))
    return stored
  })
  expect(follower.events).toEqual(all)
  expect(numbers(all)).toEqual(all.map((_, i) => i + 1))
  const ended = once(follower.child, 'exit')
  follower.child.kill('SIGINT')
  expect(await ended).toEqual([0, null])
})

test('follows a scope that did not exist before', async () => {
  await using rig = await createRig()
  const follower = follow(rig)
  await rig.apply({ apps: { api: sleeper } })
  await eventually(() => follower.events.some(({ event, app }) => event === 'step_done' && app === 'api'))
  expect(follower.events[0]?.seq).toBe(1)
})

test('a mistake in the question is an error with a hint', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sleeper } })
  const misspelt = await rig.eco(['events', 'apy'])
  expect(misspelt).toMatchObject({ code: 5, stdout: '' })
  expect(misspelt.stderr).toContain('did you mean "api"?')
  const when = await rig.eco(['events', '--since', 'yesterday'])
  expect(when.code).toBe(4)
  expect(when.stderr).toContain('--since yesterday is neither a duration nor a time')
  expect((await rig.eco(['events', '--follow', '--until', '1m'])).code).toBe(4)
  expect(await rig.eco(['events', '--until', '2h'])).toMatchObject({ code: 0, stdout: '', stderr: 'No events.\n' })
})

test('describe begins with what happened, why, and what comes next', async () => {
  await using rig = await createRig()
  const command = ['sh', '-c', 'echo no database >&2; sleep 0.3; exit 3']
  await rig.apply({
    apps: { crash: { command, restart: { max: 4, backoff: { initial: '40s', jitter: '0%', max: '1m' } } } },
  })
  await eventually(async () => expect((await rig.app('crash')).state).toBe('backoff'))
  const { stdout } = await rig.eco(['describe', 'crash'])
  expect(stdout.split('\n')[1]).toMatch(
    /^ {2}crash#0 {2}backoff: exited with code 3; next attempt at \d\d:\d\d:\d\d \(in \d\ds\); restart 2 of 4 within 1m$/,
  )
  expect(stdout).toMatch(/last exit: exited with code 3, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(\d+s ago\)/)
  expect(stdout).toContain('its last words on stderr:\n      no database\n')
  const [instance] = (await rig.eco(['describe', 'crash', '--json'])).json().apps[0].instances
  expect(instance).toMatchObject({
    last_exit: { kind: 'code', code: 3 },
    recent_restarts: 2,
    stderr: ['no database', 'no database'],
  })
  expect(Date.parse(instance.next_attempt_at)).toBeGreaterThan(Date.now())
})
