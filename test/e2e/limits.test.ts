/** Limits of memory and CPU, and as whom an app runs: asked of the kernel. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { environmentOf, isRunning, kill } from '../support/processes.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const isLinux = process.platform === 'linux'
const isRoot = process.getuid?.() === 0
if (!isRoot) process.stderr.write('SKIPPED: not root, so no other users and no OOM killer were tried\n')

const MB = 2 ** 20
const grower = { script: fixture('grows.mjs'), ready: { delay: '10ms' } }

/** The most memory each process that grew ever had, megabytes. */
function peaks(folder: string): number[] {
  return readdirSync(folder).map((name) => Number(readFileSync(join(folder, name), 'utf8')) / 1024)
}

function peakDir(rig: Rig): string {
  const dir = join(rig.dir, 'peaks')
  mkdirSync(dir)
  return dir
}

async function messages(rig: Rig, app: string): Promise<string[]> {
  const { stdout } = await rig.eco(['events', app, '--json'])
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { message: string }).message)
}

test.runIf(isLinux)(
  'a process that grows by 150 MB/s is restarted below twice its limit, 20 times in a row',
  async () => {
    await using rig = await createRig()
    const dir = peakDir(rig)
    const restart = { max: 1000, backoff: { initial: '1ms', max: '1ms' } }
    const app = { ...grower, env: { RATE_MB: '150', PEAK_DIR: dir }, limits: { memory: '100M' }, restart }
    expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0 })
    await eventually(
      async () => expect((await rig.app('app')).instances[0]?.restarts).toBeGreaterThanOrEqual(20),
      80_000,
    )
    await rig.eco(['stop', 'app'])
    const all = peaks(dir)
    expect(all.length).toBeGreaterThanOrEqual(20)
    expect(Math.max(...all)).toBeLessThan(200)
    expect(all.filter((peak) => peak > 99).length).toBeGreaterThanOrEqual(20)
    expect((await messages(rig, 'app')).join('\n')).toMatch(
      /uses 1\d\dM of memory, above its limit of 100M; restarting \(restart 1 of 1000\)/,
    )
  },
  100_000,
)

test.runIf(isLinux)('a tree is limited as a whole, whatever process of it grows', async () => {
  await using rig = await createRig()
  const dir = peakDir(rig)
  const restart = { policy: 'never' }
  const limits = { memory: '400M' }
  const apps = {
    four: { ...grower, env: { RATE_MB: '30', WORKERS: '4', PEAK_DIR: dir }, limits, restart },
    grandchild: { ...grower, env: { RATE_MB: '150', NESTED: '2', PEAK_DIR: dir }, limits, restart },
  }
  await rig.apply({ apps })
  for (const name of Object.keys(apps)) {
    await eventually(async () => expect((await rig.app(name)).state).toBe('failed'), 30_000)
    expect((await rig.app(name)).reason).toMatch(/^uses \d+M of memory, above its limit of 400M/)
  }
  expect(peaks(dir)).toHaveLength(5)
  expect(Math.max(...peaks(dir))).toBeLessThan(800)
})

test.runIf(isLinux)('limits change while an app runs, without a new process', async () => {
  await using rig = await createRig()
  const app = (memory: string): object => ({
    apps: { app: { ...grower, env: { RATE_MB: '300', MOST_MB: '100' }, limits: { memory } } },
  })
  await rig.apply(app('1G'))
  const [pid = 0] = await rig.pids('app')
  await eventually(() => expect(residentBytes(pid)).toBeGreaterThan(100 * MB))
  const raised = await rig.apply(app('2G'))
  expect(raised.stdout).toContain('no process is touched')
  expect(await rig.pids('app')).toEqual([pid])
  await rig.apply(app('60M'))
  await eventually(() => expect(isRunning(pid)).toBe(false))
  expect((await messages(rig, 'app')).join('\n')).toMatch(/uses 1\d\dM of memory, above its limit of 60M/)
})

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
}

test.runIf(isLinux)('the next daemon keeps to the limits of what it takes over', async () => {
  await using rig = await createRig()
  const dir = peakDir(rig)
  const env = { RATE_MB: '100', START_MS: '6000', PEAK_DIR: dir }
  await rig.apply({ apps: { app: { ...grower, env, limits: { memory: '150M' }, restart: { policy: 'never' } } } })
  const [pid = 0] = await rig.pids('app')
  kill(await rig.daemonPid())
  expect(await rig.pids('app')).toEqual([pid]) // starts the next daemon
  await eventually(async () => expect((await rig.app('app')).state).toBe('failed'), 20_000)
  expect(peaks(dir)[0]).toBeLessThan(300)
})

test.runIf(isLinux)('a job above its memory limit has failed', async () => {
  await using rig = await createRig()
  const env = { RATE_MB: '150' }
  const result = await rig.apply({ apps: { job: { ...jobOf(grower), env, limits: { memory: '100M' } } } })
  expect(result.code).toBe(7)
  expect(result.stderr).toMatch(/uses 1\d\dM of memory, above its limit of 100M/)
})

function jobOf({ script }: { script: string }): object {
  return { kind: 'job', script }
}

test.runIf(isLinux)('what the system does not allow is said by apply and describe, and the app runs', async () => {
  await using rig = await createRig()
  const app = { command: ['sleep', '1000'], ulimits: { nofile: 1_000_000_000 }, limits: { cpu: 1.5 } }
  const applied = await rig.apply({ apps: { app } })
  expect(applied).toMatchObject({ code: 0 })
  const note = /ulimits\.nofile is \d+, not 1000000000: the system allows no more/
  expect(applied.stderr).toMatch(note)
  const described = await rig.eco(['describe', 'app'])
  expect(described.stdout).toMatch(new RegExp(`note: ${note.source}`))
  expect(described.stdout).toContain('limits: cpu 1.5')
  expect(described.stdout).toContain('runs as: nofile 1000000000')
  const { notes = [] } = (await rig.app('app')).instances[0] ?? {}
  expect(notes.filter((it) => note.test(it))).toHaveLength(1)
  if (!hasCpuController()) expect(notes.join('\n')).toContain('limits.cpu is not enforced')
  // Told once, not at every restart.
  const [pid = 0] = await rig.pids('app')
  kill(pid)
  await eventually(async () => expect((await rig.app('app')).instances[0]).toMatchObject({ restarts: 1, ready: true }))
  expect((await messages(rig, 'app')).filter((it) => note.test(it))).toHaveLength(1)
})

function hasCpuController(): boolean {
  try {
    return readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').includes('cpu')
  } catch {
    return false
  }
}

test.runIf(isRoot && isLinux)('an app and its hooks run as the user of the file, with its attributes', async () => {
  await using rig = await createRig()
  const show = 'id -un; id -Gn; umask; ulimit -n; nice; cat /proc/self/oom_score_adj; echo $HOME $USER'
  const app = {
    command: ['sh', '-c', `${show}; exec sleep 1000`],
    ready: { log: ' nobody' },
    hooks: { pre_start: 'echo hook by $(id -un) >&2' },
    user: 'nobody',
    umask: '027',
    nice: 10,
    oom_score_adj: 500,
    ulimits: { nofile: 1234 },
  }
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0 })
  const home = execFileSync('getent', ['passwd', 'nobody'], { encoding: 'utf8' }).split(':')[5]
  const group = execFileSync('id', ['-Gn', 'nobody'], { encoding: 'utf8' }).trim()
  expect(rig.output('app').trim().split('\n')).toEqual(['nobody', group, '0027', '1234', '10', '500', `${home} nobody`])
  expect(rig.output('app', { stream: 'err' })).toContain('hook by nobody')
})

test.runIf(isRoot && isLinux)('a socket, a ready descriptor and a user go together', async () => {
  await using rig = await createRig()
  const app = {
    command: [
      'sh',
      '-c',
      'echo fds=$LISTEN_FDS mine=$([ "$LISTEN_PID" = $$$$ ] && echo yes); id -un; echo ready >&$ECO_READY_FD; exec sleep 1000',
    ],
    listen: './app.sock',
    ready: 'signal',
    user: 'nobody',
    umask: '077',
    ulimits: { core: 0 },
  }
  const result = await rig.apply({ apps: { app } })
  expect(result.stderr + rig.output('app', { stream: 'err' })).not.toContain('error')
  expect(result).toMatchObject({ code: 0 })
  expect(rig.output('app')).toBe('fds=1 mine=yes\nnobody\n')
  const [pid = 0] = await rig.pids('app')
  expect(environmentOf(pid)).toMatchObject({ USER: 'nobody' })
})

const memoryCgroup = ownMemoryCgroup()
if (memoryCgroup === null) {
  process.stderr.write('SKIPPED: no memory cgroup can be made here, so the OOM killer was not tried\n')
}

/** A folder where cgroups with a memory limit can be made by hand (v1); null: there is none. */
function ownMemoryCgroup(): string | null {
  if (!isRoot || !isLinux) return null
  const own = /^\d+:memory:(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1]
  if (own === undefined) return null
  const dir = join('/sys/fs/cgroup/memory', own)
  try {
    mkdirSync(join(dir, `eco-probe-${process.pid}`))
    rmdirSync(join(dir, `eco-probe-${process.pid}`))
    return dir
  } catch {
    return null
  }
}

test.runIf(memoryCgroup !== null)('the last exit says when the OOM killer did it', async () => {
  await using rig = await createRig()
  const cgroup = join(memoryCgroup ?? '', `eco-oom-${process.pid}`)
  mkdirSync(cgroup)
  try {
    writeFileSync(join(cgroup, 'memory.limit_in_bytes'), String(64 * MB))
    const command = ['sh', '-c', `echo $$$$ > ${cgroup}/cgroup.procs; exec node ${fixture('grows.mjs')}`]
    const app = { command, env: { RATE_MB: '200' }, ready: { delay: '10ms' }, restart: { policy: 'never' } }
    const other = { command: ['sleep', '1000'], restart: { policy: 'never' } }
    await rig.apply({ apps: { app, other } })
    await eventually(async () => expect((await rig.app('app')).state).toBe('failed'))
    const { instances, reason } = await rig.app('app')
    expect(instances[0]?.last_exit).toMatchObject({ kind: 'signal', signal: 'SIGKILL', oom: true })
    expect(reason).toContain('was killed by SIGKILL: out of memory')
    // A second later, somebody's kill -9 is just that.
    await new Promise((done) => setTimeout(done, 1100))
    kill((await rig.pids('other'))[0] ?? 0)
    await eventually(async () => expect((await rig.app('other')).state).toBe('failed'))
    expect((await rig.app('other')).instances[0]?.last_exit).not.toHaveProperty('oom')
  } finally {
    await rig.eco(['daemon', 'stop', '--apps'])
    await eventually(() => rmdirSync(cgroup))
  }
})
