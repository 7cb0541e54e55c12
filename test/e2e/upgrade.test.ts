/** `eco daemon upgrade`: the apps change hands, and neither they nor their clients notice. */

import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROOT } from '../support/binary.ts'
import { daemons } from '../support/daemons.ts'
import { eventually } from '../support/eventually.ts'
import { get } from '../support/http.ts'
import { startLoad } from '../support/load.ts'
import { buildEco, type Change } from '../support/other-eco.ts'
import { freePort } from '../support/ports.ts'
import { isRunning, processesWith } from '../support/processes.ts'
import { findPython } from '../support/python.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const CLIENTS = { keepAlive: 8, perRequest: 8 }
const sleeper = { command: ['sleep', '1000'] }

let builds: string
let newer: string
beforeAll(async () => {
  builds = mkdtempSync(join(tmpdir(), 'eco-builds-'))
  newer = await buildEco(builds, { version: '9.1.0' })
})
afterAll(() => rmSync(builds, { recursive: true, force: true }))

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

function daemonLog(rig: Rig): string {
  return readFileSync(join(rig.home, 'daemon.log'), 'utf8')
}

/** Inodes of the sockets that a process holds. */
function socketsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
    } catch {
      return [] // closed meanwhile
    }
  })
}

function zeroApp(port: number, env: object = {}): object {
  return {
    script: join(ROOT, 'bench/apps/zero/plain.cjs'),
    instances: 2,
    listen: `127.0.0.1:${port}`,
    rollout: { soak: '200ms' },
    stop: { timeout: '3s' },
    env,
  }
}

test('under load no request fails, the processes stay, and the app can be scaled, reloaded and changed after it', async () => {
  await using rig = await createRig()
  const port = await freePort()
  expect(await rig.apply({ apps: { api: zeroApp(port, { VERSION: '1' }) } })).toMatchObject({ code: 0 })
  const before = await rig.pids('api')
  const old = await rig.daemonPid()
  const load = await startLoad(port, CLIENTS)

  const upgraded = await rig.eco(['daemon', 'upgrade'], { bin: newer })
  expect(upgraded).toMatchObject({ code: 0 })
  expect(upgraded.stdout).toMatch(new RegExp(`^eco 9\\.1\\.0 \\(pid \\d+\\) took over from eco .* \\(pid ${old}\\)`))
  expect(await rig.pids('api')).toEqual(before)
  expect(isRunning(old)).toBe(false)

  const steps = [
    await rig.eco(['scale', 'api', '+1'], { bin: newer }),
    await rig.eco(['reload', 'api'], { bin: newer }),
    await rig.eco(['daemon', 'upgrade'], { bin: newer }), // with sockets that were inherited once already
    await rig.eco(['apply', '--yes'], { bin: newer }),
  ]
  rig.write('ecosystem.yaml', { apps: { api: zeroApp(port, { VERSION: '2' }) } })
  steps.push(await rig.eco(['apply', '--yes'], { bin: newer }))
  const failures = await load.finish(() => load.count() >= 2000 && load.answers.has('2'))
  for (const step of steps) {
    expect(step).toMatchObject({ code: 0 })
    expect(step.stdout).not.toMatch(/restarts|cannot share/)
  }
  expect(failures).toEqual([])
  expect(daemons(rig)).toHaveLength(1)
})

/** What the apps and their daemon must be after whatever happened: one daemon, the same processes, and the sockets. */
async function expectUnharmed(rig: Rig, before: readonly number[], bin?: string): Promise<void> {
  const options = bin === undefined ? {} : { bin }
  const scaled = await rig.eco(['scale', 'api', '+1'], options)
  expect(scaled).toMatchObject({ code: 0 })
  expect(scaled.stdout).not.toMatch(/restarts|cannot share/)
  const after = await rig.pids('api')
  expect(after.slice(0, before.length)).toEqual(before)
  expect(daemons(rig)).toEqual([await rig.daemonPid()])
  const script = join(ROOT, 'bench/apps/zero/plain.cjs')
  const copies = processesWith(`HOME=${rig.env['HOME']}`).filter((pid) => commandOf(pid).includes(script))
  expect(new Set(copies)).toEqual(new Set(after))
}

interface Point {
  readonly name: string
  readonly change: (code: string) => Change
}

/** Where a hand-over may be cut short, in the order of time: the code of the successor at which it happens. */
const points: readonly Point[] = [
  {
    name: 'before it has loaded its state',
    change: (code) => ({
      file: 'daemon/heir.ts',
      from: '  try {\n    refuseNewer',
      to: `  ${code}\n  try {\n    refuseNewer`,
    }),
  },
  {
    name: 'once it is prepared',
    change: (code) => ({ file: 'daemon/heir.ts', from: '  const said =', to: `  ${code}\n  const said =` }),
  },
  {
    name: 'once it may act',
    change: (code) => ({ file: 'daemon/heir.ts', from: '  return {\n', to: `  ${code}\n  return {\n` }),
  },
  {
    name: 'before it takes the apps over',
    change: (code) => ({
      file: 'daemon/main.ts',
      from: '  const converged =',
      to: `  ${code.replace('from.pid', 'inheritance!.from.pid')}\n  const converged =`,
    }),
  },
  {
    name: 'once it has taken the apps over',
    change: (code) => ({
      file: 'daemon/main.ts',
      from: '    inheritance.serving()',
      to: `    ${code.replace('from.pid', 'inheritance.from.pid')}\n    inheritance.serving()`,
    }),
  },
  {
    name: 'once it serves',
    change: (code) => ({
      file: 'daemon/main.ts',
      from: '    inheritance.serving()',
      to: `    inheritance.serving()\n    ${code.replace('from.pid', 'inheritance.from.pid')}`,
    }),
  },
]

const KILL_OLD = 'try { process.kill(from.pid, "SIGKILL") } catch {}'
const KILL_NEW = 'process.kill(process.pid, "SIGKILL")'

describe('kill -9 in the middle of it', () => {
  for (const [i, { name, change }] of points.entries()) {
    test(`of the old daemon, by the new one ${name}: that one serves`, async () => {
      await using rig = await createRig()
      await rig.apply({ apps: { api: zeroApp(await freePort()) } })
      const before = await rig.pids('api')
      const old = await rig.daemonPid()
      const bin = await buildEco(builds, { version: `9.2.${i}`, changes: [change(KILL_OLD)] })
      expect(await rig.eco(['daemon', 'upgrade'], { bin })).toMatchObject({ code: 0 })
      expect((await rig.eco(['daemon', 'status'])).stdout).toContain(`eco 9.2.${i}`)
      await eventually(() => !isRunning(old))
      await expectUnharmed(rig, before)
    })

    test(`of the new daemon, ${name}`, async () => {
      await using rig = await createRig()
      await rig.apply({ apps: { api: zeroApp(await freePort()) } })
      const before = await rig.pids('api')
      const old = await rig.daemonPid()
      const bin = await buildEco(builds, { version: `9.3.${i}`, changes: [change(KILL_NEW)] })
      const upgraded = await rig.eco(['daemon', 'upgrade'], { bin })
      if (name !== 'once it serves') {
        expect(upgraded).toMatchObject({ code: 5 })
        expect(upgraded.stderr).toMatch(/goes on|runs again, pid/)
        // Before it may act, nothing has happened at all.
        if (i < 2) expect(await rig.daemonPid()).toBe(old)
      }
      if (i < points.length - 1) return await expectUnharmed(rig, before)
      // Nobody was left who had the sockets: what comes next is that of a crash.
      expect(await rig.pids('api')).toEqual(before)
      expect(daemons(rig)).toEqual([await rig.daemonPid()])
    })
  }
})

describe('a new daemon that does not come up', () => {
  const failures: readonly { readonly what: string; readonly says: RegExp; readonly change: Change }[] = [
    {
      what: 'cannot be loaded',
      says: /ended before it could take over; the one that runs goes on/,
      change: { file: 'daemon/main.ts', from: "import { mkdirSync } from 'node:fs'", to: "throw new Error('broken')" },
    },
    {
      what: 'ends in the check of the state',
      says: /ended before it could take over/,
      change: {
        file: 'daemon/heir.ts',
        from: '  try {\n    refuseNewer',
        to: '  process.exit(0)\n  try {\n    refuseNewer',
      },
    },
    {
      what: 'throws when it takes the sockets',
      says: /could not take over: it ended; eco .* runs again, pid \d+/,
      change: {
        file: 'daemon/main.ts',
        from: '  if (inheritance) daemon.inherit(',
        to: "  throw new Error('broken')\n  if (inheritance) daemon.inherit(",
      },
    },
    {
      what: 'throws when it takes the apps over',
      says: /could not take over: it ended; eco .* runs again, pid \d+/,
      change: {
        file: 'daemon/main.ts',
        from: '  const converged =',
        to: "  throw new Error('broken')\n  const converged =",
      },
    },
  ]
  for (const [i, { what, says, change }] of failures.entries()) {
    test(`because it ${what} leaves the old version in charge, and loses no request`, async () => {
      await using rig = await createRig()
      const port = await freePort()
      await rig.apply({ apps: { api: zeroApp(port) } })
      const before = await rig.pids('api')
      const version = (await rig.eco(['daemon', 'status', '--json'])).json().version as string
      const bin = await buildEco(builds, { version: `9.4.${i}`, changes: [change] })
      const load = await startLoad(port, CLIENTS)
      const upgraded = await rig.eco(['daemon', 'upgrade'], { bin })
      expect(upgraded).toMatchObject({ code: 5, stdout: '' })
      expect(upgraded.stderr).toMatch(says)
      expect((await rig.eco(['daemon', 'status', '--json'])).json()).toMatchObject({ version })
      await expectUnharmed(rig, before)
      expect(await load.finish(() => load.count() >= 500)).toEqual([])
    })
  }

  for (const [what, change, says] of [
    [
      'be prepared',
      { file: 'daemon/heir.ts', from: '  const offered', to: '  for (;;) {}\n  const offered' },
      /was not prepared within 0.5s; this one goes on/,
    ],
    [
      'begin',
      { file: 'daemon/heir.ts', from: '  const said =', to: '  for (;;) {}\n  const said =' },
      /the one that runs goes on/,
    ],
    [
      'serve',
      { file: 'daemon/main.ts', from: '  const converged =', to: '  for (;;) {}\n  const converged =' },
      /did not serve within 5s; eco 9\.5\.\d runs again/,
    ],
  ] as const) {
    test(`because it takes too long to ${what} is killed`, async () => {
      await using rig = await createRig()
      const changes: Change[] = [
        {
          file: 'daemon/succession.ts',
          from: 'PREPARE_MS = 30_000',
          to: `PREPARE_MS = ${what === 'be prepared' ? 500 : 30_000}`,
        },
        { file: 'daemon/succession.ts', from: 'ACT_MS = 3000', to: `ACT_MS = ${what === 'begin' ? 500 : 3000}` },
        { file: 'daemon/succession.ts', from: 'SERVE_MS = 12_000', to: 'SERVE_MS = 5000' },
      ]
      const patch = ['be prepared', 'begin', 'serve'].indexOf(what)
      const hurried = await buildEco(builds, { version: `9.5.${patch}`, changes })
      rig.write('ecosystem.yaml', { apps: { api: zeroApp(await freePort()) } })
      await rig.eco(['apply', '--yes'], { bin: hurried })
      const before = await rig.pids('api')
      const bin = await buildEco(builds, { version: `9.6.${patch}`, changes: [change] })
      const upgraded = await rig.eco(['daemon', 'upgrade'], { bin })
      expect(upgraded).toMatchObject({ code: 5 })
      expect(upgraded.stderr).toMatch(says)
      await expectUnharmed(rig, before)
    })
  }
})

test('it waits for an apply that is under way, says so, and happens then', async () => {
  await using rig = await createRig()
  const port = await freePort()
  await rig.apply({ apps: { api: zeroApp(port, { VERSION: '1' }) } })
  rig.write('ecosystem.yaml', { apps: { api: { ...zeroApp(port, { VERSION: '2' }), rollout: { soak: '3s' } } } })
  const applied = rig.eco(['apply', '--yes'])
  await eventually(async () => (await rig.app('api')).rollout !== null)
  const upgraded = await rig.eco(['daemon', 'upgrade'], { bin: newer })
  expect(upgraded).toMatchObject({ code: 0 })
  expect(upgraded.stderr).toMatch(/waiting for demo\/default: apply by/)
  // The command that waited for its apply has its answer.
  expect(await applied).toMatchObject({ code: 0 })
  expect((await rig.app('api')).rollout).toBeNull()
})

test('it waits for a run, whose end only the daemon that started it is told', async () => {
  await using rig = await createRig()
  const until = join(rig.dir, 'go')
  const report = {
    kind: 'cron',
    schedule: '0 0 1 1 *',
    command: ['sh', '-c', `while [ ! -e ${until} ]; do sleep 0.05; done`],
  }
  expect(await rig.apply({ apps: { report } })).toMatchObject({ code: 0 })
  const run = rig.eco(['restart', 'report'])
  await eventually(async () => (await rig.pids('report')).length === 1)
  const upgraded = rig.eco(['daemon', 'upgrade'], { bin: newer })
  await eventually(() => daemonLog(rig).includes('waits with that for'))
  rig.write('go', '')
  const { code, stderr } = await upgraded
  expect(code).toBe(0)
  expect(stderr).toMatch(/waiting for .*a run of the cron app report/)
  await run
  expect((await rig.app('report')).last_run).toMatchObject({ outcome: 'completed', exit: { kind: 'code', code: 0 } })
})

test('instances on a port that they do not declare share it with those that come after it', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const script = rig.write(
    'serve.cjs',
    `require('http').createServer((_, r) => r.end(process.env.VERSION)).listen(${port})`,
  )
  const api = (VERSION: string): object => {
    return {
      apps: { api: { script, instances: 2, env: { VERSION }, rollout: { soak: '200ms' }, stop: { timeout: '3s' } } },
    }
  }
  expect(await rig.apply(api('1'))).toMatchObject({ code: 0 })
  const before = await rig.pids('api')
  const load = await startLoad(port, CLIENTS)
  expect(await rig.eco(['daemon', 'upgrade'])).toMatchObject({ code: 0 })
  expect(await rig.pids('api')).toEqual(before)
  const scaled = await rig.eco(['scale', 'api', '+1'])
  expect(scaled).toMatchObject({ code: 0 })
  const applied = await rig.apply(api('2'))
  expect(applied).toMatchObject({ code: 0 })
  for (const { stdout } of [scaled, applied]) expect(stdout).not.toMatch(/restarts|cannot share/)
  expect(await load.finish(() => load.count() >= 1000 && load.answers.has('2'))).toEqual([])
})

test('a second upgrade at the same time is refused, and the first one happens', async () => {
  await using rig = await createRig()
  const job = { kind: 'job', command: ['sh', '-c', 'while [ ! -e go ]; do sleep 0.05; done'] }
  rig.write('ecosystem.yaml', { apps: { job } })
  const applied = rig.eco(['apply', '--yes'])
  await eventually(async () => (await rig.ls()).length === 1)
  const first = rig.eco(['daemon', 'upgrade'], { bin: newer })
  await eventually(() => daemonLog(rig).includes('hands over'))
  const second = await rig.eco(['daemon', 'upgrade'])
  expect(second).toMatchObject({ code: 5 })
  expect(second.stderr).toContain('is under way')
  rig.write('go', '')
  expect(await first).toMatchObject({ code: 0 })
  expect(await applied).toMatchObject({ code: 0 })
  expect((await rig.eco(['daemon', 'status', '--json'])).json()).toMatchObject({ version: '9.1.0' })
})

test('a daemon that is stopped while it waits takes its successor with it', async () => {
  await using rig = await createRig()
  const job = { kind: 'job', command: ['sh', '-c', 'while [ ! -e go ]; do sleep 0.05; done'] }
  rig.write('ecosystem.yaml', { apps: { job } })
  const applied = rig.eco(['apply', '--yes'])
  await eventually(async () => (await rig.ls()).length === 1)
  const upgraded = rig.eco(['daemon', 'upgrade'], { bin: newer })
  await eventually(() => daemonLog(rig).includes('hands over'))
  expect(await rig.eco(['daemon', 'stop'])).toMatchObject({ code: 0 })
  expect(await upgraded).toMatchObject({ code: 5 })
  await applied
  await eventually(() => expect(daemons(rig)).toEqual([]))
})

test('whoever gives up waiting for it calls it off', async () => {
  await using rig = await createRig()
  const port = await freePort()
  await rig.apply({ apps: { api: zeroApp(port, { VERSION: '1' }) } })
  rig.write('ecosystem.yaml', { apps: { api: { ...zeroApp(port, { VERSION: '2' }), rollout: { soak: '4s' } } } })
  const old = await rig.daemonPid()
  const applied = rig.eco(['apply', '--yes'])
  await eventually(async () => (await rig.app('api')).rollout !== null)
  const abort = new AbortController()
  const upgraded = rig.eco(['daemon', 'upgrade'], { bin: newer, signal: abort.signal })
  await eventually(() => daemonLog(rig).includes('waits with that for'))
  abort.abort()
  await upgraded
  expect(await applied).toMatchObject({ code: 0 })
  expect(await rig.daemonPid()).toBe(old)
  expect(daemons(rig)).toEqual([old])
})

test('commands that come meanwhile wait in the queue of the socket', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: zeroApp(await freePort()) } })
  const before = await rig.pids('api')
  let wanted = true
  let count = 0
  const asking = Array.from({ length: 3 }, async () => {
    while (wanted) {
      const { code, stderr } = await rig.eco(['describe', 'api'])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      count += 1
    }
  })
  for (let i = 0; i < 4; i++) {
    const done = count
    expect(await rig.eco(['daemon', 'upgrade', '--json'])).toMatchObject({ code: 0 })
    await eventually(() => count > done)
  }
  wanted = false
  await Promise.all(asking)
  await expectUnharmed(rig, before)
})

test('a new instance holds the socket of its own app and of no other', async () => {
  await using rig = await createRig()
  const names = Array.from({ length: 20 }, (_, i) => `other${i}`)
  const others = names.map((name) => {
    return [name, { ...sleeper, listen: join(rig.dir, `${name}.sock`), ready: { delay: '1ms' } }] as const
  })
  const apps = { api: zeroApp(await freePort()), ...Object.fromEntries(others) }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  const [first = 0] = await rig.pids('api')
  expect(await rig.eco(['daemon', 'upgrade'])).toMatchObject({ code: 0 })
  expect(await rig.eco(['scale', 'api', '+1'])).toMatchObject({ code: 0 })
  const [, , added = 0] = await rig.pids('api')
  const ofDaemon = new Set(socketsOf(await rig.daemonPid()))
  expect(ofDaemon.size).toBeGreaterThan(others.length)
  const shared = (pid: number): string[] => socketsOf(pid).filter((inode) => ofDaemon.has(inode))
  expect(shared(first)).toHaveLength(1)
  expect(shared(added)).toEqual(shared(first))
})

test('the socket file of an app stays where it is', async () => {
  await using rig = await createRig()
  const path = join(rig.home, '..', 'app.sock')
  const server = rig.write(
    'server.cjs',
    `require('http').createServer((_, r) => r.end('"' + process.pid + '"')).listen('${path}')`,
  )
  const api = { script: server, listen: path, rollout: { soak: '200ms' }, stop: { drain: '100ms' } }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  const [before] = await rig.pids('api')
  expect(await rig.eco(['daemon', 'upgrade'])).toMatchObject({ code: 0 })
  expect((await get(path)).body).toBe(String(before))
  const reloaded = await rig.eco(['reload', 'api'])
  expect(reloaded).toMatchObject({ code: 0 })
  expect((await get(path)).body).not.toBe(String(before))
})

test('without a daemon it starts one, and the same version takes over too', async () => {
  await using rig = await createRig()
  const started = await rig.eco(['daemon', 'upgrade', '--json'])
  expect(started).toMatchObject({ code: 0 })
  const { from, to } = started.json() as { from: null; to: { pid: number; version: string } }
  expect(from).toBeNull()
  const again = await rig.eco(['daemon', 'upgrade'])
  expect(again).toMatchObject({ code: 0 })
  expect(again.stdout).toContain('It is the same version.')
  const third = (await rig.eco(['daemon', 'upgrade', '--json'])).json() as { from: object; to: { pid: number } }
  expect(third).toMatchObject({ from: { version: to.version }, to: { version: to.version } })
  expect(daemons(rig)).toEqual([third.to.pid])
})

const python = findPython()
if (python === null) process.stderr.write('SKIPPED: no python3 here, so no upgrade beside calls that block\n')

test.skipIf(python === null)('a program that blocks in accept goes on blocking there', async () => {
  await using rig = await createRig()
  const path = join(rig.dir, 'api.sock')
  const port = await freePort()
  const command = [python as string, fixture('systemd-server.py')]
  const apps = { tcp: { command, listen: `127.0.0.1:${port}` }, unix: { command, listen: path } }
  expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
  const before = [await rig.pids('tcp'), await rig.pids('unix')]
  expect(await rig.eco(['daemon', 'upgrade'])).toMatchObject({ code: 0 })
  for (let i = 0; i < 5; i++) {
    expect(await get(port)).toMatchObject({ status: 200 })
    expect(await get(path)).toMatchObject({ status: 200 })
  }
  expect([await rig.pids('tcp'), await rig.pids('unix')]).toEqual(before)
})
