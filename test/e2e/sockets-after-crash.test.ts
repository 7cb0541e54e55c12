/**
 * kill -9 of the daemon: the next one has the very sockets that its instances serve, and what follows loses nothing
 * (docs/adr/0019).
 */

import { readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../support/binary.ts'
import { eventually } from '../support/eventually.ts'
import { startLoad } from '../support/load.ts'
import { freePort } from '../support/ports.ts'
import { isRunning, kill } from '../support/processes.ts'
import { findPython } from '../support/python.ts'
import { createRig, fixture, type Rig } from '../support/rig.ts'

const CLIENTS = { keepAlive: 4, perRequest: 4 }

async function killDaemon(rig: Rig): Promise<void> {
  const daemon = await rig.daemonPid()
  kill(daemon)
  await eventually(() => expect(isRunning(daemon)).toBe(false))
}

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

function zeroApp(file: string): string {
  return join(ROOT, 'bench/apps/zero', file)
}

const python = findPython()
if (python === null) process.stderr.write('SKIPPED: no python3 here, so the sockets of no Python app were taken back\n')

const apps: readonly { readonly what: string; readonly app: (port: number) => object }[] = [
  { what: 'a Node app', app: (port) => ({ script: zeroApp('plain.cjs'), listen: `127.0.0.1:${port}` }) },
  { what: 'a Node app whose port nobody declared', app: (port) => ({ script: zeroApp('plain.cjs'), env: { PORT: String(port) } }) },
  ...(python === null
    ? []
    : [{ what: 'a Python app', app: (port: number) => ({ command: [python, zeroApp('server.py')], listen: `127.0.0.1:${port}` }) }]),
]

for (const { what, app } of apps) {
  test(`scale, reload and apply under load after a crash fail no request of ${what}`, async () => {
    await using rig = await createRig()
    const port = await freePort()
    const own = app(port) as { env?: object }
    const config = (version: string): object => ({
      apps: {
        api: { instances: 2, rollout: { soak: '200ms' }, stop: { timeout: '3s' }, ...own, env: { ...own.env, VERSION: version } },
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
  }, 60_000)
}
