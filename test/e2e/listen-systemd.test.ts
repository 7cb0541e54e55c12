/** Programs that are not Node get their sockets as systemd hands them over: real ones, as far as they are here. */

import { execFileSync, spawnSync } from 'node:child_process'
import { constants, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { get } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { kill } from '../support/processes.ts'
import { findPython } from '../support/python.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const PYTHON = findPython()
const HAS_PERL = isHere('perl', ['-MSocket', '-e', '1'])
const HAS_NGINX = isHere('nginx', ['-v'])

const PROGRAMS: readonly [name: string, isHere: boolean, command: readonly string[]][] = [
  ['Python, accept blocks', PYTHON !== null, [PYTHON ?? '', fixture('systemd-accept.py'), 'socketserver']],
  ['Python, asyncio', PYTHON !== null, [PYTHON ?? '', fixture('systemd-accept.py'), 'asyncio']],
  ['Perl', HAS_PERL, ['perl', fixture('systemd-accept.pl')]],
]
for (const [name, found] of [...PROGRAMS, ['nginx', HAS_NGINX] as const]) {
  if (!found) process.stderr.write(`SKIPPED: not here, so LISTEN_FDS was not tried with it: ${name}\n`)
}

async function answeringPids(target: number | string): Promise<number[]> {
  const answers = await Promise.all(Array.from({ length: 60 }, () => get(target)))
  return [...new Set(answers.map(({ body }) => body.pid as number))].toSorted((a, b) => a - b)
}

const sorted = async (rig: Rig): Promise<number[]> => (await rig.pids('api')).toSorted((a, b) => a - b)

for (const [name, found, command] of PROGRAMS) {
  test.skipIf(!found)(`two instances of a program that only accepts share a port: ${name}`, async () => {
    await using rig = await createRig()
    const port = await freePort()
    expect(await rig.apply({ apps: { api: { command, instances: 2, listen: `127.0.0.1:${port}` } } })).toMatchObject({
      code: 0,
    })
    const pids = await sorted(rig)
    await eventually(async () => expect(await answeringPids(port)).toEqual(pids))
    // One that comes back beside the other gets a socket in the mode that this one has set.
    const [first = 0] = pids
    kill(first)
    await eventually(async () => {
      expect(await get(port)).toMatchObject({ status: 200 })
      expect(await sorted(rig)).not.toContain(first)
      expect((await rig.app('api')).ready).toBe(2)
    })
    const after = await sorted(rig)
    await eventually(async () => expect(await answeringPids(port)).toEqual(after))
    const { instances } = await rig.app('api')
    expect(instances.filter(({ restarts }) => restarts > 0)).toHaveLength(1)
  })
}

test.skipIf(PYTHON === null)('an event loop does not hang in accept while another instance starts', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const command = [PYTHON, fixture('systemd-accept.py'), 'asyncio']
  // Not by tcp: its connections would wake whoever hangs.
  const ready = { log: 'serving' }
  const api = { command, instances: 2, listen: `127.0.0.1:${port}`, ready, env: { DELAY: '1' } }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  const [first = 0] = await rig.pids('api')
  kill(first)
  // Each connection is alone: had the survivor to take another one before it answers, this one would time out.
  const starts = (): number => rig.output('api').match(/serving/g)?.length ?? 0
  while (starts() < 2) expect(await get(port)).toMatchObject({ status: 200 })
  await eventually(async () => expect((await rig.app('api')).ready).toBe(2))
})

test.skipIf(PYTHON === null)('who connects before the program accepts is served', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const command = [PYTHON, fixture('systemd-accept.py'), 'socketserver']
  rig.write('ecosystem.yaml', {
    apps: { api: { command, listen: `127.0.0.1:${port}`, env: { DELAY: '1' } } },
  })
  const applied = rig.eco(['apply', '--yes'])
  const early = await eventually(async () => await get(port))
  expect(early).toMatchObject({ status: 200 })
  expect(await applied).toMatchObject({ code: 0 })
  expect(early.body.pid).toBe((await rig.pids('api'))[0])
})

test.skipIf(PYTHON === null)('a roll loses no request of a program that only accepts', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const command = [PYTHON, fixture('systemd-accept.py'), 'socketserver']
  const api = (version: string): object => ({
    apps: { api: { command, listen: { host: '127.0.0.1', port, name: 'http' }, env: { VERSION: version } } },
  })
  expect(await rig.apply(api('1'))).toMatchObject({ code: 0 })
  expect(rig.output('api')).toContain('serving http')
  expect(await rig.apply(api('2'))).toMatchObject({ code: 0 })
  expect(await get(port)).toMatchObject({ body: { version: '2' } })
})

test.skipIf(PYTHON === null)('a unix socket has the declared mode and name, and is changed in place', async () => {
  await using rig = await createRig()
  const path = join(rig.dir, 'api.sock')
  const command = [PYTHON, fixture('systemd-accept.py'), 'socketserver']
  const apply = (listen: object) => rig.apply({ apps: { api: { command, listen } } })
  const mode = (): string => (statSync(path).mode & 0o777).toString(8)
  expect(await apply({ path: './api.sock', mode: '666', name: 'web' })).toMatchObject({ code: 0 })
  expect(mode()).toBe('666')
  expect(rig.output('api')).toContain('serving web')
  expect(await get(path)).toMatchObject({ status: 200 })
  const { ino } = statSync(path)
  expect(await apply({ path: './api.sock', mode: '600' })).toMatchObject({ code: 0 })
  expect(mode()).toBe('600')
  expect(statSync(path).ino).toBe(ino)
  expect(await get(path)).toMatchObject({ status: 200 })
  // A version that does not start is taken back, and its mode with it.
  const broken = { path: './api.sock', mode: '640' }
  const failed = await rig.apply({
    apps: { api: { command: ['sh', '-c', 'exit 3'], listen: broken, restart: { max: 0 } } },
  })
  expect(failed).toMatchObject({ code: 6 })
  expect(mode()).toBe('600')
})

test.skipIf(!HAS_NGINX)('nginx takes its sockets by NGINX, and two of them share a port', async () => {
  await using rig = await createRig()
  const port = await freePort()
  rig.write(
    'nginx.conf',
    `worker_processes 1; error_log stderr; pid nginx.pid;
    events {}
    http {
      access_log off; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
      server { listen 127.0.0.1:${port}; location / { return 200 '{"pid":$pid}'; } }
    }`,
  )
  const nginx = execFileSync('sh', ['-c', 'command -v nginx'], { encoding: 'utf8' }).trim()
  const command = [nginx, '-e', 'stderr', '-p', rig.dir, '-c', join(rig.dir, 'nginx.conf'), '-g', 'daemon off;']
  const api = { command, instances: 2, listen: `127.0.0.1:${port}`, env: { NGINX: '3;' } }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  await eventually(async () => expect(await answeringPids(port)).toHaveLength(2))
  // A connection wakes both, and one gets it: the other must not wait for the next one in accept. That is a race that
  // is seldom lost, so it is looked at what prevents it.
  const [first] = await rig.pids('api')
  const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/${first}/fdinfo/3`, 'utf8'))?.[1] ?? ''
  expect(Number.parseInt(flags, 8) & constants.O_NONBLOCK).not.toBe(0)
  expect(await rig.eco(['restart', 'api'])).toMatchObject({ code: 0 })
  expect(await get(port)).toMatchObject({ status: 200 })
})

function isHere(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args).status === 0
}
