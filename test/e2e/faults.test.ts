/** What goes wrong around an app, and is no reason to lose it. */

import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill } from '../support/processes.ts'
import { createRig } from '../support/rig.ts'

const quick = { restart: { backoff: { initial: '20ms', factor: 1, max: '100ms' }, max: 1000 } }

test('a program that is replaced while it runs is run anew after a crash', async () => {
  await using rig = await createRig()
  const program = rig.write('serve', '#!/bin/sh\necho one; sleep 1000\n')
  chmodSync(program, 0o755)
  await rig.apply({ apps: { app: { command: ['./serve'], ready: { log: 'one' } } } })
  const [pid = 0] = await rig.pids('app')
  // As a deployment does: a new file in the old one's place.
  rmSync(program)
  rig.write('serve', '#!/bin/sh\necho two; sleep 1000\n')
  chmodSync(program, 0o755)
  expect(isRunning(pid)).toBe(true)
  kill(pid)
  await eventually(() => expect(rig.output('app')).toBe('one\ntwo\n'))
})

test('a program that is gone, or may not be executed, is told as such, and comes back with its file', async () => {
  await using rig = await createRig()
  const program = join(rig.dir, 'serve')
  copyFileSync('/bin/sleep', program)
  await rig.apply({ apps: { app: { command: ['./serve', '1000'], ...quick } } })
  const [pid = 0] = await rig.pids('app')
  rmSync(program)
  kill(pid)
  await eventually(async () => {
    const { state, reason } = await rig.app('app')
    expect(state).toBe('backoff')
    expect(reason).toBe(`could not be started: ${program} does not exist`)
  })
  copyFileSync('/bin/sleep', program)
  chmodSync(program, 0o644)
  await eventually(async () =>
    expect((await rig.app('app')).reason).toBe(`could not be started: ${program} may not be executed (EACCES)`),
  )
  chmodSync(program, 0o755)
  await eventually(async () => expect(await rig.app('app')).toMatchObject({ state: 'running', ready: 1 }))
})

test('an app whose folder is deleted runs on; its next start says what is missing, and works once it is back', async () => {
  await using rig = await createRig()
  const folder = join(rig.dir, 'work')
  mkdirSync(folder)
  await rig.apply({ apps: { app: { command: ['sleep', '1000'], cwd: 'work', ...quick } } })
  const [pid = 0] = await rig.pids('app')
  rmSync(folder, { recursive: true })
  expect(await rig.app('app')).toMatchObject({ ready: 1 })
  kill(pid)
  await eventually(async () =>
    expect((await rig.app('app')).reason).toBe(`could not be started: its working directory ${folder} does not exist`),
  )
  mkdirSync(folder)
  await eventually(async () => expect(await rig.app('app')).toMatchObject({ ready: 1 }))
})

test('an app that closes its output goes on', async () => {
  await using rig = await createRig()
  await rig.apply({
    apps: { app: { command: ['sh', '-c', 'echo up; exec >&- 2>&-; sleep 1000'], ready: { log: 'up' } } },
  })
  expect(await rig.app('app')).toMatchObject({ state: 'running', ready: 1, instances: [{ restarts: 0 }] })
})

test('an app that is stopped by SIGSTOP fails its health check, and is replaced', async () => {
  await using rig = await createRig()
  const server = "require('http').createServer((_, r) => r.end()).listen(process.env.PORT, '127.0.0.1')"
  const { freePort } = await import('../support/ports.ts')
  const port = await freePort()
  const app = {
    command: ['node', '-e', server],
    listen: `127.0.0.1:${port}`,
    health: { http: '/', interval: '100ms', timeout: '200ms', failures: 2 },
    stop: { timeout: '500ms' },
  }
  await rig.apply({ apps: { app } })
  const [pid = 0] = await rig.pids('app')
  kill(pid, 'SIGSTOP')
  await eventually(async () => {
    const { ready, instances } = await rig.app('app')
    expect({ ready, restarts: instances[0]?.restarts }).toEqual({ ready: 1, restarts: 1 })
  })
  expect(isRunning(pid)).toBe(false)
  expect((await rig.eco(['events', 'app'])).stdout).toMatch(/health: http .* gave no answer within 0.2s/)
})

test('zombie grandchildren hold up no stop', async () => {
  await using rig = await createRig()
  // A child whose parent never waits for it.
  const code =
    "const { spawn } = require('child_process'); spawn('sh', ['-c', 'sh -c \"exit 0\" & exec sleep 1000']); setTimeout(() => console.log('up'), 200)"
  const app = {
    command: ['node', '-e', `${code}; setInterval(() => {}, 1e6)`],
    ready: { log: 'up' },
    stop: { timeout: '10s' },
  }
  await rig.apply({ apps: { app } })
  const started = Date.now()
  expect(await rig.eco(['stop', 'app'])).toMatchObject({ code: 0 })
  expect(Date.now() - started).toBeLessThan(5000)
})

test('secrets in a failing hook or stop command are not what eco adds to the story', async () => {
  await using rig = await createRig()
  const app = {
    command: ['sleep', '1000'],
    env: { TOKEN: { value: 'hush-hush', secret: true } },
    hooks: { pre_start: 'exit 4' },
    restart: { max: 0 },
  }
  const result = await rig.apply({ apps: { app } })
  expect(result.code).toBe(7)
  const events = readFileSync(join(rig.home, 'scopes/demo/default/events.ndjson'), 'utf8')
  expect(result.stdout + result.stderr + events).not.toContain('hush-hush')
})
