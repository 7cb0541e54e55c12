/** What is wrong with a port: who has it, why it cannot be bound, why nobody serves it, and what to do. */

import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { ECO } from '../support/binary.ts'
import { get } from '../support/http.ts'
import { freePort } from '../support/ports.ts'
import { startChild } from '../supervisor/children.ts'
import { findPython } from '../support/python.ts'
import { createRig, fixture } from '../support/rig.ts'

const NOBODY = 65_534
const PYTHON = findPython()

const server = { script: fixture('http-server.mjs') }

test('one port of two apps in one file is an error of the file, with both places', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const result = await rig.apply(
    `apps:\n  a:\n    script: ${fixture('http-server.mjs')}\n    listen: ${port}\n  b:\n    script: ${fixture('http-server.mjs')}\n    listen: { port: ${port}, host: 127.0.0.1 }\n`,
  )
  expect(result).toMatchObject({ code: 4 })
  expect(result.stderr).toContain(
    `ecosystem.yaml:7:13 apps.b.listen: 127.0.0.1:${port} is already declared by apps.a (line 4, column 13)`,
  )
})

test('a port of an app in another scope is refused, and who has it is named', async () => {
  await using rig = await createRig()
  const port = await freePort()
  expect(await rig.apply({ apps: { api: { ...server, listen: port } } })).toMatchObject({ code: 0 })
  const pids = await rig.pids('api')
  const other = rig.write('other/ecosystem.yaml', {
    project: 'other',
    apps: { web: { ...server, listen: `127.0.0.1:${port}` } },
  })
  const refused = await rig.eco(['apply', other, '--yes'])
  expect(refused).toMatchObject({ code: 5 })
  expect(refused.stderr).toContain(
    `other/default/web declares tcp:127.0.0.1:${port}, which belongs to demo/default/api.`,
  )
  expect(refused.stderr).toContain('give one of them another address')
  expect(await rig.pids('api')).toEqual(pids)
  expect((await rig.ls()).map(({ app }) => app)).toEqual(['api'])
  expect((await get(port)).status).toBe(200)
})

test('a port that a stranger has is refused, and the stranger is named', async () => {
  await using rig = await createRig()
  const [port, own] = [await freePort(), await freePort()]
  expect(await rig.apply({ apps: { api: { ...server, listen: own } } })).toMatchObject({ code: 0 })
  const pids = await rig.pids('api')
  const stranger = startChild([process.execPath, fixture('holds-port.mjs')], {
    env: { ...process.env, PORT: String(port) },
  })
  await stranger.line()
  const refused = await rig.apply({ apps: { api: { ...server, listen: own }, web: { ...server, listen: port } } })
  expect(refused).toMatchObject({ code: 5 })
  expect(refused.stderr).toMatch(new RegExp(`pid ${stranger.pid} \\(.*holds-port`))
  expect(await rig.pids('api')).toEqual(pids)
  expect((await rig.ls()).map(({ app }) => app)).toEqual(['api'])
  // Where the app runs already, its new port is tried when the plan is carried out.
  const moved = await rig.apply({ apps: { api: { ...server, listen: port } } })
  expect(moved).toMatchObject({ code: 5 })
  expect(moved.stderr).toContain(`Port ${port} is in use by pid ${stranger.pid} (`)
  expect(moved.stderr).toContain(`kill ${stranger.pid}`)
  expect(await rig.pids('api')).toEqual(pids)
  expect((await get(own)).status).toBe(200)
})

const mayTryNobody =
  process.getuid?.() === 0 && spawnSync('setpriv', ['--version']).status === 0 && unprivilegedStart() > 87

test.skipIf(!mayTryNobody)('a port that only root may bind is refused with the remedy', async () => {
  await using rig = await createRig()
  const root = dirname(rig.dir)
  const dir = join(root, 'nobody')
  mkdirSync(dir)
  chmodSync(root, 0o755)
  const file = rig.write('../nobody/ecosystem.yaml', { apps: { api: { command: ['sleep', '100'], listen: 87 } } })
  for (const path of [dir, file]) chownSync(path, NOBODY, NOBODY)
  const eco = (...args: string[]) =>
    execa('setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', process.execPath, ECO, ...args], {
      cwd: dir,
      env: { ...rig.env, ECO_HOME: join(dir, 'h') },
      extendEnv: false,
      reject: false,
    })
  onTestFinished(async () => void (await eco('daemon', 'stop')))
  const refused = await eco('apply', '--yes')
  expect(refused).toMatchObject({ exitCode: 5 })
  expect(refused.stderr).toContain('Permission denied to listen on port 87')
  expect(refused.stderr).toContain('sysctl net.ipv4.ip_unprivileged_port_start=87')
  expect(refused.stderr).toContain('CAP_NET_BIND_SERVICE')
  expect((await eco('ls', '--json')).stdout).toContain('"apps":[]')
})

test.skipIf(PYTHON === null)('a program that binds its declared port itself is told what to do', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = {
    command: [PYTHON, fixture('binds-itself.py')],
    listen: `127.0.0.1:${port}`,
    restart: { backoff: { initial: '10ms' } },
  }
  const failed = await rig.apply({ apps: { api } })
  expect(failed.code).not.toBe(0)
  expect(failed.stderr + failed.stdout).toContain(
    `port ${port} is declared under listen, so eco holds it: let the app use the socket it is given, or remove listen and set rollout.exclusive: true`,
  )
  expect(failed.stderr + failed.stdout).toContain('Address already in use')
  const mended = { ...api, listen: undefined, env: { PORT: String(port) }, rollout: { exclusive: true } }
  expect(await rig.apply({ apps: { api: mended } })).toMatchObject({ code: 0 })
})

test('two instances of a program that binds its port itself are told of each other', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = {
    command: ['sh', '-c', `exec node ${fixture('http-server.mjs')}`],
    env: { PORT: String(port) },
    ready: { tcp: String(port) },
    restart: { backoff: { initial: '10ms' } },
  }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  const failed = await rig.apply({ apps: { api: { ...api, instances: 2 } } })
  expect(failed.code).not.toBe(0)
  expect(failed.stderr + failed.stdout).toContain(
    `another instance of the app has port ${port}: declare it under listen, so that they share it, or set rollout.exclusive: true`,
  )
})

test('a server that never uses its declared port is found, and where it listens instead is said', async () => {
  await using rig = await createRig()
  const [port, other] = [await freePort(), await freePort()]
  const ready = { timeout: '3s' }
  const idle = { script: fixture('never-listens.mjs'), listen: port, ready, restart: { max: 0 } }
  const failed = await rig.apply({ apps: { idle } })
  expect(failed.code).not.toBe(0)
  expect(failed.stderr + failed.stdout).toContain(`nothing in the new instance accepts on ${port}; tcp`)
  const astray = { ...server, listen: port, ready, restart: { max: 0 }, env: { PORT: String(other) } }
  const wrong = await rig.apply({ apps: { astray } })
  expect(wrong.code).not.toBe(0)
  expect(wrong.stderr + wrong.stdout).toContain(
    `nothing in the new instance accepts on ${port}, it listens on ${other}; tcp`,
  )
})

test('a new version that never uses the port is found although the old one answers there', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = { ...server, listen: port, ready: { timeout: '3s' } }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  const failed = await rig.apply({ apps: { api: { ...api, script: fixture('never-listens.mjs') } } })
  expect(failed).toMatchObject({ code: 6 })
  expect(failed.stderr + failed.stdout).toContain(`nothing in the new instance accepts on ${port}; tcp`)
  expect((await get(port)).status).toBe(200)
})

test('a server that takes its port and hangs is found', async () => {
  await using rig = await createRig()
  const port = await freePort()
  const api = { ...server, listen: port, ready: { timeout: '4s', attempt_timeout: '500ms' }, stop: { timeout: '1s' } }
  expect(await rig.apply({ apps: { api } })).toMatchObject({ code: 0 })
  const failed = await rig.apply({ apps: { api: { ...api, script: fixture('adopts-and-hangs.mjs') } } })
  expect(failed).toMatchObject({ code: 6 })
  expect(failed.stderr + failed.stdout).toContain('gave no answer within 0.5s: it has the socket, but accepts nothing')
  for (let i = 0; i < 20; i++) expect((await get(port)).status).toBe(200)
})

function unprivilegedStart(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))
  } catch {
    return 1024
  }
}
