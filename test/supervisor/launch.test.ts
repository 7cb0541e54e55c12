/** As whom and with which attributes a process runs: the kernel is asked, not eco. */

import { execFileSync } from 'node:child_process'
import { accessSync, chmodSync, constants, copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { SPEC_DEFAULTS } from '../../src/model/defaults.ts'
import type { Exit } from '../../src/model/observed.ts'
import type { ProcessAttributes } from '../../src/model/spec.ts'
import { LOG_FILES } from '../../src/supervisor/outputs.ts'
import { spawnInstance } from '../../src/supervisor/child.ts'
import { lookUpUser } from '../../src/supervisor/account.ts'
import { prepared } from '../../src/supervisor/launch-script.ts'
import { launchBeside, loginVariables } from '../../src/supervisor/launch.ts'
import { kill } from '../support/processes.ts'
import { eventually } from './children.ts'

const DEFAULTS: ProcessAttributes = SPEC_DEFAULTS.attributes
const isRoot = process.getuid?.() === 0
const isLinux = process.platform === 'linux'
if (!isRoot) process.stderr.write('SKIPPED: not root, so no other users were tried\n')

const ended: (() => void)[] = []
afterEach(() => {
  for (const end of ended.splice(0).toReversed()) end()
})

interface Started {
  readonly pid: number | null
  readonly notes: string[]
  readonly exits: Exit[]
  readonly log: string
  proc(file: string): string
}

function start(
  attributes: Partial<ProcessAttributes>,
  options: { command?: string[]; preload?: string } = {},
): Started {
  const dir = mkdtempSync(join(tmpdir(), 'eco-launch-'))
  const log = join(dir, 'out.log')
  const notes: string[] = []
  const destination = { path: log, format: 'plain', run: 'test', app: 'app', instance: 'app#0' } as const
  const exits: Exit[] = []
  const pid = spawnInstance(
    {
      command: options.command ?? ['sleep', '1000'],
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '', ...loginVariables({ ...DEFAULTS, ...attributes }) },
      attributes: { ...DEFAULTS, ...attributes },
      preload: options.preload ?? null,
      stdout: { ...destination, stream: 'stdout' },
      stderr: { ...destination, stream: 'stderr' },
      outputs: LOG_FILES,
      listenFds: [],
      hasChannel: false,
      systemdFds: false,
      readyFd: null,
    },
    { exited: (exit) => exits.push(exit), asked: () => null, ready: () => {}, noted: (more) => notes.push(...more) },
  )
  ended.push(() => {
    if (pid !== null) kill(pid)
    rmSync(dir, { recursive: true, force: true })
  })
  return { pid, notes, exits, log, proc: (file) => readFileSync(`/proc/${pid}/${file}`, 'utf8') }
}

/** Waits until the process has become its program. */
async function isProgram(started: Started, name = 'sleep'): Promise<void> {
  await eventually(() => started.proc('comm').trim() === name)
}

function statusLine(started: Started, key: string): string[] {
  const line = started
    .proc('status')
    .split('\n')
    .find((it) => it.startsWith(`${key}:`))
  return (line ?? '')
    .slice(key.length + 1)
    .trim()
    .split(/\s+/)
    .filter(Boolean)
}

test('an app that asks for nothing is spawned as it is', () => {
  const preparation = { attributes: DEFAULTS, listenPid: false, reportFd: 3 }
  const command = ['node', 'server.js']
  expect(prepared(command, preparation)).toBe(command)
})

test.runIf(isLinux)('umask, nice, oom_score_adj and ulimits hold for the very process that was spawned', async () => {
  const rlimits = { nofile: 4096, nproc: 1000, core: 0, fsize: 1 << 30, stack: 4 << 20, memlock: 65_536 }
  const started = start({ umask: 0o027, nice: 7, oomScoreAdj: 300, rlimits })
  const plain = start({})
  await isProgram(started)
  expect(statusLine(started, 'Umask')).toEqual(['0027'])
  expect(started.proc('stat').split(') ')[1]?.split(' ')[16]).toBe('7')
  expect(started.proc('oom_score_adj').trim()).toBe('300')
  const limits = started.proc('limits')
  expect(limits).toMatch(/Max open files\s+4096\s+4096/)
  expect(limits).toMatch(/Max processes\s+1000\s+1000/)
  expect(limits).toMatch(/Max core file size\s+0\s+0/)
  expect(limits).toMatch(/Max file size\s+1073741824\s+1073741824/)
  expect(limits).toMatch(/Max stack size\s+4194304\s+4194304/)
  expect(limits).toMatch(/Max locked memory\s+65536\s+65536/)
  expect(started.notes).toEqual([])
  // The leader of its session, with the pid that was returned, and with no descriptor that is not its own.
  expect(started.proc('stat').split(') ')[1]?.split(' ')[3]).toBe(String(started.pid))
  expect(openDescriptors(started)).toEqual(openDescriptors(plain))
})

function openDescriptors(started: Started): string[] {
  return execFileSync('ls', [`/proc/${started.pid}/fd`], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean)
}

test.runIf(isLinux)('what the system refuses is said, and the process runs all the same', async () => {
  const rlimits = { nofile: 1_000_000_000_000, core: 0 }
  const started = start({ rlimits })
  await isProgram(started)
  await eventually(() => started.notes.length > 0)
  expect(started.notes).toHaveLength(1)
  expect(started.notes[0]).toMatch(
    /^ulimits\.nofile is \d+, not 1000000000000: the system allows no more; start the daemon with a higher hard limit \(LimitNOFILE= of its unit\)$/,
  )
  expect(started.proc('limits')).toMatch(/Max core file size\s+0\s+0/)
})

const mayLowerOom = isLinux && mayWrite()
function mayWrite(): boolean {
  const caps = BigInt(`0x${/CapEff:\s*(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`)
  return (caps & (1n << 24n)) !== 0n // CAP_SYS_RESOURCE
}
if (mayLowerOom) process.stderr.write('SKIPPED: with CAP_SYS_RESOURCE nothing refuses a negative oom_score_adj\n')

test.runIf(isLinux && !mayLowerOom)('a score that may not be lowered is said', async () => {
  const started = start({ oomScoreAdj: -500 })
  await isProgram(started)
  await eventually(() => started.notes.length > 0)
  expect(started.notes).toEqual([
    'oom_score_adj is not -500: the system does not allow it (lowering it needs CAP_SYS_RESOURCE)',
  ])
})

test('a program that is missing, or must not be executed, is a start that failed, with its reason', async () => {
  const missing = start({ umask: 0o077 }, { command: ['no-such-program'] })
  const folder = start({ umask: 0o077 }, { command: ['/etc'] })
  const file = start({ umask: 0o077 }, { command: ['/etc/passwd'] })
  await eventually(() => missing.exits.length > 0 && folder.exits.length > 0 && file.exits.length > 0)
  expect([missing, folder, file].map(({ pid }) => pid)).toEqual([null, null, null])
  expect(missing.exits[0]).toMatchObject({ kind: 'spawn-error', message: 'no-such-program was not found on PATH' })
  expect(folder.exits[0]).toMatchObject({ kind: 'spawn-error', message: '/etc may not be executed (EACCES)' })
  expect(file.exits[0]).toMatchObject({ kind: 'spawn-error', message: '/etc/passwd may not be executed (EACCES)' })
})

test('a user or group that does not exist is a start that failed', async () => {
  const user = start({ user: 'no-such-user' })
  const group = start({ group: 'no-such-group' })
  const number = start({ user: '4000000' })
  await eventually(() => user.exits.length > 0 && group.exits.length > 0 && number.exits.length > 0)
  expect(user.exits[0]).toMatchObject({ message: 'there is no user no-such-user on this machine' })
  expect(group.exits[0]).toMatchObject({ message: 'there is no group no-such-group on this machine' })
  if (isRoot) expect(number.exits[0]).toMatchObject({ message: expect.stringContaining('name its "group" too') })
  expect([user, group, number].map(({ pid }) => pid)).toEqual([null, null, null])
})

test.runIf(isRoot)('a user brings its own groups, its home and nothing of root', async () => {
  const started = start({ user: 'nobody' })
  await isProgram(started)
  const { uid, gid } = lookUpUser('nobody') ?? {}
  expect(statusLine(started, 'Uid')).toEqual(Array.from({ length: 4 }, () => String(uid)))
  expect(statusLine(started, 'Gid')).toEqual(Array.from({ length: 4 }, () => String(gid)))
  expect(statusLine(started, 'Groups')).toEqual([String(gid)])
  expect(statusLine(started, 'CapEff')).toEqual(['0000000000000000'])
  const environment = started.proc('environ').split('\0')
  expect(environment).toContain('USER=nobody')
  expect(environment).toContain('LOGNAME=nobody')
  expect(environment.find((it) => it.startsWith('HOME='))).not.toBe('HOME=/root')
})

test.runIf(isRoot)('a group alone keeps the user; a number needs no entry when its group is named', async () => {
  const group = start({ group: 'nogroup' })
  const number = start({ user: '54321', group: '54322' })
  await isProgram(group)
  await isProgram(number)
  expect([statusLine(group, 'Uid')[0], statusLine(group, 'Gid')[0]]).toEqual(['0', '65534'])
  expect([statusLine(number, 'Uid')[0], statusLine(number, 'Gid')[0]]).toEqual(['54321', '54322'])
  expect(statusLine(number, 'Groups')).toEqual([])
})

test.runIf(isRoot)('all is done as root before the user changes, in one shell, which is gone afterwards', async () => {
  const started = start({ user: 'nobody', nice: -3, umask: 0o077, rlimits: { nofile: 2000 } })
  await isProgram(started)
  expect(statusLine(started, 'Uid')[0]).toBe(String(lookUpUser('nobody')?.uid))
  expect(statusLine(started, 'Umask')).toEqual(['0077'])
  expect(started.proc('stat').split(') ')[1]?.split(' ')[16]).toBe('-3')
  expect(started.proc('limits')).toMatch(/Max open files\s+2000\s+2000/)
  expect(started.notes).toEqual([])
})

test.runIf(isRoot)('an app of another user writes to its log, and may open it again', async () => {
  const command = ['sh', '-c', 'echo one; echo two >>/dev/stderr; exec sleep 1000']
  const started = start({ user: 'nobody' }, { command })
  await eventually(() => readFileSync(started.log, 'utf8') === 'one\ntwo\n')
  expect(statSync(started.log).mode & 0o777).toBe(0o600)
})

test.runIf(isRoot)(
  'a program or a preload that only root can reach is a start that failed, and names what is closed',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'eco-closed-'))
    ended.push(() => rmSync(dir, { recursive: true, force: true }))
    const program = join(dir, 'program')
    copyFileSync('/bin/sleep', program)
    const closed = start({ user: 'nobody' }, { command: [program, '1000'] })
    const preload = start({ user: 'nobody' }, { preload: program })
    const own = start({ umask: 0o077 }, { command: [program, '1000'], preload: program })
    await eventually(() => closed.exits.length > 0 && preload.exits.length > 0)
    expect(closed.exits[0]).toMatchObject({ message: `user nobody may not execute ${program}: ${dir} is closed to it` })
    expect(preload.exits[0]).toMatchObject({ message: expect.stringContaining(`${dir} is closed to it; install eco`) })
    await isProgram(own, 'program')
    chmodSync(dir, 0o755)
    await isProgram(start({ user: 'nobody' }, { command: [program, '1000'], preload: program }), 'program')
  },
)

test.runIf(isRoot && isLinux)('who is not root becomes nobody else', async () => {
  process.seteuid?.(lookUpUser('nobody')?.uid ?? 0)
  try {
    const launch = (attributes: Partial<ProcessAttributes>): unknown =>
      launchBeside(['true'], { ...DEFAULTS, ...attributes })
    expect(() => launch({ user: 'daemon' })).toThrow(
      'to run as user daemon, the daemon must run as root; this one runs',
    )
    expect(() => launch({ group: 'daemon' })).toThrow('to run with group daemon, the daemon must run as root')
    expect(launch({ user: 'nobody', group: String(process.getegid?.()) })).toMatchObject({ command: ['true'] })
  } finally {
    process.seteuid?.(0)
  }
})

const useradd = isRoot && isExecutable('/usr/sbin/useradd')
if (isRoot && !useradd) process.stderr.write('SKIPPED: no useradd, so supplementary groups were not tried\n')

test.runIf(useradd)('the supplementary groups of the user are set', async () => {
  const user = `eco-t${process.pid}`
  execFileSync('useradd', ['--system', '--no-create-home', '--groups', 'daemon,www-data', user])
  try {
    const started = start({ user })
    await isProgram(started)
    const own = lookUpUser(user)?.gid
    const names = ['daemon', 'www-data'].map((name) => execFileSync('getent', ['group', name], { encoding: 'utf8' }))
    const groups = [own, ...names.map((entry) => Number(entry.split(':')[2]))]
    expect(
      statusLine(started, 'Groups')
        .map(Number)
        .toSorted((a, b) => a - b),
    ).toEqual(groups.map(Number).toSorted((a, b) => a - b))
  } finally {
    for (const end of ended.splice(0)) end()
    await eventually(() => removed(user))
  }
})

function removed(user: string): boolean {
  try {
    execFileSync('userdel', [user], { stdio: 'ignore' })
    return true
  } catch {
    return false // it is still in use
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
