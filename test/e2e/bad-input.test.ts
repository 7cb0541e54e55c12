/**
 * What bad input gets: every problem with its place, exit code 4 (5 where the machine refuses), and nothing started,
 * stopped or changed.
 */

import { chmodSync, symlinkSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../support/ports.ts'
import { createRig, fixture, type EcoResult, type Rig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

/** Applies a bad file where a good one was applied: the answer, after a look that nothing has changed. */
async function refused(rig: Rig, bad: string | Buffer, ...args: string[]): Promise<EcoResult> {
  await rig.apply({ apps: { running: sleeper } })
  const before = await rig.ls()
  writeFileSync(join(rig.dir, 'ecosystem.yaml'), bad)
  const result = await rig.eco(['apply', '--yes', ...args])
  const facts = (apps: typeof before): unknown =>
    apps.map(({ app, revision, instances }) => [app, revision, instances.map(({ pid, state }) => [pid, state])])
  expect(facts(await rig.ls())).toEqual(facts(before))
  expect(result.stderr).not.toMatch(/ {4}at .*\(|bug in eco/)
  return result
}

interface BadFile {
  readonly what: string
  readonly text: string | Buffer
  readonly args?: string[]
  /** All of them must be on stderr. */
  readonly says: readonly (string | RegExp)[]
}

const deepAnchors = Array.from(
  { length: 9 },
  (_, i) => `x-${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]`,
)

const badFiles: readonly BadFile[] = [
  {
    what: 'an unknown key',
    text: 'apps:\n  api:\n    command: [sleep, "1"]\n    intsances: 2\n',
    says: [/ecosystem\.yaml:4:5 .*intsances/, 'instances', '~~~'],
  },
  {
    what: 'a wrong type',
    text: 'apps:\n  api:\n    command: [sleep, "1"]\n    instances: two\n',
    says: [/ecosystem\.yaml:4:16 .*instances/, 'two'],
  },
  {
    what: 'a number without a unit',
    text: 'apps:\n  api:\n    command: [sleep, "1"]\n    stop: { timeout: 10 }\n',
    says: [/ecosystem\.yaml:4:22 .*timeout/, '10s'],
  },
  {
    what: 'several problems at once',
    text: 'apps:\n  api:\n    command: [sleep, "1"]\n    instances: -1\n  b:\n    comand: [sleep]\n  c: { command: [sleep, "1"], ready: { htpp: / } }\n',
    says: [/ecosystem\.yaml:4:16/, /ecosystem\.yaml:6:5/, /ecosystem\.yaml:7:\d+/],
  },
  {
    what: 'a key that stands twice',
    text: 'apps:\n  api:\n    command: [sleep, "1"]\n    instances: 1\n    instances: 2\n',
    says: [/ecosystem\.yaml:5:5 this key is already there/, 'instances: 2'],
  },
  {
    what: 'an app that stands twice',
    text: 'apps:\n  api: { command: [sleep, "1"] }\n  api: { command: [sleep, "2"] }\n',
    says: [/ecosystem\.yaml:3:3 this key is already there/, 'api:'],
  },
  { what: 'no YAML at all', text: 'apps:\n  api: {command: [sleep\n', says: [/ecosystem\.yaml:\d+:\d+/] },
  {
    what: 'a bomb of anchors',
    text: `x-0: &a0 [lol, lol, lol]\n${deepAnchors.join('\n')}\napps: { api: { command: *a9 } }\n`,
    says: [/ecosystem\.yaml/, /alias|anchor/i],
  },
  { what: '50 MB', text: Buffer.alloc(50 * 1024 * 1024, '# filler\n'), says: [/ecosystem\.yaml/, /MB|MiB|large/] },
  { what: 'a NUL byte', text: 'apps:\n  api: { command: [sl\0eep] }\n', says: [/ecosystem\.yaml:2:\d+ .*NUL/i] },
  {
    what: 'another encoding',
    text: Buffer.from('apps:\n  api: { command: [sleep, "caf\xe9"] }\n', 'latin1'),
    says: [/ecosystem\.yaml(:\d+:\d+)? .*UTF-8/],
  },
  {
    what: 'a cycle of dependencies',
    text: 'apps:\n  a: { command: [sleep, "1"], depends_on: [b] }\n  b: { command: [sleep, "1"], depends_on: [c] }\n  c: { command: [sleep, "1"], depends_on: [a] }\n',
    says: [/ecosystem\.yaml:\d+:\d+ /, /a (→|->) b (→|->) c (→|->) a/],
  },
  {
    what: 'an unknown dependency',
    text: 'apps:\n  api: { command: [sleep, "1"], depends_on: [redsi] }\n  redis: { command: [sleep, "1"] }\n',
    says: [/ecosystem\.yaml:2:46 .*redsi/, 'redis'],
  },
  {
    what: 'an unknown environment',
    text: 'apps: {}\nenvironments: { production: {}, staging: {} }\n',
    args: ['--env', 'prodction'],
    says: [/prodction/, /production/, /staging/],
  },
  {
    what: 'a variable that is required and missing',
    text: 'apps:\n  api:\n    command: [sleep, "1"]\n    env: { A: "${DB_URL:?set it to the address of the database}" }\n',
    says: [/ecosystem\.yaml:4:\d+ .*DB_URL/, 'set it to the address of the database'],
  },
  {
    what: 'an env_file that is not there',
    text: 'apps:\n  api:\n    command: [sleep, "1"]\n    env_file: nowhere.env\n',
    says: [/ecosystem\.yaml:4:15 .*nowhere\.env/],
  },
  {
    what: 'an env_file that is a folder',
    text: 'apps:\n  api:\n    command: [sleep, "1"]\n    env_file: /tmp\n',
    says: [/ecosystem\.yaml:4:15 .*\/tmp/],
  },
  {
    what: 'a script that is not there',
    text: 'apps:\n  api:\n    script: sevrer.js\n',
    says: [/ecosystem\.yaml:3:13 .*sevrer\.js/],
  },
  {
    what: 'a program that is not on PATH',
    text: 'apps:\n  api:\n    command: [no-such-program-here]\n',
    says: [/ecosystem\.yaml:3:15 .*no-such-program-here/],
  },
  {
    what: 'a cwd that is not there',
    text: 'apps:\n  api:\n    command: [sleep, "1"]\n    cwd: ./nowhere\n',
    says: [/ecosystem\.yaml:4:10 .*nowhere/],
  },
  {
    what: 'two apps on one port',
    text: 'apps:\n  a: { command: [sleep, "1"], listen: 20100 }\n  b: { command: [sleep, "1"], listen: "127.0.0.1:20100" }\n',
    says: [/ecosystem\.yaml:3:\d+ .*20100/, /\ba\b/],
  },
  {
    what: 'neither script nor command',
    text: 'apps:\n  api: { instances: 2 }\n',
    says: [/ecosystem\.yaml:2:\d+ .*script/],
  },
  {
    what: 'a schedule that is none',
    text: 'apps:\n  tick: { kind: cron, command: [sleep, "1"], schedule: "61 * * * *" }\n',
    says: [/ecosystem\.yaml:2:\d+ .*schedule/],
  },
  { what: 'nothing in it', text: '', says: [/ecosystem\.yaml/] },
  { what: 'a list instead of a map', text: '- apps\n', says: [/ecosystem\.yaml:1:1/] },
]

for (const { what, text, args = [], says } of badFiles) {
  test(`a file with ${what} is refused with exit code 4`, async () => {
    await using rig = await createRig()
    const result = await refused(rig, text, ...args)
    for (const line of says) {
      if (typeof line === 'string') expect.soft(result.stderr).toContain(line)
      else expect.soft(result.stderr).toMatch(line)
    }
    expect(result.code).toBe(4)
  })
}

test('an env_file that may not be read is refused', async ({ skip }) => {
  if (process.getuid?.() === 0) skip('root may read everything')
  await using rig = await createRig()
  chmodSync(rig.write('closed.env', 'A=1'), 0)
  const result = await refused(rig, 'apps:\n  api:\n    command: [sleep, "1"]\n    env_file: closed.env\n')
  expect(result).toMatchObject({ code: 4 })
  expect(result.stderr).toMatch(/ecosystem\.yaml:4:15 .*closed\.env/)
})

test('a file that points to itself is refused', async () => {
  await using rig = await createRig()
  symlinkSync('loop.yaml', join(rig.dir, 'loop.yaml'))
  const result = await rig.eco(['apply', 'loop.yaml', '--yes'])
  expect(result.code).toBe(4)
  expect(result.stderr).toContain('loop.yaml')
})

test('a port that a foreign process holds is refused with exit code 5, naming the process', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  try {
    const app = { script: fixture('http-server.mjs'), listen: `127.0.0.1:${port}` }
    const result = await refused(rig, JSON.stringify({ apps: { running: sleeper, api: app } }))
    expect(result).toMatchObject({ code: 5 })
    expect(result.stderr).toContain(`port ${port}`)
    expect(result.stderr).toContain(`pid ${process.pid}`)
  } finally {
    server.close()
  }
})

test('a unix socket on which somebody else listens is refused with exit code 5, and left alone', async () => {
  await using rig = await createRig()
  const path = join(rig.dir, 'foreign.sock')
  const server = net.createServer((socket) => socket.end('still here'))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  try {
    const app = { script: fixture('http-server.mjs'), listen: path, env: { SOCKET: path } }
    const result = await refused(rig, JSON.stringify({ apps: { running: sleeper, api: app } }))
    expect(result).toMatchObject({ code: 5 })
    expect(result.stderr).toContain(`${path} is in use`)
    const answer = await new Promise<string>((resolve, reject) => {
      net
        .connect(path)
        .on('data', (data) => resolve(data.toString()))
        .on('error', reject)
    })
    expect(answer).toBe('still here')
  } finally {
    server.close()
  }
})

test("a TypeScript file that throws shows its own stack, not eco's", async () => {
  await using rig = await createRig()
  rig.write(
    'ecosystem.ts',
    "function connect(): never {\n  throw new Error('no such region')\n}\nexport default connect()\n",
  )
  const result = await rig.eco(['apply', '--yes'])
  expect(result.code).toBe(4)
  expect(result.stderr).toContain('no such region')
  expect(result.stderr).toMatch(/ecosystem\.ts:2:9/)
  expect(result.stderr).toContain('connect')
  expect(result.stderr).not.toMatch(/dist\/|chunks|node_modules|jiti/)
  expect(await rig.ls()).toEqual([])
})

test('a TypeScript file that never settles is given up', async () => {
  await using rig = await createRig()
  rig.write('ecosystem.ts', 'export default new Promise(() => setInterval(() => {}, 1000))\n')
  const started = Date.now()
  const result = await rig.eco(['validate'])
  expect(result.code).toBe(4)
  expect(result.stderr).toMatch(/ecosystem\.ts.*(settle|within|\d+ ?s)/)
  expect(Date.now() - started).toBeLessThan(22_000)
})

test('a TypeScript file that calls process.exit or is busy for ever does not take eco along', async () => {
  await using rig = await createRig()
  rig.write('exits.ts', 'process.exit(0)\n')
  const exits = await rig.eco(['validate', 'exits.ts'])
  expect(exits.code).toBe(4)
  rig.write('busy.ts', 'for (;;) {}\n')
  const busy = await rig.eco(['validate', 'busy.ts'])
  expect(busy.code).toBe(4)
})
