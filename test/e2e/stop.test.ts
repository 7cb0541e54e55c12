/** How instances end: asked first, killed after the grace, and their whole tree with them. */

import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { isRunning } from '../support/processes.ts'
import { createRig, fixture } from '../support/rig.ts'

test('the signal that was chosen reaches the app, SIGTERM when none was', async () => {
  await using rig = await createRig()
  const app = { script: fixture('notes-signals.mjs'), ready: { log: 'up' } }
  await rig.apply({ apps: { plain: app, chosen: { ...app, stop: { signal: 'SIGUSR2' } } } })
  expect(await rig.eco(['stop', 'all'])).toMatchObject({ code: 0 })
  expect(rig.output('plain')).toContain('got SIGTERM')
  expect(rig.output('chosen')).toContain('got SIGUSR2')
})

test('a changed stop signal is used although the process runs on', async () => {
  await using rig = await createRig()
  const app = { script: fixture('notes-signals.mjs'), ready: { log: 'up' } }
  await rig.apply({ apps: { app } })
  const before = await rig.pids('app')
  await rig.apply({ apps: { app: { ...app, stop: { signal: 'SIGINT' } } } })
  expect(await rig.pids('app')).toEqual(before)
  await rig.eco(['stop', 'app'])
  expect(rig.output('app')).toContain('got SIGINT')
})

test('an app that ignores the signal is killed when its time is over, not before', async () => {
  await using rig = await createRig()
  await rig.apply({
    apps: { app: { script: fixture('ignore-sigterm.mjs'), ready: { log: 'up' }, stop: { timeout: '800ms' } } },
  })
  const [pid = 0] = await rig.pids('app')
  const started = Date.now()
  expect(await rig.eco(['stop', 'app'])).toMatchObject({ code: 0 })
  expect(Date.now() - started).toBeGreaterThanOrEqual(800)
  expect(isRunning(pid)).toBe(false)
  expect(rig.output('app')).toContain('SIGTERM ignored')
  const { apps } = (await rig.eco(['describe', 'app', '--json'])).json()
  expect(JSON.stringify(apps[0].events)).toContain('did not end within 0.8s of SIGTERM; sent SIGKILL')
})

function pidsIn(output: string): number[] {
  return [...output.matchAll(/^(?:child|grandchild|escaped|background) (\d+)$/gm)].map(([, pid]) => Number(pid))
}

test('children and grandchildren that ignore SIGTERM go with their parent', async () => {
  await using rig = await createRig()
  const app = {
    command: ['sh', fixture('spawn-grandchild.sh')],
    ready: { log: 'grandchild' },
    stop: { timeout: '500ms' },
  }
  await rig.apply({ apps: { app } })
  const family = [...pidsIn(rig.output('app')), ...(await rig.pids('app'))]
  expect(family).toHaveLength(3)
  expect(await rig.eco(['stop', 'app'])).toMatchObject({ code: 0 })
  expect(family.filter(isRunning)).toEqual([])
})

test('a crashed parent takes its children along before it is started again', async () => {
  await using rig = await createRig()
  const app = {
    command: ['sh', fixture('spawn-grandchild.sh')],
    ready: { log: 'grandchild' },
    stop: { timeout: '300ms' },
  }
  await rig.apply({ apps: { app } })
  const family = pidsIn(rig.output('app'))
  const [parent = 0] = await rig.pids('app')
  process.kill(parent, 'SIGKILL')
  await eventually(async () => expect(await rig.app('app')).toMatchObject({ state: 'running' }))
  await eventually(async () => expect(await rig.pids('app')).not.toEqual([parent]))
  expect(family.filter(isRunning)).toEqual([])
})

test('a child that left for a session of its own goes too', async () => {
  await using rig = await createRig()
  const app = {
    command: ['sh', fixture('spawn-grandchild.sh')],
    env: { WITH_SETSID: '1' },
    ready: { log: 'escaped' },
    stop: { timeout: '500ms' },
  }
  await rig.apply({ apps: { app } })
  await eventually(() => expect(pidsIn(rig.output('app'))).toHaveLength(3))
  const family = pidsIn(rig.output('app'))
  await rig.eco(['stop', 'app'])
  expect(family.filter(isRunning)).toEqual([])
})

test('what a parent that ended leaves in the background is not left behind', async () => {
  await using rig = await createRig()
  const app = {
    command: ['sh', fixture('forks-and-exits.sh')],
    restart: { policy: 'never' },
    stop: { timeout: '500ms' },
  }
  await rig.apply({ apps: { app } })
  await eventually(async () => expect((await rig.app('app')).state).toBe('exited'))
  await eventually(() => expect(pidsIn(rig.output('app')).filter(isRunning)).toEqual([]))
})

test('a stop message reaches the app behind npm and shells, as process.on("message")', async () => {
  await using rig = await createRig()
  rig.write(
    'app.cjs',
    "process.on('message', (m) => { console.log('got', JSON.stringify(m)); process.exit(0) }); process.send('ready'); setInterval(() => {}, 1e6)",
  )
  const app = {
    command: ['sh', '-c', 'node app.cjs; echo "app ended with $?"'],
    ready: { signal: true },
    stop: { message: { type: 'shutdown' }, timeout: '5s' },
  }
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0 })
  expect(await rig.eco(['stop', 'app'])).toMatchObject({ code: 0 })
  expect(rig.output('app')).toBe('got {"type":"shutdown"}\napp ended with 0\n')
})

test('an app that takes no message gets the signal instead, and the event says so', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: { command: ['sleep', '1000'], stop: { message: 'shutdown', timeout: '20s' } } } })
  const started = Date.now()
  expect(await rig.eco(['stop', 'app'])).toMatchObject({ code: 0 })
  expect(Date.now() - started).toBeLessThan(10_000)
  expect((await rig.eco(['events', 'app'])).stdout).toContain(
    'no process of it takes the message "shutdown"; sent SIGTERM instead',
  )
})

test('a stop command asks the app to end, knows its pid, and where it fails the signal follows', async () => {
  await using rig = await createRig()
  const trap = "trap 'echo asked; exit 0' HUP; trap 'echo signalled; exit 0' TERM; while :; do sleep 0.05; done"
  const stop = { exec: ['sh', '-c', 'kill -HUP $ECO_PID'], timeout: '5s' }
  const apps = {
    good: { command: ['sh', '-c', trap], stop },
    bad: { command: ['sh', '-c', trap], stop: { ...stop, exec: ['sh', '-c', 'echo no socket; exit 2'] } },
  }
  await rig.apply({ apps })
  expect(await rig.eco(['stop', 'all'])).toMatchObject({ code: 0 })
  expect(rig.output('good')).toContain('asked')
  expect(rig.output('good')).not.toContain('signalled')
  expect(rig.output('bad')).toContain('signalled')
  expect((await rig.eco(['events', 'bad'])).stdout).toContain('its stop command failed: exited with code 2')
})
