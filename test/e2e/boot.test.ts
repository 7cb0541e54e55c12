/** What a daemon makes of what it finds when it starts. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill, processesWith } from '../support/processes.ts'
import { createRig } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

test('what eco daemon stop --apps has stopped stays down until it is started again', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sleeper } })
  const stopped = await rig.eco(['daemon', 'stop', '--apps'])
  expect(stopped.stdout).toContain('eco daemon start')

  // Each of these starts a daemon, and none of them an app.
  for (const args of [['ls'], ['diff'], ['describe'], ['daemon', 'status']]) {
    await rig.eco(args)
    await rig.eco(['daemon', 'stop'])
  }
  const listed = await rig.eco(['ls'])
  expect(listed.stderr).toContain('was stopped by "eco daemon stop --apps"')
  expect((await rig.app('api')).instances.map(({ pid }) => pid)).toEqual([null])

  await rig.eco(['daemon', 'start'])
  expect(await rig.app('api')).toMatchObject({ state: 'running', ready: 1 })
})

test('an apply starts a scope that was stopped as a whole, and the next daemon keeps it up', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { api: sleeper } })
  await rig.eco(['daemon', 'stop', '--apps'])
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  const [pid] = await rig.pids('api')
  kill(await rig.daemonPid())
  kill(pid as number)
  await eventually(async () => expect(await rig.app('api')).toMatchObject({ state: 'running', ready: 1 }))
})

test('a group whose leader ended while no daemon watched is ended before the app is started again', async () => {
  await using rig = await createRig()
  // The leader waits for a child that ignores nothing but its leader's end, as a server under npm does.
  const command = ['sh', '-c', 'sleep 987654 & wait']
  await rig.apply({ apps: { api: { command } } })
  const [leader] = await rig.pids('api')
  const sleepers = (): number[] => {
    const ours = new Set(processesWith(`HOME=${rig.env['HOME']}`))
    return processesWith('ECO_APP=api').filter((pid) => ours.has(pid) && isRunning(pid))
  }
  await eventually(() => expect(sleepers()).toHaveLength(2))
  const child = sleepers().find((pid) => pid !== leader)
  kill(await rig.daemonPid())
  kill(leader as number)
  await eventually(() => expect(isRunning(leader as number)).toBe(false))
  expect(isRunning(child as number)).toBe(true)

  await eventually(async () => expect(await rig.app('api')).toMatchObject({ state: 'running', ready: 1 }))
  expect(isRunning(child as number)).toBe(false)
  expect(sleepers()).toHaveLength(2)
})

test('an instance that was still starting when the daemon died is not ready for the next one either', async () => {
  await using rig = await createRig()
  const api = { command: ['sh', '-c', 'while [ ! -e go ]; do sleep 0.05; done; echo listening; exec sleep 1000'] }
  rig.write('ecosystem.yaml', { apps: { api: { ...api, ready: { log: 'listening' } } } })
  rig.write('go', '')
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  // It is started once more, and nothing lets it go on.
  const [first = 0] = await rig.pids('api')
  rmSync(join(rig.dir, 'go'))
  kill(first)
  await eventually(async () => {
    expect(await rig.app('api')).toMatchObject({ state: 'starting' })
    expect(await rig.pids('api')).not.toEqual([first])
    expect(await rig.pids('api')).toHaveLength(1)
  })
  const before = await rig.pids('api')
  kill(await rig.daemonPid())
  expect(await rig.app('api')).toMatchObject({ state: 'starting', ready: 0 })
  rig.write('go', '')
  await eventually(async () => expect(await rig.app('api')).toMatchObject({ state: 'running', ready: 1 }))
  expect(await rig.pids('api')).toEqual(before)
})

test('apps have the usual umask, whichever shell started the daemon', async () => {
  await using rig = await createRig()
  rig.write('ecosystem.yaml', { apps: { api: { command: ['sh', '-c', 'umask; exec sleep 1000'] } } })
  await rig.eco(['apply', '--yes'], { umask: '077' })
  expect(rig.output('api').trim()).toBe('0022')
})
