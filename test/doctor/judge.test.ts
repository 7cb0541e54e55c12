/** What is made of the facts: tables of what cannot be brought about on every machine. */

import { expect, test } from 'vitest'
import type { AppliedOne } from '../../src/doctor/applied-apps.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import type { InspectedService, Inspection } from '../../src/startup/inspection.ts'
import { judgeBoot } from '../../src/doctor/judge/boot.ts'
import { judgeCgroups } from '../../src/doctor/judge/cgroups.ts'
import { judgeDaemon } from '../../src/doctor/judge/daemon.ts'
import { judgeHome, whyClosed } from '../../src/doctor/judge/home.ts'
import { judgeLimits } from '../../src/doctor/judge/limits.ts'
import { judgeLogs, mostBytes } from '../../src/doctor/judge/logs.ts'
import { judgeNode } from '../../src/doctor/judge/node.ts'
import { judgePorts } from '../../src/doctor/judge/ports.ts'
import type { DaemonFacts } from '../../src/doctor/look/daemon.ts'
import type { HomeFacts } from '../../src/doctor/look/home.ts'
import type { LimitFacts } from '../../src/doctor/look/limits.ts'
import type { LogFacts, LogFileFacts, LogFolderFacts } from '../../src/doctor/look/logs.ts'
import type { AddressFacts } from '../../src/doctor/look/ports.ts'
import { SPEC_DEFAULTS } from '../../src/model/defaults.ts'

/** `warning home.space`, of all that is not well. */
function problems(findings: readonly Finding[]): string[] {
  return findings
    .filter(({ level }) => level === 'warning' || level === 'error')
    .map(({ level, id }) => `${level} ${id}`)
}

const GIB = 2 ** 30
const fileSystem = { type: 0xef53, freeBytes: 50 * GIB, totalBytes: 100 * GIB, freeInodes: 1e6, totalInodes: 1e7 }
const home: HomeFacts = {
  path: '/home/me/.eco',
  me: 1000,
  folder: 'there',
  uid: 1000,
  mode: 0o700,
  unwritable: null,
  socketPath: '/home/me/.eco/eco.sock',
  maxSocketPath: 107,
  fileSystem,
  entries: [],
}
const entry = { path: 'daemon.log', type: 'file', uid: 1000, mode: 0o600, bytes: 10, modifiedAt: 0 } as const

test.each<[string, Partial<HomeFacts>, string[]]>([
  ['all is well', {}, []],
  ['not there, but it can be made', { folder: 'missing' }, []],
  ['not there, and nowhere to make it', { folder: 'missing', unwritable: 'EROFS' }, ['error home.folder']],
  ['a file', { folder: 'not a folder' }, ['error home.folder']],
  ['of another user', { uid: 1001 }, ['error home.owner']],
  ['of another user, as root', { uid: 1001, me: 0 }, ['warning home.owner']],
  ['readable by the group', { mode: 0o750 }, ['warning home.modes']],
  ['writable by all', { mode: 0o777 }, ['error home.modes']],
  ['a log open to the group', { entries: [{ ...entry, mode: 0o640 }] }, ['warning home.modes']],
  ['the passage to sockets of apps', { entries: [{ ...entry, path: 'probe', type: 'folder', mode: 0o711 }] }, []],
  [
    'a folder open to all',
    { entries: [{ ...entry, path: 'scopes', type: 'folder', mode: 0o711 }] },
    ['warning home.modes'],
  ],
  ['written by root', { entries: [{ ...entry, uid: 0 }] }, ['error home.owners']],
  [
    'with the log of an app that runs as another user',
    { uid: 0, me: 0, entries: [{ ...entry, path: 'scopes/p/e/logs/api-0.out.log', uid: 33 }] },
    [],
  ],
  [
    'with a log that root has written',
    { entries: [{ ...entry, path: 'scopes/p/e/logs/api-0.out.log', uid: 0 }] },
    ['error home.owners'],
  ],
  [
    'a folder of an app of another user',
    { entries: [{ ...entry, path: 'probe/ab', type: 'folder', uid: 33, mode: 0o700 }] },
    [],
  ],
  ['a read-only file system', { unwritable: 'EROFS' }, ['error home.writable']],
  ['a long path', { socketPath: `/${'x'.repeat(107)}` }, ['error home.socket_path']],
  ['NFS', { fileSystem: { ...fileSystem, type: 0x6969 } }, ['error home.file_system']],
  ['CIFS', { fileSystem: { ...fileSystem, type: 0xff534d42 } }, ['error home.file_system']],
  ['tmpfs', { fileSystem: { ...fileSystem, type: 0x01021994 } }, ['warning home.file_system']],
  ['little space', { fileSystem: { ...fileSystem, freeBytes: 2 * GIB } }, ['warning home.space']],
  ['no space', { fileSystem: { ...fileSystem, freeBytes: 4096 } }, ['error home.space']],
  ['no inodes', { fileSystem: { ...fileSystem, freeInodes: 3 } }, ['error home.inodes']],
  ['btrfs counts no inodes', { fileSystem: { ...fileSystem, freeInodes: 0, totalInodes: 0 } }, []],
  ['a log of the daemon that grew', { entries: [{ ...entry, bytes: GIB }] }, ['warning home.sizes']],
])('home: %s', (_, change, expected) => {
  expect(problems(judgeHome({ ...home, ...change }))).toEqual(expected)
})

test.each<[string, Partial<HomeFacts>, boolean]>([
  ['its own', {}, false],
  ['of another user', { uid: 1001 }, true],
  ['of another user, as root', { uid: 1001, me: 0 }, false],
  ['behind a closed folder', { folder: 'closed' }, true],
  ['not there yet', { folder: 'missing' }, false],
  ['a file', { folder: 'not a folder' }, true],
  ['a long path', { socketPath: `/${'x'.repeat(107)}` }, true],
])('what cannot be looked into: %s', (_, change, isClosed) => {
  expect(whyClosed({ ...home, ...change }) !== null).toBe(isClosed)
})

const hello = { pid: 7, version: '1.2.0', protocol: 1, started_at: '2026-01-01T00:00:00.000Z', home: home.path }
const running: DaemonFacts = {
  socket: home.socketPath,
  contact: { type: 'answers', hello },
  listing: { format_version: '1.0', daemon: { pid: 7, version: '1.2.0' }, apps: [] },
  process: {
    pid: 7,
    uid: 1000,
    state: 'S',
    rssBytes: 30 * 2 ** 20,
    node: '/usr/bin/node',
    isNodeGone: false,
    entry: '/lib/eco/daemon.cjs',
    isEntryGone: false,
    openFiles: 30,
  },
}
const process = running.process

test.each<[string, Partial<DaemonFacts>, string[]]>([
  ['all is well', {}, []],
  [
    'another version',
    { contact: { type: 'answers', hello: { ...hello, version: '1.1.0' } } },
    ['warning daemon.version'],
  ],
  ['another protocol', { contact: { type: 'answers', hello: { ...hello, protocol: 99 } } }, ['error daemon.version']],
  ['Node is gone', { process: process && { ...process, isNodeGone: true } }, ['warning daemon.program']],
  ['its code is gone', { process: process && { ...process, isEntryGone: true } }, ['warning daemon.program']],
  ['as another user', { process: process && { ...process, uid: 0 } }, ['warning daemon.user']],
  ['large', { process: process && { ...process, rssBytes: GIB } }, ['warning daemon.memory']],
  ['its process cannot be seen', { process: null }, []],
  ['hangs', { contact: { type: 'silent' } }, ['error daemon.answer']],
  [
    'of another user',
    { contact: { type: 'refuses', message: 'EACCES', hint: null }, process: null },
    ['error daemon.answer'],
  ],
  ['none', { contact: { type: 'absent' }, process: null }, []],
  ['a socket that a daemon left', { contact: { type: 'left' }, process: null }, []],
  [
    'it cannot write',
    { listing: { format_version: '1.0', daemon: { pid: 7, version: '1.2.0' }, apps: [], problems: ['ENOSPC'] } },
    ['error daemon.state'],
  ],
])('daemon: %s', (_, change, expected) => {
  expect(problems(judgeDaemon({ ...running, ...change }, '1.2.0', 0, 1000))).toEqual(expected)
})

test('without a daemon, apps that run are unsupervised; hanging, it is killed only when nothing else helps', () => {
  const none = { ...running, contact: { type: 'left' }, process: null } as const
  expect(problems(judgeDaemon(none, '1.2.0', 3, 1000))).toEqual(['warning daemon.answer'])
  const silent = { ...running, contact: { type: 'silent' } } as const
  const remedyAt = (state: string): string | null | undefined =>
    judgeDaemon({ ...silent, process: process && { ...process, state } }, '1.2.0', 0, 1000)[0]?.remedy
  expect(remedyAt('T')).toBe('kill -CONT 7')
  expect(remedyAt('R')).toBe('kill -9 7 && eco daemon start')
})

const node = { version: '24.1.0', path: '/usr/bin/node', noDatagrams: null, interpreters: [], ptraceScope: 1 }

test.each<
  [string, Partial<Parameters<typeof judgeNode>[0]>, { notify?: string[]; listen?: string[]; me?: number }, string[]]
>([
  ['24', {}, { listen: ['a'] }, []],
  ['20.18', { version: '20.18.3' }, {}, ['error node.version']],
  ['20.19', { version: '20.19.0' }, {}, []],
  ['21', { version: '21.7.0' }, {}, ['error node.version']],
  ['no datagrams, nobody needs them', { noDatagrams: 'not found' }, {}, []],
  ['no datagrams, an app needs them', { noDatagrams: 'not found' }, { notify: ['a'] }, ['error node.datagrams']],
  ['no way to sockets', { version: '22.11.0' }, { listen: ['a'] }, ['warning node.sockets_after_crash']],
  [
    'perl, not allowed',
    { version: '20.19.0', interpreters: ['perl'] },
    { listen: ['a'] },
    ['warning node.sockets_after_crash'],
  ],
  ['perl, as root', { version: '20.19.0', interpreters: ['perl'] }, { listen: ['a'], me: 0 }, []],
  ['perl, allowed', { version: '20.19.0', interpreters: ['perl'], ptraceScope: 0 }, { listen: ['a'] }, []],
])('node: %s', (_, change, { notify = [], listen = [], me = 1000 }, expected) => {
  expect(problems(judgeNode({ ...node, ...change }, notify, listen, me))).toEqual(expected)
})

const service: InspectedService = {
  scope: 'system',
  title: 'eco.service',
  path: '/etc/systemd/system/eco.service',
  written: {
    version: '1.0.0',
    home: home.path,
    node: '/usr/bin/node',
    daemon: '/opt/eco/daemon.cjs',
    ownsLinger: false,
  },
  hasNode: true,
  hasDaemon: true,
  isEnabled: true,
  isActive: true,
  status: 'systemctl status eco',
}
const boot: Inspection = {
  init: 'systemd',
  version: '1.0.0',
  user: 'me',
  isRoot: true,
  isLingering: true,
  services: [service],
}

// What is wrong with a service is for the tests of src/startup to say.
test.each<[string, Partial<Inspection>, boolean, string[]]>([
  ['all is well', {}, true, []],
  ['no service', { services: [] }, true, ['warning boot.unit']],
  ['no service, and nothing applied', { services: [] }, false, []],
  ['no init system', { services: [], init: null }, true, []],
  ['Node is gone', { services: [{ ...service, hasNode: false }] }, true, ['error boot.unit']],
  ['it does not run', { services: [{ ...service, isActive: false }] }, true, ['warning boot.unit']],
])('boot: %s', (_, change, applied, expected) => {
  expect(problems(judgeBoot({ ...boot, ...change }, applied))).toEqual(expected)
})

const cgroups = { reason: null, base: '/sys/fs/cgroup/eco', controllers: ['cpu', 'memory'], runs: 0, empty: 0 }
const limited = { memory: ['a'], cpu: ['b'] }

const startup = { isSystemd: true, remedy: 'eco startup', isYetToCome: false }
const inUnit = { ...startup, remedy: null }
const noSystemd = { ...inUnit, isSystemd: false }

test.each<[string, Partial<Parameters<typeof judgeCgroups>[0]>, Parameters<typeof judgeCgroups>[2], string[]]>([
  ['all is well', {}, startup, []],
  [
    'not delegated',
    { reason: 'EACCES' },
    startup,
    ['warning cgroups.tree', 'warning cgroups.memory', 'warning cgroups.cpu'],
  ],
  [
    'none, in a container',
    { reason: 'read-only', base: null },
    noSystemd,
    ['warning cgroups.memory', 'warning cgroups.cpu'],
  ],
  ['no cpu controller', { controllers: ['memory'] }, startup, ['warning cgroups.cpu']],
  ['the daemon is not there yet', { reason: 'EACCES' }, { ...startup, isYetToCome: true }, []],
  ['macOS', { reason: 'this system has no cgroups', base: null }, noSystemd, []],
])('cgroups: %s', (_, change, delegation, expected) => {
  expect(problems(judgeCgroups({ ...cgroups, ...change }, limited, delegation))).toEqual(expected)
})

test('a unit that has no controllers to give is not told to be made once more', () => {
  const findings = judgeCgroups({ ...cgroups, controllers: [] }, limited, inUnit)
  expect(findings.flatMap(({ remedy }) => remedy ?? [])).toEqual(['eco explain limits', 'eco explain limits'])
})

const limits: LimitFacts = {
  files: { used: 100, soft: 4096, hard: 4096 },
  inotifyInstances: { used: 3, most: 128 },
  inotifyWatches: { used: 100, most: 65536 },
  threads: { used: 500, most: 32768 },
  cgroupPids: null,
  somaxconn: 4096,
  memory: { total: 8 * GIB, available: 4 * GIB },
}
const needs = { instances: 10, watching: ['a'], backlogs: [{ app: 'a', backlog: 511 }] }

test.each<[string, Partial<LimitFacts>, string[]]>([
  ['all is well', {}, []],
  [
    'nothing is known',
    { files: null, inotifyInstances: null, inotifyWatches: null, threads: null, somaxconn: null, memory: null },
    [],
  ],
  ['few files', { files: { used: 60, soft: 100, hard: 100 } }, ['warning limits.open_files']],
  ['no daemon: the hard limit counts', { files: { used: null, soft: 100, hard: 4096 } }, []],
  ['no files left', { files: { used: 1020, soft: 1024, hard: 1024 } }, ['error limits.open_files']],
  ['unlimited', { files: { used: 5000, soft: Infinity, hard: Infinity } }, []],
  ['no inotify instances', { inotifyInstances: { used: 128, most: 128 } }, ['warning limits.inotify_instances']],
  ['no inotify watches', { inotifyWatches: { used: 8000, most: 8192 } }, ['warning limits.inotify_watches']],
  ['many threads', { threads: { used: 30000, most: 32768 } }, ['warning limits.threads']],
  ['a full cgroup', { cgroupPids: { used: 99, most: 100, path: '/x' } }, ['warning limits.pids']],
  ['short queues', { somaxconn: 128 }, ['warning limits.backlog']],
  ['no memory', { memory: { total: 8 * GIB, available: GIB / 10 } }, ['warning limits.memory']],
])('limits: %s', (_, change, expected) => {
  expect(problems(judgeLimits({ ...limits, ...change }, needs, true))).toEqual(expected)
})

const app: AppliedOne = {
  name: 'shop/production/api',
  scope: { project: 'shop', environment: 'production' },
  app: 'api',
  spec: { ...SPEC_DEFAULTS, kind: 'service', command: ['node'], cwd: '/' },
  hold: null,
  wanted: 1,
  listens: [],
}
const stopped = { ...app, wanted: 0 }
const address: AddressFacts = {
  app,
  listen: { type: 'tcp', host: null, port: 80 },
  isServed: true,
  strangers: [],
  file: null,
  isPrivileged: false,
}
const unix = { type: 'unix', path: '/run/api.sock' } as const
const nginx = { pid: 12, command: 'nginx', home: null }

test.each<[string, Partial<AddressFacts>, string[]]>([
  ['all is well', {}, []],
  ['served, and the daemon could not bind it again', { isPrivileged: true }, []],
  ['taken', { isServed: false, strangers: [nginx] }, ['error ports.foreign']],
  [
    'taken by somebody who cannot be seen',
    { isServed: false, strangers: [{ pid: null, command: null, home: null }] },
    ['error ports.foreign'],
  ],
  ['taken while it is stopped', { app: stopped, isServed: false, strangers: [nginx] }, ['warning ports.foreign']],
  ['shared', { strangers: [nginx] }, ['warning ports.shared']],
  ['not served', { isServed: false }, ['warning ports.unserved']],
  ['not served, and it is not to', { app: stopped, isServed: false }, []],
  ['for root', { isServed: false, isPrivileged: true }, ['error ports.privileged']],
  ['a unix socket', { listen: unix, file: 'socket' }, []],
  ['its file is gone', { listen: unix, file: 'nothing' }, ['error ports.socket_file']],
  ['its file is another', { listen: unix, file: 'no socket' }, ['error ports.socket_file']],
])('ports: %s', (_, change, expected) => {
  expect(problems(judgePorts([{ ...address, ...change }], true))).toEqual(expected)
})

const { rotation } = SPEC_DEFAULTS

test.each([
  ['as it is without a word', {}, 20 * 2 ** 20 * 3],
  ['not compressed', { compress: 'none' }, 20 * 2 ** 20 * 11],
  ['nothing is kept', { keep: 0 }, 20 * 2 ** 20],
  ['a limit of all together', { totalSizeBytes: 2 ** 20 }, 2 ** 20],
  ['a limit that is never reached', { totalSizeBytes: GIB }, 20 * 2 ** 20 * 3],
] as const)('what a log file comes to: %s', (_, more, expected) => {
  expect(mostBytes({ ...rotation, ...more })).toBe(expected)
})

const collapse = { method: 'collapse', why: 'it can', blockSize: 4096 } as const
const folderFacts: LogFolderFacts = { folder: '/logs', device: 1, fileSystem, method: collapse }
const logFile: LogFileFacts = {
  path: '/logs/api-0.out.log',
  app: { name: 'shop/production/api', app: 'api', scope: { project: 'shop', environment: 'production' } } as AppliedOne,
  rotation,
  symlink: null,
  bytes: 1000,
  archivedBytes: 0,
}
const logs: LogFacts = {
  files: [logFile],
  folders: [folderFacts],
  closed: [],
  bytes: 1000,
  largest: logFile,
  removed: [],
  hasZstd: true,
  untrimmed: null,
}
const inotify = { inotifyInstances: { used: 1, most: 128 }, inotifyWatches: { used: 10, most: 8192 } }
const small = { ...fileSystem, freeBytes: 30 * 2 ** 20, totalBytes: 80 * 2 ** 20 }

test.each<[string, Partial<LogFacts>, string[]]>([
  ['all is well', {}, []],
  ['its writers are stopped', { folders: [{ ...folderFacts, method: { ...collapse, method: 'stopped-copy' } }] }, []],
  [
    'for want of a program',
    {
      folders: [
        { ...folderFacts, method: { ...collapse, method: 'stopped-copy', why: 'the program fallocate was not found' } },
      ],
    },
    ['warning logs.programs'],
  ],
  ['less room than the limits allow', { folders: [{ ...folderFacts, fileSystem: small }] }, ['warning logs.limits']],
  [
    'it has grown to them already',
    { folders: [{ ...folderFacts, fileSystem: small }], files: [{ ...logFile, archivedBytes: 50 * 2 ** 20 }] },
    [],
  ],
  [
    'no room',
    { folders: [{ ...folderFacts, fileSystem: { ...small, freeBytes: 0 } }] },
    ['error logs.room', 'warning logs.limits'],
  ],
  ['a symlink', { files: [{ ...logFile, symlink: '/etc/passwd' }] }, ['error logs.symlink']],
  ['closed', { closed: ['/logs'] }, ['error apps.logs']],
  [
    'lossy',
    { files: [{ ...logFile, rotation: { ...rotation, method: 'copytruncate' } }] },
    ['warning logs.copytruncate'],
  ],
  ['not rotated, and small', { files: [{ ...logFile, rotation: { ...rotation, method: 'off' } }] }, []],
  [
    'not rotated, and huge',
    { files: [{ ...logFile, bytes: 2 * GIB, rotation: { ...rotation, method: 'off' } }] },
    ['warning logs.unrotated'],
  ],
  ['no zstd, and nobody wants it', { hasZstd: false }, []],
  [
    'no zstd',
    { hasZstd: false, files: [{ ...logFile, rotation: { ...rotation, compress: 'zstd' } }] },
    ['warning logs.programs'],
  ],
  ['spools that grow', { untrimmed: { apps: ['api'], why: 'no fallocate' } }, ['warning logs.spools']],
  ['many logs', { bytes: 3 * GIB }, ['warning apps.log_size']],
])('logs: %s', (_, facts, expected) => {
  const findings = judgeLogs({ ...logs, ...facts }, null, inotify)
  expect(problems(findings)).toEqual(expected)
  for (const { level, remedy } of findings) if (level !== 'ok') expect(remedy).toMatch(/\S/)
})

test('what is to be done about much of it depends on whose it is', () => {
  const remedyOf = (path: string): string | null | undefined =>
    judgeLogs({ ...logs, bytes: 3 * GIB, largest: { path, bytes: GIB } }, null, inotify).at(-1)?.remedy
  expect(remedyOf('/logs/api-0.out.log')).toBe('eco logs flush api --project shop --env production')
  expect(remedyOf('/logs/gone.log')).toBe('ls -l /logs/gone.log')
})

test.each<[string, number, number, number, string | null]>([
  ['enough of both', 200, 100, 1, null],
  ['too few watches', 200, 8100, 1, 'sudo sysctl fs.inotify.max_user_watches=16384'],
  ['far too few', 20_000, 8100, 1, 'sudo sysctl fs.inotify.max_user_watches=48100'],
  ['no instance left', 200, 100, 128, 'sudo sysctl fs.inotify.max_user_instances=1024'],
])('following logs: %s', (_, files, watches, instances, remedy) => {
  const facts = { ...logs, files: Array.from({ length: files }, (_it, i) => ({ ...logFile, path: `/logs/${i}.log` })) }
  const use = { inotifyInstances: { used: instances, most: 128 }, inotifyWatches: { used: watches, most: 8192 } }
  const found = judgeLogs(facts, null, use).filter(({ id }) => id === 'logs.follow')
  expect(found.map((it) => it.remedy)).toEqual([remedy])
})
