/** The keys about how an app is supervised: what each becomes in a spec. */

import { createHash } from 'node:crypto'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { effectiveConfig } from '../../src/config/effective-config.ts'
import { readCpus } from '../../src/config/read-cpus.ts'
import type { AppSpec } from '../../src/model/spec.ts'
import { SPEC_DEFAULTS } from '../../src/model/defaults.ts'
import { forSlot, isPerInstance, showPerInstance } from '../../src/model/instance-values.ts'
import { globPattern } from '../../src/model/glob.ts'
import { Project, headlines } from './project.ts'

const APP = 'script: app.js'

/** The spec of `api`, given the lines under it; paths in the project are below `<folder>`. */
async function spec(lines: string, files: Readonly<Record<string, string>> = {}): Promise<AppSpec> {
  const body = `${APP}\n${lines}`
  const others = '  db: { script: app.js }\n  redis: { script: app.js }\n  job: { script: app.js, kind: job }\n'
  using project = new Project({
    'ecosystem.yaml': `apps:\n  api:\n${body.replace(/^/gm, '    ')}\n${others}`,
    ...files,
  })
  return JSON.parse(JSON.stringify(await project.app('api')).replaceAll(project.folder, '<folder>'))
}

const CRON = 'kind: cron\nschedule: "* * * * *"\n'
const usual = SPEC_DEFAULTS

test.each<[lines: string, expected: object]>([
  ['restart: { backoff: { jitter: 0% } }', { restart: { backoff: { jitter: 0 } } }],
  ['restart: { backoff: { jitter: 12.5% } }', { restart: { backoff: { jitter: 0.125, initialMs: 100 } } }],
  ['restart: { policy: never }', { restart: { ...usual.restart, policy: 'never' } }],
  [
    'restart: { success_exit_codes: [75, SIGTERM, "0", 75], stop_exit_codes: [78] }',
    { restart: { successExitCodes: [75, 'SIGTERM', 0], stopExitCodes: [78] } },
  ],
  ['restart: { success_exit_codes: [] }', { restart: { successExitCodes: [] } }],
  [
    'kind: job\nrestart: { backoff: { initial: 1s }, success_exit_codes: [3] }',
    { restart: { policy: 'never', successExitCodes: [3], backoff: { initialMs: 1000 } } },
  ],

  ['stop: { message: shutdown }', { stop: { ...usual.stop, message: '"shutdown"' } }],
  [
    'stop: { message: { type: end, n: [1, null], x: null } }',
    { stop: { message: '{"type":"end","n":[1,null],"x":null}' } },
  ],
  ['stop: { message: 0, signal: SIGINT }', { stop: { message: '0', signal: 'SIGINT' } }],
  ['stop: { message: false }', { stop: { message: 'false' } }],
  [
    'stop: { exec: [./end, x], timeout: 3s }',
    { stop: { ...usual.stop, exec: ['<folder>/end', 'x'], timeoutMs: 3000 } },
  ],

  [
    'hooks: { pre_start: [./end], post_start: "a; b", pre_stop: { run: [sh, -c, x], timeout: 5s }, post_stop: { run: "c $X" } }',
    {
      hooks: {
        preStart: { command: ['<folder>/end'], timeoutMs: 30_000 },
        postStart: { command: ['/bin/sh', '-ec', 'a; b'], timeoutMs: 30_000 },
        preStop: { command: ['sh', '-c', 'x'], timeoutMs: 5000 },
        postStop: { command: ['/bin/sh', '-ec', 'c $X'], timeoutMs: 30_000 },
      },
    },
  ],
  ['hooks: { pre_stop: null }', { hooks: usual.hooks }],

  ['limits: { memory: 512M, cpu: 1.5 }', { limits: { memoryBytes: 512 * 2 ** 20, cpu: 1.5 } }],
  ['limits: { memory: 1.5GiB }', { limits: { memoryBytes: 1.5 * 2 ** 30, cpu: null } }],
  ["umask: '027'", { attributes: { ...usual.attributes, umask: 0o027 } }],
  ["umask: '0077'", { attributes: { umask: 0o077 } }],
  ['nice: 19\noom_score_adj: 1000', { attributes: { nice: 19, oomScoreAdj: 1000 } }],
  [
    `user: ${process.getuid?.()}\ngroup: "${process.getgid?.()}"`,
    { attributes: { user: `${process.getuid?.()}`, group: `${process.getgid?.()}` } },
  ],
  [
    'ulimits: { nofile: 65536, nproc: "unlimited", core: 0, fsize: 1G, stack: unlimited, memlock: 64K }',
    {
      attributes: {
        rlimits: { nofile: 65_536, nproc: 'unlimited', core: 0, fsize: 2 ** 30, stack: 'unlimited', memlock: 65_536 },
      },
    },
  ],

  [
    'depends_on: { redis: started, db: { restart: true }, job: { condition: completed } }',
    { dependsOn: { db: 'ready', job: 'completed', redis: 'started' }, restartsWith: ['db'] },
  ],
  ['depends_on: { db: null }', { dependsOn: {}, restartsWith: [] }],

  ['kind: job\nretries: 3\nrun: always\ntimeout: 10m', { job: { retries: 3, run: 'always', timeoutMs: 600_000 } }],
  [`${CRON}retries: 1\ntimeout: 1s`, { job: { retries: 1, run: 'on_change', timeoutMs: 1000 } }],
  [CRON, { schedule: { cron: '* * * * *', timezone: null, overlap: 'skip', missed: 'skip', history: 10 } }],
  [
    `${CRON}overlap: replace\nmissed: run_once\nhistory: 1000`,
    { schedule: { overlap: 'replace', missed: 'run_once', history: 1000 } },
  ],

  ['watch: false', { watch: null }],
  ['watch: true', { watch: { paths: ['<folder>'], ignore: [], debounceMs: 200, action: 'restart' } }],
  ['watch: [end, app.js]', { watch: { paths: ['<folder>/app.js', '<folder>/end'], action: 'restart' } }],
  [
    'watch: { ignore: ["**/*.tmp"], debounce: 1s, action: reload }',
    { watch: { paths: ['<folder>'], ignore: ['**/*.tmp'], debounceMs: 1000, action: 'reload' } },
  ],

  ['ready: notify', { ready: { check: { type: 'notify' } } }],
  ['ready: { notify: true, attempt_timeout: 2s }', { ready: { check: { type: 'notify' }, attemptTimeoutMs: 2000 } }],
])('%s', async (lines, expected) => {
  expect(await spec(lines, { 'end!': '' })).toMatchObject(expected)
})

const tcp = (port: number, host = '127.0.0.1') => ({ type: 'tcp', host, port, perInstance: false })
const unix = (file: string) => ({ type: 'unix', path: file })
const http = {
  type: 'http',
  tls: false,
  path: '/',
  headers: {},
  status: [{ from: 200, to: 399 }],
  body: null,
}

describe('checks', () => {
  test.each<[lines: string, check: object]>([
    ['http: /h', { ...http, endpoint: tcp(3000), path: '/h' }],
    ['http: "https://shop.test/h?x"', { ...http, tls: true, endpoint: tcp(443, 'shop.test'), path: '/h?x' }],
    ['http: "https://127.0.0.1:8443"', { ...http, tls: true, endpoint: tcp(8443) }],
    ['http: "http://shop.test"', { ...http, endpoint: tcp(80, 'shop.test') }],
    ['http: "unix:/run/a b.sock:/h"', { ...http, endpoint: unix('/run/a b.sock'), path: '/h' }],
    ['http: "unix:run/a.sock"', { ...http, endpoint: unix('<folder>/run/a.sock') }],
    ['tcp: "unix:/run/a.sock"', { type: 'tcp', endpoint: unix('/run/a.sock') }],
    ['tcp: ./run/a.sock', { type: 'tcp', endpoint: unix('<folder>/run/a.sock') }],
    ['tcp: "0.0.0.0:81"', { type: 'tcp', endpoint: tcp(81) }],
    ['exec: [sh, -c, x]', { type: 'exec', command: ['sh', '-c', 'x'] }],
    [
      'http: /, headers: { X-B: 1, Host: shop.test, a: null }, body: "a.b", status: [418]',
      {
        ...http,
        endpoint: tcp(3000),
        headers: { host: 'shop.test', 'x-b': '1' },
        body: { pattern: 'a\\.b', flags: '' },
        status: [{ from: 418, to: 418 }],
      },
    ],
    ['http: /, body: /^o(k)$/mi', { ...http, endpoint: tcp(3000), body: { pattern: '^o(k)$', flags: 'mi' } }],
  ])('{ %s } of ready, readiness and health', async (fields, check) => {
    const app = await spec(
      ['ready', 'readiness', 'health'].map((key) => `${key}: { ${fields} }`).join('\n') + '\nlisten: 3000',
    )
    const probe = { check, delayMs: 0, intervalMs: 10_000, timeoutMs: 1000, failures: 3, successes: 1 }
    expect(app).toMatchObject({ ready: { check }, readiness: probe, health: probe })
  })

  test('ask the first socket when there is no port', async () => {
    const app = await spec('listen: [./a.sock, ./b.sock]\nready: { http: /h }')
    expect(app.ready.check).toEqual({ ...http, endpoint: unix('<folder>/a.sock'), path: '/h' })
    expect(app.rollout.exclusive).toBe(false)
  })

  test('on a socket that eco does not hold make an app exclusive', async () => {
    expect((await spec('ready: { tcp: ./a.sock }')).rollout.exclusive).toBe(true)
  })

  test('take every setting of a probe', async () => {
    const fields = 'delay: 1s, interval: 2s, timeout: 3s, failures: 4'
    const app = await spec(
      `readiness: { tcp: 1, ${fields}, successes: 5 }\nhealth: { tcp: 1, ${fields}, successes: 1 }`,
    )
    const probe = { delayMs: 1000, intervalMs: 2000, timeoutMs: 3000, failures: 4 }
    expect(app).toMatchObject({ readiness: { ...probe, successes: 5 }, health: { ...probe, successes: 1 } })
  })
})

describe('overlays', () => {
  test('replace one check, one way to stop, one message by another', async () => {
    using project = new Project({
      'ecosystem.yaml': [
        'apps:',
        '  api:',
        '    script: app.js',
        '    health: { tcp: 1, failures: 2 }',
        '    stop: { exec: [sh] }',
        '    restart: { success_exit_codes: [1] }',
        '  web: { script: app.js, stop: { message: { a: 1, b: null } } }',
        'environments:',
        '  prod:',
        '    apps:',
        '      api: { health: { exec: [sh] }, stop: { message: bye }, restart: { success_exit_codes: null } }',
        '      web: { stop: { message: { c: 2 } } }',
      ].join('\n'),
    })
    const api = await project.app('api', { environment: 'prod' })
    expect(api.health).toMatchObject({ check: { type: 'exec' }, failures: 2 })
    expect(api.stop).toMatchObject({ message: '"bye"', exec: null })
    expect(api.restart.successExitCodes).toEqual([0])
    expect((await project.app('web')).stop.message).toBe('{"a":1,"b":null}')
    expect((await project.app('web', { environment: 'prod' })).stop.message).toBe('{"c":2}')
  })

  test('a kind of app takes from defaults only what it can have', async () => {
    const defaults = [
      'restart: { policy: never, max: 1, backoff: { initial: 1s } }',
      'hooks: { post_start: x, pre_start: y }',
      'health: { tcp: 1 }',
      'retries: 2',
      'timeout: 1m',
      'history: 5',
      'watch: true',
    ].join('\n')
    using project = new Project({
      'ecosystem.yaml': `defaults:\n${defaults.replace(/^/gm, '  ')}\napps:\n  api: { script: app.js }\n  job: { script: app.js, kind: job }\n`,
    })
    const [api, job] = [await project.app('api'), await project.app('job')]
    expect(api).toMatchObject({ restart: { policy: 'never', max: 1 }, job: usual.job, watch: { action: 'restart' } })
    expect(api.hooks.postStart).not.toBeNull()
    expect(job).toMatchObject({ restart: { policy: 'never', max: 16, backoff: { initialMs: 1000 } }, health: null })
    expect(job).toMatchObject({ hooks: { postStart: null, preStart: { timeoutMs: 30_000 } }, watch: null })
    expect(job.job).toMatchObject({ retries: 2, timeoutMs: 60_000 })
  })
})

describe('inputs', () => {
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
  const job = (inputs: string, more = '') =>
    `apps: { job: { kind: job, script: ${more ? '../' : ''}app.js, inputs: ${inputs}${more} } }`

  test('are digests of the files that the globs match, relative to cwd', async () => {
    using project = new Project({
      'ecosystem.yaml': job("['sql/**/*.sql', 'sql/**', ./a.json]", ', cwd: db'),
      'db/a.json': '{}',
      'db/sql/1.sql': 'one',
      'db/sql/deep/er/2.sql': 'two',
      'db/sql/notes.txt': 'n',
      'db/other.sql': 'no',
    })
    expect((await project.app('job')).inputs).toEqual({
      'a.json': sha256('{}'),
      'sql/1.sql': sha256('one'),
      'sql/deep/er/2.sql': sha256('two'),
      'sql/notes.txt': sha256('n'),
    })
  })

  test('follow links, also in a circle, and stand for all files of a folder', async () => {
    using project = new Project({ 'ecosystem.yaml': job('[sql]'), 'sql/1.sql': 'one', 'else/2.sql': 'two' })
    symlinkSync('.', path.join(project.folder, 'sql/self'))
    symlinkSync('../else', path.join(project.folder, 'sql/else'))
    symlinkSync('../else/2.sql', path.join(project.folder, 'sql/3.sql'))
    symlinkSync('nowhere', path.join(project.folder, 'sql/dangling'))
    const { inputs } = await project.app('job')
    expect(inputs).toEqual({ 'sql/1.sql': sha256('one'), 'sql/3.sql': sha256('two'), 'sql/else/2.sql': sha256('two') })
  })

  test('are not more than a person meant', async () => {
    using project = new Project({ 'ecosystem.yaml': job("['many/**']") })
    mkdirSync(path.join(project.folder, 'many'))
    for (let i = 0; i <= 10_000; i++) writeFileSync(path.join(project.folder, `many/${i}`), '')
    expect(await project.complaints()).toContain('inputs[0] matches more than 10000 files: "many/**"')
  }, 60_000)
})

test.each([
  ['*.sql', ['1.sql', '.sql'], ['a/1.sql', '1.sqlx']],
  ['**/*.sql', ['1.sql', 'a/1.sql', 'a/b/1.sql'], ['1.txt']],
  ['src/**', ['src/a', 'src/a/b'], ['src', 'srca']],
  ['./a/**/b/', ['a/b', 'a/x/y/b'], ['ab', 'a/xb']],
  ['a?c', ['abc', 'a c'], ['a/c', 'ac']],
  ['[ab]-[!0-9].{js,c?s}', ['a-x.js', 'b-y.cjs'], ['c-x.js', 'a-1.js', 'a-x.ts']],
  ['a.b+(c)', ['a.b+(c)'], ['aXb+(c)']],
  ['\\*', ['*'], ['a']],
  ['{unclosed', ['{unclosed'], []],
  ['ü*', ['üb'], ['u']],
])('glob %s', (glob, matching, others) => {
  const pattern = globPattern(glob)
  expect(matching.filter((it) => !pattern.test(it))).toEqual([])
  expect(others.filter((it) => pattern.test(it))).toEqual([])
})

describe('values that differ from instance to instance', () => {
  test.each<[lines: string, of: (app: AppSpec) => string | undefined, slot2: string, shown: string]>([
    ['env: { A: "${instance}" }', envA, '2', '${instance}'],
    ['env: { A: "${ instance+3000 }/x" }', envA, '3002/x', '${instance + 3000}/x'],
    ['env: { A: "${3000 + instance}-${instance}" }', envA, '3002-2', '${instance + 3000}-${instance}'],
    ['env: { A: "$${instance}" }', envA, '${instance}', '$${instance}'],
    ['env: { A: "$${3000 + instance}${instance}" }', envA, '${3000 + instance}2', '$${3000 + instance}${instance}'],
    ['env: { A: "$$${instance}" }', envA, '$2', '$$${instance}'],
    ['env: { A: "$$$${instance}" }', envA, '$${instance}', '$$$${instance}'],
    ['env: { A: "$${instances}" }', envA, '${instances}', '${instances}'],
    ['env: { A: { value: "${instance}" } }', envA, '2', '${instance}'],
    ['args: [a, "-p=${instance + 1}"]', (app) => app.command.at(-1), '-p=3', '-p=${instance + 1}'],
    [
      'node_args: ["--inspect=${9229 + instance}"]',
      (app) => app.command[1],
      '--inspect=9231',
      '--inspect=${instance + 9229}',
    ],
  ])('%s', async (lines, of, slot2, shown) => {
    const value = of(await spec(lines)) ?? ''
    expect(forSlot(value, 2)).toBe(slot2)
    expect(showPerInstance(value)).toBe(shown)
  })

  test.each<[lines: string, endpoint: object]>([
    ['{ http: ":${3000 + instance}/h" }', { ...tcp(3000), perInstance: true }],
    ['{ http: "http://[::1]:${instance+3000}?x" }', { ...tcp(3000, '::1'), perInstance: true }],
    ['{ tcp: "${instance + 3000}" }', { ...tcp(3000), perInstance: true }],
    ['{ tcp: "10.0.0.1:${instance + 3000}" }', { ...tcp(3000, '10.0.0.1'), perInstance: true }],
  ])('the port of %s', async (check, endpoint) => {
    const app = await spec(`ready: ${check}\nhealth: ${check}`)
    expect(app.ready.check).toMatchObject({ endpoint })
    expect(app.health?.check).toMatchObject({ endpoint })
    expect(app.rollout.exclusive).toBe(false)
  })

  test('are shown as the file has them by eco config', async () => {
    const file = 'apps: { api: { script: app.js, args: ["${1 + instance}"], ready: { tcp: "${instance + 3000}" } } }'
    using project = new Project({ 'ecosystem.yaml': file })
    const result = await effectiveConfig({ file: null, cwd: project.folder, environment: null, env: {} })
    expect(JSON.parse(JSON.stringify(result.ok && result.config)).apps.api).toEqual({
      script: 'app.js',
      args: ['${instance + 1}'],
      ready: { tcp: '${instance + 3000}' },
    })
  })

  test('come from defaults and overlays, too, and .env cannot make one', async () => {
    const file =
      'defaults: { env: { A: "${instance}", B: "${instance}", C: "${X}" } }\napps: { api: { script: app.js } }\n'
    const overlay = 'environments: { prod: { apps: { api: { env: { B: "${instance + 5}" } } } } }'
    using project = new Project({ 'ecosystem.yaml': file + overlay })
    const { env } = await project.app('api', { environment: 'prod', env: { X: '${instance}', instance: '9' } })
    const values = Object.values(env).map((one) => (one.type === 'plain' ? forSlot(one.value, 1) : null))
    expect(values).toEqual(['1', '6', '${instance}'])
  })

  test('what is shown tells any two values apart', () => {
    const text = fc.array(fc.constantFrom('$', '{', '}', 'instance', ' + ', '3', '\0instance+0\0', '\0instance+3\0'), {
      maxLength: 8,
    })
    fc.assert(
      fc.property(text, text, (a, b) => {
        const [one, other] = [a.join(''), b.join('')]
        fc.pre(one !== other)
        expect(showPerInstance(one)).not.toBe(showPerInstance(other))
      }),
      {
        numRuns: 3000,
        examples: [
          [
            ['$', '\0instance+0\0'],
            ['$', '{', 'instance', '}'],
          ],
        ],
      },
    )
  })

  test('anything else is the same in every slot', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat({ max: 100 }), (text, slot) => {
        fc.pre(!isPerInstance(text))
        expect(forSlot(text, slot)).toBe(text)
      }),
    )
  })
})

function envA(app: AppSpec): string | undefined {
  const value = app.env['A']
  return value?.type === 'plain' ? value.value : undefined
}

describe('more instances than CPUs', () => {
  const two = (instances: string): string =>
    `apps:\n  a: { script: app.js, instances: ${instances} }\n  b: { script: app.js, instances: max }\n`

  test('are a warning where the file tells them by the CPUs', async () => {
    using project = new Project({ 'ecosystem.yaml': two('max') })
    const cpus = readCpus()
    const machine = cpus === 1 ? 'the one CPU' : `the ${cpus} CPUs`
    expect(headlines(await project.complaints())).toEqual([
      `ecosystem.yaml:2:35 warning: ${cpus * 2} instances would share ${machine} eco may use: a ${cpus} (max), b ${cpus} (max)`,
    ])
    expect((await project.load()).ok).toBe(true)
  })

  test.each(['1', '100', '"100"'])('are nobody’s business where somebody wrote the number %s', async (instances) => {
    using project = new Project({ 'ecosystem.yaml': two(instances) })
    expect(await project.complaints()).toBe('')
  })
})
