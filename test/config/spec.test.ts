import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { effectiveConfig } from '../../src/config/effective-config.ts'
import { validateEcosystem } from '../../src/config/validate-ecosystem.ts'
import type { LoadOptions } from '../../src/config/load-ecosystem.ts'
import { showPerInstance } from '../../src/model/instance-values.ts'
import type { AppSpec } from '../../src/model/spec.ts'
import { BASE_ENV, Project, headlines } from './project.ts'

/** The spec of `api`, given the lines under it. */
async function spec(
  lines: string,
  options: Partial<LoadOptions> = {},
  files: Readonly<Record<string, string>> = {},
): Promise<AppSpec> {
  const body = /^command:/m.test(lines) ? lines : `script: app.js\n${lines}`
  using project = new Project({ 'ecosystem.yaml': `apps:\n  api:\n${body.replace(/^/gm, '    ')}\n`, ...files })
  const app = await project.app('api', options)
  return JSON.parse(JSON.stringify(app).replaceAll(project.folder, '<folder>'))
}

test('fills in every default', async () => {
  expect(await spec('')).toEqual({
    kind: 'service',
    command: ['node', '<folder>/app.js'],
    cwd: '<folder>',
    instances: 1,
    listen: [],
    env: {},
    ambient: BASE_ENV,
    ready: { check: { type: 'settled' }, timeoutMs: 30_000, intervalMs: 100, attemptTimeoutMs: 5000 },
    readiness: null,
    health: null,
    stop: { signal: 'SIGTERM', message: null, exec: null, drainMs: 10_000, timeoutMs: 10_000 },
    restart: {
      policy: 'always',
      max: 16,
      windowMs: 60_000,
      backoff: { initialMs: 100, factor: 2, maxMs: 30_000, jitter: 0.1 },
      successExitCodes: [0],
      stopExitCodes: [],
    },
    hooks: { preStart: null, postStart: null, preStop: null, postStop: null },
    limits: { memoryBytes: null, cpu: null },
    attributes: { user: null, group: null, umask: 0o022, nice: null, oomScoreAdj: null, rlimits: {} },
    output: { out: 'default', err: 'default', format: 'plain' },
    rotation: {
      method: 'auto',
      maxSizeBytes: 20 * 1024 * 1024,
      maxAgeMs: null,
      keep: 10,
      keepForMs: null,
      totalSizeBytes: null,
      compress: 'gzip',
    },
    rollout: {
      maxSurge: '25%',
      maxUnavailable: 0,
      soakMs: 2000,
      check: null,
      deadlineMs: 300_000,
      onFailure: 'rollback',
      order: 'ascending',
      exclusive: false,
    },
    dependsOn: {},
    restartsWith: [],
    job: { retries: 0, run: 'on_change', timeoutMs: null },
    inputs: {},
    schedule: null,
    watch: null,
  })
})

describe('command', () => {
  test('of a script: node stays a bare word, the script becomes absolute', async () => {
    const app = await spec(
      'cwd: src\nscript: ../app.js\nnode_args: [--no-warnings]\nargs: [a, b]\ncommand: null',
      {},
      { 'src/': '' },
    )
    expect(app.command).toEqual(['node', '--no-warnings', '<folder>/app.js', 'a', 'b'])
    expect(app.cwd).toBe('<folder>/src')
  })

  test('with a slash becomes absolute, without stays', async () => {
    expect((await spec('command: [./run, x]', {}, { 'run!': '' })).command).toEqual(['<folder>/run', 'x'])
    expect((await spec('command: [sh, ./x]')).command).toEqual(['sh', './x'])
  })
})

describe('listen and ready', () => {
  test.each([
    ['3000', [{ type: 'tcp', host: null, port: 3000 }]],
    ['"3000"', [{ type: 'tcp', host: null, port: 3000 }]],
    ['"127.0.0.1:80"', [{ type: 'tcp', host: '127.0.0.1', port: 80 }]],
    ['"[::1]:80"', [{ type: 'tcp', host: '::1', port: 80 }]],
    [
      '[a/b.sock, /x.sock]',
      [
        { type: 'unix', path: '<folder>/a/b.sock' },
        { type: 'unix', path: '/x.sock' },
      ],
    ],
    ['"${PORT:-4000}"', [{ type: 'tcp', host: null, port: 4000 }]],
  ])('listen: %s', async (listen, expected) => {
    expect((await spec(`listen: ${listen}`)).listen).toEqual(expected)
  })

  const tcp = (host: string, port: number) => ({ type: 'tcp', host, port, perInstance: false })
  const http = (host: string, port: number, path: string) => ({
    type: 'http',
    endpoint: tcp(host, port),
    tls: false,
    path,
    headers: {},
    status: [{ from: 200, to: 399 }],
    body: null,
  })

  test.each([
    ['listen: 3000', { type: 'tcp', endpoint: tcp('127.0.0.1', 3000) }],
    ['listen: "[::]:3000"', { type: 'tcp', endpoint: tcp('::1', 3000) }],
    ['listen: ./a.sock', { type: 'settled' }],
    ['ready: signal', { type: 'signal' }],
    ['ready: { signal: true }', { type: 'signal' }],
    ['listen: 3000\nready: { http: /h }', http('127.0.0.1', 3000, '/h')],
    [
      'ready: { http: ":81/h?x=1", status: [200, 300-302] }',
      {
        ...http('127.0.0.1', 81, '/h?x=1'),
        status: [
          { from: 200, to: 200 },
          { from: 300, to: 302 },
        ],
      },
    ],
    ['ready: { http: "http://[::1]:81" }', http('::1', 81, '/')],
    ['ready: { tcp: 6379 }', { type: 'tcp', endpoint: tcp('127.0.0.1', 6379) }],
    ['ready: { tcp: "10.0.0.1:6379" }', { type: 'tcp', endpoint: tcp('10.0.0.1', 6379) }],
    ['ready: { log: /up \\d+/i }', { type: 'log', pattern: 'up \\d+', flags: 'i' }],
    ['ready: { log: "a.b (c)" }', { type: 'log', pattern: 'a\\.b \\(c\\)', flags: '' }],
    ['ready: { exec: ["true"] }', { type: 'exec', command: ['true'] }],
    ['ready: { delay: 2s }', { type: 'delay', ms: 2000 }],
    ['listen: 3000\nready: { timeout: 1m }', { type: 'tcp', endpoint: tcp('127.0.0.1', 3000) }],
  ])('%s', async (lines, expected) => {
    expect((await spec(lines)).ready.check).toEqual(expected)
  })

  test.each([
    ['listen: 3000\nready: { http: /h }', false],
    // eco gives it the socket when it asks for it.
    ['ready: { tcp: 3000 }', false],
    ['ready: { tcp: 3000 }\nrollout: { exclusive: true }', true],
    ['ready: { tcp: ./app.sock }', true],
    ['script: null\ncommand: [sleep, "1"]\nready: { tcp: 3000 }', true],
    ['listen: 3000\nready: { http: ":3001/h" }', true],
    ['ready: { tcp: 3000 }\nrollout: { exclusive: false }', false],
    ['ready: signal', false],
  ])('exclusive of %s', async (lines, expected) => {
    expect((await spec(lines)).rollout.exclusive).toBe(expected)
  })
})

const plain = (value: string) => ({ type: 'plain', value })
const secret = (source: string, length: number) => ({
  type: 'secret',
  source,
  fingerprint: `#${length}`,
  sealed: `sealed(${length})`,
})

describe('env', () => {
  test('later sources win: inherit_env, PORT, env files, env', async () => {
    using project = new Project({
      'ecosystem.yaml': [
        'env_file: shared.env',
        'defaults: { env: { D: default, E: default } }',
        'apps:',
        '  api:',
        '    script: app.js',
        '    listen: 3000',
        '    inherit_env: [A, X_*]',
        '    env_file: [one.env, { path: two.env, secret: true }]',
        '    env: { E: own }',
      ].join('\n'),
      'shared.env': 'A=shared\nB=shared\nC=shared\nD=shared',
      'one.env': 'B=one\nC=one\nQ="two words"\n',
      'two.env': 'C=two\n',
    })
    const { env } = await project.app('api', { env: { A: 'shell', X_1: 'x', Y: 'y' } })
    expect(env).toEqual({
      A: plain('shared'),
      B: plain('one'),
      C: { type: 'secret', source: 'env_file:two.env', fingerprint: '#3', sealed: 'sealed(3)' },
      D: plain('default'),
      E: plain('own'),
      PORT: plain('3000'),
      Q: plain('two words'),
      X_1: plain('x'),
    })
  })

  test('declares PORT itself when it wants another', async () => {
    expect((await spec('listen: 3000\nenv: { PORT: 99 }')).env['PORT']).toEqual(plain('99'))
    expect((await spec('listen: 3000\nenv_file: a.env', {}, { 'a.env': 'PORT=98' })).env['PORT']).toEqual(plain('98'))
  })

  test('names the source of each secret and never holds its value', async () => {
    const lines = [
      'env:',
      '  A: { from_env: FROM_SHELL }',
      '  B: { from_env: FROM_DOTENV }',
      '  C: { from_file: s.txt }',
      '  D: { from_command: [printf, "command-value\\n"] }',
      '  E: { value: literal-value, secret: true }',
      '  F: { value: plain }',
    ].join('\n')
    const files = { 's.txt': 'file-value\n\n', '.env': 'FROM_DOTENV=dotenv-value\nFROM_SHELL=not-this' }
    const { env } = await spec(lines, { env: { FROM_SHELL: 'shell-value!!' } }, files)
    expect(env).toEqual({
      A: secret('env:FROM_SHELL', 13),
      B: secret('env:FROM_DOTENV', 12),
      C: secret('file:s.txt', 11),
      D: secret('command:printf', 13),
      E: secret('literal', 13),
      F: plain('plain'),
    })
  })

  test('interpolates from the shell first, then from .env', async () => {
    const lines = 'env: { A: "${A}-${B}-${C:-c}-${EMPTY:-e}-$$-$x-$${A}-${EMPTY}" }'
    const { env } = await spec(lines, { env: { A: 'a', EMPTY: '' } }, { '.env': 'A=no\nB=b' })
    expect(env['A']).toEqual(plain('a-b-c-e-$-$x-${A}-'))
  })

  test('converts interpolated values where the schema asks for a number or a boolean', async () => {
    const app = await spec(
      'restart: { max: "${N}", backoff: { factor: "${F}" } }\nrollout: { exclusive: "${X}" }\ninstances: "${N}"\nenv: { N: "${N}" }',
      {
        env: { N: '4', F: '1.5', X: 'true' },
      },
    )
    expect(app.restart).toMatchObject({ max: 4, backoff: { factor: 1.5 } })
    expect(app.rollout.exclusive).toBe(true)
    expect(app.instances).toBe(4)
    expect(app.env['N']).toEqual(plain('4'))
  })

  test('takes the allow-listed variables of the shell that the app does not define', async () => {
    const env = { LC_ALL: 'C', LC_TIME: 'nb', TZ: 'UTC', SECRET: 'x', USER: 'u', npm_config: 'y' }
    const app = await spec('env: { TZ: Europe/Oslo, HOME: /h }', { env })
    expect(app.ambient).toEqual({ PATH: BASE_ENV.PATH, LC_ALL: 'C', LC_TIME: 'nb', USER: 'u' })
  })
})

describe('overlays', () => {
  const file = [
    'defaults: { stop: { timeout: 1s, signal: SIGINT }, env: { A: "1", B: "2" }, ready: { delay: 1s } }',
    'apps:',
    '  api: { script: app.js, env: { C: "3", T: { from_env: T } }, depends_on: [job] }',
    '  job: { script: app.js, kind: job }',
    'environments:',
    '  prod:',
    '    apps:',
    '      api: { stop: null, env: { A: null, C: c, T: { value: t } }, ready: { signal: true }, depends_on: [] }',
    '      job: null',
    '      more: { command: [sh] }',
    '  empty:',
  ].join('\n')

  test('merge maps, replace the rest; null removes, also what defaults would bring back', async () => {
    using project = new Project({ 'ecosystem.yaml': file })
    const result = await project.load({ environment: 'prod' })
    if (!result.ok) throw new Error(await project.complaints({ environment: 'prod' }))
    const { api } = result.desired.apps
    expect(Object.keys(result.desired.apps)).toEqual(['api', 'more'])
    expect(api?.stop).toEqual({ signal: 'SIGTERM', message: null, exec: null, drainMs: 10_000, timeoutMs: 10_000 })
    expect(
      Object.entries(api?.env ?? {}).map(([name, one]) => `${name}=${one.type === 'plain' ? one.value : ''}`),
    ).toEqual(['B=2', 'C=c', 'T=t'])
    expect(api?.ready.check).toEqual({ type: 'signal' })
    expect(api?.dependsOn).toEqual({})
    expect(result.desired.scope).toEqual({ project: path.basename(project.folder), environment: 'prod' })
  })

  test('names of apps and variables are no keys of the file, whatever they are', async () => {
    const named = [
      'defaults: { env: { command: a, stop: b } }',
      'apps:',
      '  ready: { script: app.js, env: { script: c } }',
      '  constructor: { script: app.js }',
      'environments: { prod: { apps: { ready: { command: [sh], env: { message: d } } } } }',
    ].join('\n')
    using project = new Project({ 'ecosystem.yaml': named })
    const app = await project.app('ready', { environment: 'prod' })
    expect(app.command).toEqual(['sh'])
    expect(Object.keys(app.env).toSorted()).toEqual(['command', 'message', 'script', 'stop'])
    expect(Object.keys((await project.app('constructor')).env).toSorted()).toEqual(['command', 'stop'])
  })

  test('an empty one is the file under another name', async () => {
    using project = new Project({ 'ecosystem.yaml': file })
    const env = { T: 't' }
    const [base, empty] = [await project.load({ env }), await project.load({ env, environment: 'empty' })]
    expect(empty.ok && empty.desired.apps).toEqual(base.ok && base.desired.apps)
  })

  test('a job takes from defaults only what a job can have', async () => {
    using project = new Project({ 'ecosystem.yaml': file })
    expect((await project.app('job', { env: { T: 't' } })).ready.check).toEqual({ type: 'settled' })
  })
})

test('the folder names the project, made to fit', async () => {
  using project = new Project({ '_my shop (new)/ecosystem.yaml': 'apps: { api: { script: ../app.js } }' })
  const result = await project.load({ cwd: path.join(project.folder, '_my shop (new)') })
  expect(result.ok && result.desired.scope).toEqual({ project: 'my-shop-new-', environment: 'default' })
})

const validate = (project: Project, environment: string | null) =>
  validateEcosystem({ file: null, cwd: project.folder, environment, env: BASE_ENV })

describe('validateEcosystem', () => {
  const file = [
    'apps:',
    '  api: { script: app.js, env: { A: { from_env: NOT_SET }, B: { from_command: [touch, ran] } } }',
    'environments:',
    '  prod: { apps: { api: { cwd: nowhere } } }',
    '  stage: { apps: { api: { cwd: "${WHERE:?say where}" } } }',
  ].join('\n')
  test('looks at every environment, and runs nothing', async () => {
    using project = new Project({ 'ecosystem.yaml': file })
    const result = await validate(project, null)
    expect(result.environments).toEqual(['default', 'prod', 'stage'])
    expect(result.apps).toEqual({ default: ['api'], prod: ['api'], stage: ['api'] })
    expect(
      result.diagnostics.map(({ line, severity, message }) =>
        `${line} ${severity} ${message}`.replace(project.folder, '<folder>'),
      ),
    ).toEqual([
      '2 warning apps.api.env.A: the variable NOT_SET is not set',
      '4 error apps.api.cwd does not exist: <folder>/nowhere',
      '5 warning apps.api.cwd: the variable WHERE is not set: say where',
    ])
    expect(headlines(await project.complaints())).toHaveLength(1)
  })

  test('is strict about the environment asked for', async () => {
    using project = new Project({ 'ecosystem.yaml': file })
    const result = await validate(project, 'stage')
    expect(result.diagnostics.map(({ line, severity }) => `${line} ${severity}`)).toEqual(['5 error'])
  })

  test('evaluates a function for each environment', async () => {
    using project = new Project({
      'ecosystem.mjs':
        'export default ({ env }) => ({ apps: { [`app-${env}`]: { script: "app.js" } }, environments: { one: {}, two: null } })',
    })
    expect((await validate(project, null)).apps).toEqual({ default: ['app-null'], one: ['app-one'], two: ['app-two'] })
  })
})

test('effectiveConfig shows the file as one environment sees it, without secrets', async () => {
  using project = new Project({
    'ecosystem.yaml': [
      'defaults: { stop: { timeout: 90s } }',
      'apps:',
      '  api:',
      '    script: "${MAIN:-app.js}"',
      '    env: { A: { from_env: X }, B: { value: hunter2, secret: true }, C: { value: c }, D: { from_command: [/bin/pass] }, E: 1 }',
      '  gone: { script: app.js }',
      'environments: { prod: { apps: { gone: null, api: { instances: max } } } }',
    ].join('\n'),
  })
  const result = await effectiveConfig({ file: null, cwd: project.folder, environment: 'prod', env: BASE_ENV })
  expect(JSON.parse(JSON.stringify(result.ok && result.config))).toEqual({
    project: path.basename(project.folder),
    apps: {
      api: {
        script: 'app.js',
        stop: { timeout: '90s' },
        instances: 'max',
        env: { A: '(secret env:X)', B: '(secret literal)', C: 'c', D: '(secret command:pass)', E: 1 },
      },
    },
  })
})

describe('where logs go', () => {
  const yaml = `defaults:
  logs: { out: logs/all.log, err: none, format: json, max_size: 1M }
apps:
  api: { script: app.js }
  own: { script: app.js, instances: 2, logs: { out: null, err: 'logs/own-\${instance}.log', format: null } }
  same: { script: app.js, logs: { out: same.log, err: ./same.log } }
  none: { script: app.js, logs: null }
environments:
  production:
    defaults: { logs: { format: time } }
    apps:
      api: { logs: { out: /var/log/api.log, err: null, merge: true } }
`
  const output = async (app: string, environment: string | null = null): Promise<AppSpec['output']> => {
    using project = new Project({ 'ecosystem.yaml': yaml })
    const { out, err, format } = (await project.app(app, { environment })).output
    const shown = (target: string): string => showPerInstance(target.replace(project.folder, '<folder>'))
    return { out: shown(out), err: shown(err), format } as AppSpec['output']
  }
  test('as the defaults say, unless an app says otherwise; null takes back', async () => {
    expect(await output('api')).toEqual({ out: '<folder>/logs/all.log', err: 'discard', format: 'json' })
    expect(await output('own')).toEqual({ out: 'default', err: '<folder>/logs/own-${instance}.log', format: 'plain' })
    expect(await output('same')).toEqual({ out: '<folder>/same.log', err: 'merged', format: 'json' })
    expect(await output('none')).toEqual({ out: 'default', err: 'default', format: 'plain' })
  })
  test('as an environment says', async () => {
    expect(await output('api', 'production')).toEqual({ out: '/var/log/api.log', err: 'merged', format: 'time' })
  })
})
