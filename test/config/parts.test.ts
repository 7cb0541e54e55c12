import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countInstances, parseCfsQuota, parseCpuMax, quotaFiles, usableCpus } from '../../src/config/cpus.ts'
import { formatDiagnostics } from '../../src/config/diagnostic.ts'
import { formatDuration, parseDuration } from '../../src/config/duration.ts'
import { locateFile } from '../../src/config/locate.ts'
import { readCpus } from '../../src/config/read-cpus.ts'
import { allKeys, explainKey } from '../../src/config/reference.ts'
import { ECOSYSTEM_SCHEMA } from '../../src/config/schema.ts'
import type { Schema } from '../../src/config/schema.ts'
import { parseSize } from '../../src/config/size.ts'
import { closest } from '../../src/model/closest.ts'
import { IMPACTS } from '../../src/model/impact.ts'
import { EcoError } from '../../src/errors.ts'
import { Project, headlines } from './project.ts'

describe('durations', () => {
  test.each([
    ['150ms', 150],
    ['10s', 10_000],
    ['1.5m', 90_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['0s', 0],
    ['10', null],
    ['', null],
    ['-1s', null],
    ['1 s', null],
    ['1e3s', null],
    ['9999999999999d', null],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test('are read as they are written', () => {
    fc.assert(
      fc.property(fc.nat({ max: 10 ** 12 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms)
      }),
    )
  })
})

test.each([
  ['512K', 524_288],
  ['1.5G', 1_610_612_736],
  ['300MiB', 314_572_800],
  ['2kb', 2048],
  ['10B', 10],
  ['512', null],
  ['1X', null],
  ['10iB', null],
])('size %s', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes)
})

test.each([
  ['instnaces', 'instances'],
  ['redy', 'ready'],
  ['READY', 'ready'],
  ['cmd', null],
  ['zzz', null],
  ['env', 'env'],
])('closest to %s', (word, expected) => {
  expect(closest(word, ['instances', 'ready', 'command', 'env'])).toBe(expected)
})

describe('CPUs', () => {
  test('are what affinity and the tightest quota leave, at least one', () => {
    expect(usableCpus(8, [])).toBe(8)
    expect(usableCpus(8, [{ quotaUs: 350_000, periodUs: 100_000 }])).toBe(3)
    expect(usableCpus(8, [{ quotaUs: 50_000, periodUs: 100_000 }])).toBe(1)
    expect(usableCpus(2, [{ quotaUs: 400_000, periodUs: 100_000 }])).toBe(2)
  })

  test('make a share of them a number', () => {
    expect(countInstances('max', () => 3)).toBe(3)
    expect(countInstances('50%', () => 3)).toBe(2)
    expect(countInstances('0%', () => 3)).toBe(1)
    expect(countInstances('4', () => 3)).toBe(4)
    expect(countInstances(0, () => 3)).toBe(0)
  })

  test('are limited in the own cgroup and in each above it (v2)', () => {
    const mounts = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n'
    expect(quotaFiles('0::/system.slice/eco.service\n', mounts)).toEqual(
      ['/system.slice/eco.service', '/system.slice', ''].map((own) => ({
        version: 2,
        max: `/sys/fs/cgroup${own}/cpu.max`,
      })),
    )
  })

  test('are limited by the container (v2, mount root is not /)', () => {
    const mounts = '900 899 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n'
    expect(quotaFiles('0::/docker/abc/sub', mounts)).toEqual([
      { version: 2, max: '/sys/fs/cgroup/sub/cpu.max' },
      { version: 2, max: '/sys/fs/cgroup/cpu.max' },
    ])
  })

  test('are limited by the cpu controller (v1)', () => {
    const mounts =
      '33 24 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n34 24 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n'
    const folder = '/sys/fs/cgroup/cpu,cpuacct'
    expect(quotaFiles('5:memory:/m\n4:cpu,cpuacct:/a\n', mounts)).toEqual([
      { version: 1, quota: `${folder}/a/cpu.cfs_quota_us`, period: `${folder}/a/cpu.cfs_period_us` },
      { version: 1, quota: `${folder}/cpu.cfs_quota_us`, period: `${folder}/cpu.cfs_period_us` },
    ])
  })

  test('are limited by the cpu controller of v1 beside a v2 hierarchy without one (hybrid)', () => {
    const mounts = readFileSync('test/config/fixtures/hybrid-mountinfo.txt', 'utf8')
    const cgroup = '9:name=systemd:/\n8:pids:/\n4:memory:/m/960d\n3:cpuset:/\n2:cpuacct:/\n1:cpu:/eco\n0::/\n'
    const v1 = ['/eco', ''].map((own) => ({
      version: 1,
      quota: `/sys/fs/cgroup/cpu${own}/cpu.cfs_quota_us`,
      period: `/sys/fs/cgroup/cpu${own}/cpu.cfs_period_us`,
    }))
    expect(quotaFiles(cgroup, mounts)).toEqual([...v1, { version: 2, max: '/sys/fs/cgroup/unified/cpu.max' }])
  })

  // The real thing, where this may be done: root, and the cpu controller of v1.
  const v1 = '/sys/fs/cgroup/cpu'
  test.skipIf(!isWritable(`${v1}/cgroup.procs`))('are what a quota of v1 leaves', () => {
    const folder = `${v1}/eco-test-${process.pid}`
    mkdirSync(folder)
    const own = /^\d+:(?:[^:\n]*,)?cpu(?:,[^:\n]*)?:(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/'
    try {
      writeFileSync(`${folder}/cpu.cfs_quota_us`, '100000')
      writeFileSync(`${folder}/cgroup.procs`, String(process.pid))
      expect(readCpus()).toBe(1)
      writeFileSync(`${folder}/cpu.cfs_quota_us`, '-1')
      expect(readCpus()).toBe(availableParallelism())
    } finally {
      writeFileSync(`${v1}${own}/cgroup.procs`, String(process.pid))
      rmdirSync(folder)
    }
  })

  test('quota files are read as numbers; no limit is none', () => {
    expect(parseCpuMax('150000 100000\n')).toEqual({ quotaUs: 150_000, periodUs: 100_000 })
    expect(parseCpuMax('max 100000\n')).toBeNull()
    expect(parseCpuMax('')).toBeNull()
    expect(parseCfsQuota('-1\n', '100000\n')).toBeNull()
    expect(parseCfsQuota('200000\n', '100000\n')).toEqual({ quotaUs: 200_000, periodUs: 100_000 })
  })
})

describe('the file', () => {
  test('is the nearest one, walking up', () => {
    using project = new Project({ 'ecosystem.json': '{}', 'a/b/': '' })
    expect(locateFile(path.join(project.folder, 'a/b'))).toBe(path.join(project.folder, 'ecosystem.json'))
  })

  test('may not be two files', () => {
    using project = new Project({ 'ecosystem.json': '{}', 'ecosystem.ts': '' })
    expect(() => locateFile(project.folder)).toThrow(/has 2 ecosystem files: ecosystem.json and ecosystem.ts/)
  })

  test('is asked for when there is none', () => {
    using project = new Project({})
    expect(catchError(() => locateFile(project.folder))).toMatchObject({ code: 'CONFIG_NOT_FOUND', hint: 'eco init' })
  })

  test.each([
    ['no.yaml', 'CONFIG_NOT_FOUND', 'There is no file'],
    ['app.js/x.yaml', 'CONFIG_NOT_FOUND', 'There is no file'],
    ['folder', 'CONFIG_INVALID', 'is a directory'],
    ['/dev/null', 'CONFIG_INVALID', 'is not a regular file'],
    ['large.yaml', 'CONFIG_INVALID', 'is 50.0 MiB large'],
    ['loop.yaml', 'CONFIG_INVALID', 'ELOOP'],
  ])('%s is refused: %s', async (file, code, message) => {
    using project = new Project({ 'folder/': '', 'large.yaml': '' })
    truncateSync(path.join(project.folder, 'large.yaml'), 50 * 1024 * 1024)
    symlinkSync('loop.yaml', path.join(project.folder, 'loop.yaml'))
    const error = await project.load({ file }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(EcoError)
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
  })

  test.skipIf(process.getuid?.() === 0)('that may not be read is refused', async () => {
    using project = new Project({ 'ecosystem.yaml': '' })
    chmodSync(path.join(project.folder, 'ecosystem.yaml'), 0)
    await expect(project.load()).rejects.toThrow(/permission denied/)
  })

  const yaml = 'apps: { api: { script: app.js } }'
  test.each([
    [
      'UTF-16, little endian',
      Buffer.from(`\ufeff${yaml}`, 'utf16le'),
      ' the file is UTF-16 (little endian), but eco reads UTF-8',
    ],
    [
      'UTF-16, big endian',
      Buffer.from(`\ufeff${yaml}`, 'utf16le').swap16(),
      ' the file is UTF-16 (big endian), but eco reads UTF-8',
    ],
    ['Latin-1', Buffer.from(`${yaml}\n# \xe6`, 'latin1'), ':2:3 the file is not valid UTF-8'],
    ['a NUL byte', Buffer.from(`${yaml}\n#\0`), ':2:2 the file contains a NUL byte'],
    ['a UTF-8 byte order mark', Buffer.from(`\ufeff${yaml}`), null],
  ])('with %s', async (_, bytes, expected) => {
    using project = new Project({ 'ecosystem.yaml': bytes })
    expect(headlines(await project.complaints())).toEqual(expected === null ? [] : [`ecosystem.yaml${expected}`])
  })

  test('with an unknown ending is refused', async () => {
    using project = new Project({ 'eco.toml': 'apps: {}' })
    expect(headlines(await project.complaints({ file: 'eco.toml' }))).toEqual([
      'eco.toml cannot tell the format of a file with the ending "toml"',
    ])
  })
})

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function catchError(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}

describe('explainKey', () => {
  test.each([
    ['apps.api.ready.http', 'apps.*.ready.http'],
    ['apps.*.ready', 'apps.*.ready'],
    ['ready.http', 'apps.*.ready.http'],
    ['health.failures', 'apps.*.health.failures'],
    ['apps.api.hooks.pre_stop.timeout', 'apps.*.hooks.pre_stop.timeout'],
    ['backoff.jitter', 'apps.*.restart.backoff.jitter'],
    ['depends_on.db.restart', 'apps.*.depends_on.*.restart'],
    ['depends_on.restart', 'apps.*.depends_on.*.restart'],
    ['api.restart', 'apps.*.restart'],
    ['ready', 'apps.*.ready'],
    ['env_file', 'env_file'],
    ['from_env', 'apps.*.env.*.from_env'],
    ['environments.prod.apps', 'environments.*.apps'],
    [null, ''],
  ])('%s', (asked, key) => {
    expect(explainKey(asked).reference?.key).toBe(key)
  })

  test('says what a key is', () => {
    expect(explainKey('restart.policy').reference).toMatchObject({
      type: 'always, on_failure or never',
      default: 'always',
      impact: 'live',
      values: ['always', 'on_failure', 'never'],
      children: [],
    })
    expect(explainKey('stop').reference?.children.map((child) => child.key)).toEqual([
      'signal',
      'message',
      'exec',
      'drain',
      'timeout',
    ])
  })

  test('suggests a key for one that is unknown', () => {
    expect(explainKey('instnaces')).toEqual({ reference: null, suggestions: ['apps.*.instances'] })
    expect(explainKey('qqqqqq')).toEqual({ reference: null, suggestions: [] })
  })
})

test('every key of the schema has a description, a default, an impact and examples', () => {
  const lacking: string[] = []
  const visit = (node: unknown, trail: string): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [key, value] of Object.entries(node)) {
      if (key === 'properties') {
        for (const [name, property] of Object.entries<Schema>(value)) {
          for (const needed of ['description', 'default', 'x-impact', 'examples']) {
            if (!(needed in property)) lacking.push(`${trail}.${name} lacks ${needed}`)
          }
          if (!IMPACTS.some((impact) => impact === property['x-impact']))
            lacking.push(`${trail}.${name} has no such impact`)
          visit(property, `${trail}.${name}`)
        }
      } else if (!['default', 'examples'].includes(key)) visit(value, trail)
      if (['anyOf', 'oneOf', 'allOf', 'if', 'not'].includes(key)) lacking.push(`${trail} uses ${key}`)
    }
  }
  visit(ECOSYSTEM_SCHEMA, '')
  expect(lacking).toEqual([])
  expect(allKeys().length).toBeGreaterThan(50)
})

test('the example file uses every key', () => {
  const text = readFileSync('ecosystem.example.yaml', 'utf8')
  const names = allKeys().map(({ key }) => key.split('.').at(-1) ?? '')
  expect(
    names.filter((name) => name !== '*' && name !== '' && !new RegExp(`\\b${name}:`).test(text) && name !== '$schema'),
  ).toEqual([])
})

test('a diagnostic of a long line shows the part around the problem', () => {
  const text = `${'x'.repeat(500)}BAD${'y'.repeat(500)}`
  const diagnostic = {
    file: '/a/f.yaml',
    line: 1,
    column: 501,
    length: 3,
    message: 'no',
    hint: 'yes',
    severity: 'warning' as const,
  }
  const printed = formatDiagnostics([diagnostic], new Map([['/a/f.yaml', text]]), { color: false, cwd: '/a' })
  const [headline, line = '', squiggle = '', hint] = printed.split('\n')
  expect(headline).toBe('f.yaml:1:501 warning: no')
  expect(line.slice(squiggle.indexOf('~'), squiggle.lastIndexOf('~') + 1)).toBe('BAD')
  expect(line.length).toBeLessThan(140)
  expect(hint).toBe('  hint: yes')
})
