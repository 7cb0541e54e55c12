/** What eco finds in its home that should not be there: named, with the remedy, and costing no more than its subject. */

import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill } from '../support/processes.ts'
import { createRig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

test('a daemon of another version is refused with the command that replaces it', async () => {
  await using rig = await createRig()
  mkdirSync(rig.home, { mode: 0o700 })
  // Answers as the protocol says that every version does.
  const server = net.createServer((socket) => {
    socket.once('data', (data) => {
      const { method, protocol } = JSON.parse(data.toString()) as { method: string; protocol: number }
      const error = {
        code: 'DAEMON_VERSION',
        message: `The daemon (eco 99.0.0) speaks protocol 99, this command speaks ${protocol}.`,
        hint: 'replace the daemon, your apps keep running: eco daemon stop && eco daemon start',
        details: [],
      }
      const hello = {
        pid: process.pid,
        version: '99.0.0',
        protocol: 99,
        started_at: new Date().toISOString(),
        home: rig.home,
      }
      socket.end(`${JSON.stringify(method === 'hello' ? { result: hello } : { error })}\n`)
    })
  })
  await new Promise<void>((resolve) => server.listen(join(rig.home, 'eco.sock'), resolve))
  try {
    rig.write('ecosystem.yaml', { apps: { app: sleeper } })
    for (const args of [['ls'], ['apply', '--yes'], ['diff'], ['stop', 'all']]) {
      const result = await rig.eco(args)
      expect(result.code, args.join(' ')).toBe(5)
      expect(result.stderr, args.join(' ')).toContain('protocol 99')
      expect(result.stderr, args.join(' ')).toContain('eco daemon stop && eco daemon start')
    }
    expect((await rig.eco(['daemon', 'status'])).stdout).toContain('99.0.0')
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
})

test('a daemon that answers nonsense is an error with a hint, not a crash', async () => {
  await using rig = await createRig()
  mkdirSync(rig.home, { mode: 0o700 })
  const server = net.createServer((socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))
  await new Promise<void>((resolve) => server.listen(join(rig.home, 'eco.sock'), resolve))
  try {
    const result = await rig.eco(['ls'])
    expect(result.code).toBe(5)
    expect(result.stderr).not.toMatch(/ {4}at .*\(|bug in eco/)
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
})

test('a regular file in the place of the socket is named, and left alone', async () => {
  await using rig = await createRig()
  mkdirSync(rig.home, { mode: 0o700 })
  const path = join(rig.home, 'eco.sock')
  writeFileSync(path, 'precious')
  const result = await rig.eco(['ls'])
  expect(result.code).toBe(5)
  expect(result.stderr).toContain(path)
  expect(result.stderr).toMatch(/not a socket|hint/)
  expect(readFileSync(path, 'utf8')).toBe('precious')
})

test('a socket whose daemon is gone is taken over', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: sleeper } })
  const before = await rig.pids('app')
  const daemon = await rig.daemonPid()
  kill(daemon)
  await eventually(() => expect(isRunning(daemon)).toBe(false))
  expect(readdirSync(rig.home)).toContain('eco.sock')
  expect(await rig.pids('app')).toEqual(before)
})

test('an ECO_HOME that is too long for a socket says so', async () => {
  await using rig = await createRig()
  const result = await rig.eco(['ls'], { env: { ECO_HOME: join(rig.dir, 'x'.repeat(120)) } })
  expect(result.code).toBe(4)
  expect(result.stderr).toContain('ECO_HOME is too long')
})

test.skipIf(process.getuid?.() === 0)('an ECO_HOME that may not be written says so', async () => {
  await using rig = await createRig()
  mkdirSync(rig.home)
  chmodSync(rig.home, 0o500)
  const result = await rig.eco(['ls'])
  expect(result.code).toBe(5)
  expect(result.stderr).toContain(rig.home)
})

test('a damaged revision costs its scope only: named, with the remedy, and its apps run on', async () => {
  await using rig = await createRig()
  const config = { apps: { app: sleeper }, environments: { good: {}, bad: {} } }
  await rig.apply(config, '--env', 'good')
  await rig.apply(config, '--env', 'bad')
  const [bad = 0] = await rig.pids('app', '--env', 'bad')
  const good = await rig.pids('app', '--env', 'good')
  await rig.eco(['daemon', 'stop'])
  const path = join(rig.home, 'scopes/demo/bad/revisions/000001.json')
  const intact = readFileSync(path)
  writeFileSync(path, '{"format":1,"serial":1,"apps":{')
  for (const args of [
    ['diff', '--env', 'bad'],
    ['apply', '--yes', '--env', 'bad'],
  ]) {
    const result = await rig.eco(args)
    expect(result.code, args.join(' ')).toBe(5)
    expect(result.stderr, args.join(' ')).toContain(path)
    expect(result.stderr, args.join(' ')).toMatch(/hint: .*mv /)
  }
  expect(isRunning(bad)).toBe(true)
  expect(await rig.pids('app', '--env', 'good')).toEqual(good)
  expect(await rig.apply({ ...config, apps: { app: { ...sleeper, env: { X: '1' } } } }, '--env', 'good')).toMatchObject(
    { code: 0 },
  )
  // ls does not pretend that the scope never was.
  const ls = await rig.eco(['ls'])
  expect(`${ls.stdout}${ls.stderr}`).toContain(path)
  // Restored, it is as it was before: the same process.
  writeFileSync(path, intact)
  await rig.eco(['daemon', 'stop'])
  expect(await rig.pids('app', '--env', 'bad')).toEqual([bad])
})

test('the remedy for a damaged revision works: the one before it is in force', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: sleeper } })
  await rig.apply({ apps: { app: sleeper, more: sleeper } })
  await rig.eco(['daemon', 'stop'])
  const path = join(rig.home, 'scopes/demo/default/revisions/000002.json')
  writeFileSync(path, '')
  expect(await rig.eco(['diff'])).toMatchObject({ code: 5 })
  renameSync(path, `${path}.damaged`)
  await rig.eco(['daemon', 'stop'])
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect((await rig.ls()).map(({ app, ready }) => [app, ready])).toEqual([
    ['app', 1],
    ['more', 1],
  ])
})

test('a revision of a newer eco is refused, not misread', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: sleeper } })
  await rig.eco(['daemon', 'stop'])
  const path = join(rig.home, 'scopes/demo/default/revisions/000001.json')
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), format: 99 }))
  const result = await rig.eco(['diff'])
  expect(result).toMatchObject({ code: 5 })
  expect(result.stderr).toContain('upgrade eco')
})

test('a damaged runtime file costs its own instance only, and is told', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { a: sleeper, b: sleeper } })
  const b = await rig.pids('b')
  await rig.eco(['daemon', 'stop'])
  const folder = join(rig.home, 'scopes/demo/default/runtime')
  const name = readdirSync(folder).find((it) => it.startsWith('a.')) ?? ''
  writeFileSync(join(folder, name), 'not json')
  await eventually(async () => expect(await rig.app('a')).toMatchObject({ state: 'running', ready: 1 }))
  expect(await rig.pids('b')).toEqual(b)
  const logs = await rig.eco(['daemon', 'logs'])
  expect(logs.stdout).toContain(join(folder, name))
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('a record whose pid is a stranger by now is not adopted, and the stranger is not touched', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: sleeper } })
  const [pid = 0] = await rig.pids('app')
  await rig.eco(['daemon', 'stop'])
  kill(pid)
  await eventually(() => expect(isRunning(pid)).toBe(false))
  const folder = join(rig.home, 'scopes/demo/default/runtime')
  const name = readdirSync(folder).find((it) => it.startsWith('app.')) ?? ''
  const record = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  const stranger = {
    pid: process.pid,
    startTime: 1,
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  }
  writeFileSync(join(folder, name), JSON.stringify({ ...record, process: stranger }))
  await eventually(async () => expect(await rig.app('app')).toMatchObject({ state: 'running' }))
  expect(await rig.pids('app')).not.toContain(process.pid)
  expect(await rig.eco(['delete', 'app', '--yes'])).toMatchObject({ code: 0 })
})

test('rubbish in ECO_HOME is no scope', async () => {
  await using rig = await createRig()
  mkdirSync(join(rig.home, 'scopes/x/y/revisions'), { recursive: true })
  writeFileSync(join(rig.home, 'scopes/file'), '')
  writeFileSync(join(rig.home, 'scopes/x/y/revisions/notes.txt'), '')
  expect(await rig.apply({ apps: { app: sleeper } })).toMatchObject({ code: 0 })
  expect((await rig.ls()).map(({ app }) => app)).toEqual(['app'])
})
