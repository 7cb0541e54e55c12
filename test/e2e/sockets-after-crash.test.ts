/**
 * kill -9 of the daemon: the next one has the very sockets that its instances serve, and what follows loses nothing
 * (docs/adr/0019).
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../support/binary.ts'
import { killDaemon } from '../support/daemons.ts'
import { eventually } from '../support/eventually.ts'
import { get } from '../support/http.ts'
import { startLoad } from '../support/load.ts'
import { freePort } from '../support/ports.ts'
import { kill } from '../support/processes.ts'
import { findPython } from '../support/python.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

/** Many commands. */
const LONG_MS = 120_000

const CLIENTS = { keepAlive: 4, perRequest: 4 }

/** Inodes of the sockets that listen on a port, by the kernel. */
function socketsOn(port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => state === '0A' && local?.endsWith(`:${hex}`))
      .map((cells) => cells[9] ?? ''),
  )
}

/** Inodes of the sockets that listen at a path. */
function unixSocketsAt(path: string): string[] {
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((cells) => cells[7] === path && cells[3] === '00010000')
    .map((cells) => cells[6] ?? '')
}

function zeroApp(file: string): string {
  return join(ROOT, 'bench/apps/zero', file)
}

const python = findPython()
if (python === null) process.stderr.write('SKIPPED: no python3 here, so the sockets of no Python app were taken back\n')

const apps: readonly { readonly what: string; readonly app: (port: number) => object }[] = [
  { what: 'a Node app', app: (port) => ({ script: zeroApp('plain.cjs'), listen: `127.0.0.1:${port}` }) },
  {
    what: 'a Node app whose port nobody declared',
    app: (port) => ({ script: zeroApp('plain.cjs'), env: { PORT: String(port) } }),
  },
  ...(python === null
    ? []
    : [
        {
          what: 'a Python app',
          app: (port: number) => ({ command: [python, zeroApp('server.py')], listen: `127.0.0.1:${port}` }),
        },
      ]),
]

for (const { what, app } of apps) {
  test(
    `scale, reload and apply under load after a crash fail no request of ${what}`,
    async () => {
      await using rig = await createRig()
      const port = await freePort()
      const own = app(port) as { env?: object }
      const config = (version: string): object => ({
        apps: {
          api: {
            instances: 2,
            rollout: { soak: '200ms' },
            stop: { timeout: '3s' },
            ...own,
            env: { ...own.env, VERSION: version },
          },
        },
      })
      expect(await rig.apply(config('1'))).toMatchObject({ code: 0 })
      const before = await rig.pids('api')
      const [socket] = socketsOn(port)
      const load = await startLoad(port, CLIENTS)
      await killDaemon(rig)
      const adopted = await rig.pids('api')
      const scaled = await rig.eco(['scale', 'api', '3'])
      const shared = socketsOn(port)
      await killDaemon(rig)
      const reloaded = await rig.eco(['reload', 'api'])
      await killDaemon(rig)
      rig.write('ecosystem.yaml', config('2'))
      const plan = await rig.eco(['plan'])
      const applied = await rig.eco(['apply', '--yes'])
      const failures = await load.finish(() => load.answers.has('2'))
      expect(adopted).toEqual(before)
      expect(scaled).toMatchObject({ code: 0 })
      expect(shared).toEqual([socket])
      expect(reloaded).toMatchObject({ code: 0 })
      expect(plan.stdout).not.toContain('restart')
      expect(applied).toMatchObject({ code: 0 })
      expect(socketsOn(port)).toEqual([socket])
      expect(failures).toEqual([])
    },
    LONG_MS,
  )
}

/** A PATH with these programs and no other. */
function pathWith(rig: Rig, programs: Readonly<Record<string, string>>): string {
  const folder = join(rig.dir, '..', 'bin')
  mkdirSync(folder)
  for (const [name, file] of Object.entries(programs)) symlinkSync(file, join(folder, name))
  return folder
}

/** `sleep` and the like, wherever it is. */
function programPath(name: string): string {
  return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()
}

async function told(rig: Rig): Promise<string> {
  return (await rig.eco(['events'])).stdout
}

test(
  'a Node app gives its sockets itself: port, unix path and port of its own, by wrapper and cluster too',
  async () => {
    await using rig = await createRig()
    const env = { PATH: pathWith(rig, { node: process.execPath, sh: programPath('sh') }) }
    const [port, own, wrapped, clustered] = [await freePort(), await freePort(), await freePort(), await freePort()]
    const path = join(rig.dir, 'api.sock')
    rig.write(
      'wrapper.cjs',
      `require('child_process').spawn(process.execPath, [${JSON.stringify(fixture('http-server.mjs'))}], { stdio: 'inherit' })`,
    )
    rig.write(
      'cluster.cjs',
      `const cluster = require('cluster')
    if (cluster.isPrimary) for (let i = 0; i < 2; i++) cluster.fork()
    else require('http').createServer((_, r) => r.end('{}')).listen(Number(process.env.PORT))`,
    )
    const server = fixture('http-server.mjs')
    const apps = {
      port: { script: server, listen: port },
      path: { script: server, listen: path, env: { SOCKET: path } },
      own: { script: fixture('undeclared-server.mjs'), env: { PORT: String(own) } },
      wrapped: { script: 'wrapper.cjs', listen: `127.0.0.1:${wrapped}` },
      clustered: { script: 'cluster.cjs', listen: clustered },
    }
    rig.write('ecosystem.yaml', { apps })
    expect(await rig.eco(['apply', '--yes'], { env })).toMatchObject({ code: 0 })
    const [before, inode] = [
      (await Promise.all(Object.keys(apps).map((app) => rig.pids(app)))).flat(),
      unixSocketsAt(path),
    ]
    await killDaemon(rig)
    const scaled = await rig.eco(['scale', 'all', '2'], { env })
    expect(scaled.stderr + scaled.stdout + (await told(rig))).not.toMatch(/restart|beside|cannot share/)
    expect(scaled).toMatchObject({ code: 0 })
    for (const app of Object.keys(apps)) expect(before, app).toContain((await rig.pids(app))[0])
    for (const one of [port, own, wrapped, clustered]) expect(socketsOn(one)).toHaveLength(1)
    expect(unixSocketsAt(path)).toEqual(inode)
    expect(await get(path)).toMatchObject({ status: 200 })
  },
  LONG_MS,
)

test(
  'of a Node app that hangs the socket is copied, and of one that does not listen yet',
  async () => {
    await using rig = await createRig()
    const [hung, silent] = [await freePort(), await freePort()]
    const apps = {
      hung: { script: fixture('http-server.mjs'), listen: `127.0.0.1:${hung}` },
      silent: { script: fixture('never-listens.mjs'), listen: `127.0.0.1:${silent}`, ready: { delay: '100ms' } },
    }
    expect(await rig.apply({ apps })).toMatchObject({ code: 0 })
    const [pid = 0] = await rig.pids('hung')
    kill(pid, 'SIGSTOP')
    await killDaemon(rig)
    // It is a while until it is clear that nobody answers; whoever needs the socket waits for that.
    expect(await rig.eco(['scale', 'hung', '2'])).toMatchObject({ code: 0 })
    expect(await rig.eco(['scale', 'silent', '2'])).toMatchObject({ code: 0 })
    kill(pid, 'SIGCONT')
    expect(socketsOn(hung)).toHaveLength(1)
    const [first, second] = (await rig.pids('silent')).map((one) => readlinkSync(`/proc/${one}/fd/20`))
    expect(first).toBe(second)
    expect(await told(rig)).not.toMatch(/cannot share|between two sockets/)
  },
  LONG_MS,
)

test.skipIf(python === null)(
  'a program that blocks in accept goes on when its socket is copied',
  async () => {
    await using rig = await createRig()
    const path = join(rig.dir, 'api.sock')
    const port = await freePort()
    const command = [python as string, fixture('systemd-server.py')]
    expect(
      await rig.apply({ apps: { tcp: { command, listen: `127.0.0.1:${port}` }, unix: { command, listen: path } } }),
    ).toMatchObject({ code: 0 })
    const before = [await rig.pids('tcp'), await rig.pids('unix')]
    await killDaemon(rig)
    expect(await rig.eco(['scale', 'all', '2'])).toMatchObject({ code: 0 })
    expect(await get(port)).toMatchObject({ status: 200 })
    expect(await get(path)).toMatchObject({ status: 200 })
    expect([(await rig.pids('tcp'))[0], (await rig.pids('unix'))[0]]).toEqual(before.flat())
    expect(socketsOn(port)).toHaveLength(1)
    expect(unixSocketsAt(path)).toHaveLength(1)
  },
  LONG_MS,
)

test.skipIf(python === null)(
  'what can neither be given nor copied is told, and the next change works all the same',
  async () => {
    await using rig = await createRig()
    const port = await freePort()
    const path = join(rig.dir, 'api.sock')
    const env = { PATH: pathWith(rig, { node: process.execPath, sh: programPath('sh') }) }
    const command = [python as string, fixture('systemd-server.py')]
    const config = (X: string): object => ({
      apps: { tcp: { command, listen: `127.0.0.1:${port}`, env: { X } }, unix: { command, listen: path, env: { X } } },
    })
    rig.write('ecosystem.yaml', config('1'))
    expect(await rig.eco(['apply', '--yes'], { env })).toMatchObject({ code: 0 })
    await killDaemon(rig)
    expect(await rig.eco(['ls'], { env })).toMatchObject({ code: 0 })
    await eventually(async () => {
      expect(await told(rig)).toMatch(
        /unix serves .*api\.sock, but new instances cannot share it until "eco restart unix": copying it out of the process needs perl or python3, and there is none/,
      )
    })
    rig.write('ecosystem.yaml', config('2'))
    const plan = await rig.eco(['plan'], { env })
    expect(plan.stdout).toMatch(/restart/)
    expect(await rig.eco(['apply', '--yes'], { env })).toMatchObject({ code: 0 })
    expect(await get(port)).toMatchObject({ status: 200 })
    expect(await get(path)).toMatchObject({ status: 200 })
  },
)
