/** What happens to instances that end by themselves. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { isRunning, kill } from '../support/processes.ts'
import { createRig, fixture } from '../support/rig.ts'

const sleeper = { command: ['sleep', '1000'] }

test('a killed instance is replaced, and the others are left alone', async () => {
  await using rig = await createRig()
  await rig.apply({ apps: { app: { ...sleeper, instances: 2 } } })
  const [first = 0, second = 0] = await rig.pids('app')
  kill(first)
  await eventually(async () => {
    const { ready, instances } = await rig.app('app')
    expect(ready).toBe(2)
    expect(instances[0]).toMatchObject({ restarts: 1, last_exit: { kind: 'signal', signal: 'SIGKILL' } })
    expect(instances[0]?.pid).not.toBe(first)
  })
  expect((await rig.pids('app'))[1]).toBe(second)
  expect(await rig.eco(['diff', '--exit-code'])).toMatchObject({ code: 0 })
})

test('the pauses between restarts grow, and after too many the instance has failed for good', async () => {
  await using rig = await createRig()
  const backoff = { initial: '200ms', factor: 2, max: '5s', jitter: '0%' }
  // Each run lasts longer than its start-up, so that it is ready before it ends.
  const app = {
    command: ['sh', '-c', 'date +%s%N >> starts; sleep 0.2; exit 4'],
    ready: { delay: '50ms' },
    restart: { max: 4, window: '1m', backoff },
  }
  await rig.apply({ apps: { app } })
  await eventually(async () => expect((await rig.app('app')).state).toBe('failed'))
  const { reason, instances } = await rig.app('app')
  expect(reason).toBe('exited with code 4: 4 restarts within 60s of running')
  expect(instances[0]).toMatchObject({ restarts: 4, last_exit: { kind: 'code', code: 4 } })
  const starts = readFileSync(`${rig.dir}/starts`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => Number(line) / 1e6)
  const pauses = starts.slice(1).map((at, i) => at - (starts[i] ?? 0) - 200)
  expect(pauses).toHaveLength(4) // at once, then 200, 400, 800 ms
  for (const [i, least] of [0, 200, 400, 800].entries()) expect(pauses[i]).toBeGreaterThanOrEqual(least)
  expect(pauses[0]).toBeLessThan(200)
  const drift = await rig.eco(['diff', '--exit-code'])
  expect(drift).toMatchObject({ code: 3 })
})

test('on_failure leaves a clean end alone, and an apply does not start it again', async () => {
  await using rig = await createRig()
  const app = { command: ['sh', '-c', 'sleep 0.3'], ready: { delay: '50ms' }, restart: { policy: 'on_failure' } }
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 0 })
  await eventually(async () => expect((await rig.app('app')).state).toBe('exited'))
  expect(await rig.eco(['apply', '--yes'])).toMatchObject({ code: 0 })
  expect((await rig.app('app')).state).toBe('exited')
})

test('on_failure restarts a crash', async () => {
  await using rig = await createRig()
  const app = {
    script: fixture('crash-after.mjs'),
    env: { AFTER_MS: '400' },
    ready: { delay: '50ms' },
    restart: { policy: 'on_failure' },
  }
  await rig.apply({ apps: { app } })
  await eventually(async () => expect((await rig.app('app')).instances[0]?.restarts).toBeGreaterThanOrEqual(1))
})

test('eco start brings a failed app back, and forgives its restarts', async () => {
  await using rig = await createRig()
  const app = {
    command: ['sh', '-c', 'test -e good || { sleep 0.2; exit 1; }; exec sleep 1000'],
    ready: { delay: '50ms' },
    restart: { max: 1 },
  }
  await rig.apply({ apps: { app } })
  await eventually(async () => expect((await rig.app('app')).state).toBe('failed'))
  rig.write('good', '')
  expect(await rig.eco(['start', 'app'])).toMatchObject({ code: 0 })
  const { state, instances } = await rig.app('app')
  expect(state).toBe('running')
  expect(instances[0]?.restarts).toBe(0)
  expect(isRunning(instances[0]?.pid ?? 0)).toBe(true)
})

test('a new apply of the same file tries a failed app again', async () => {
  await using rig = await createRig()
  const app = { command: ['sh', '-c', 'test -e good || exit 1; exec sleep 1000'], restart: { max: 1 } }
  expect(await rig.apply({ apps: { app } })).toMatchObject({ code: 7 })
  rig.write('good', '')
  await rig.eco(['apply', '--yes'])
  await eventually(async () => expect((await rig.app('app')).state).toBe('running'))
})

test('eco reset forgets the restarts, and an instance that had given up tries again', async () => {
  await using rig = await createRig()
  const command = ['sh', '-c', 'echo >> starts; test -e mended && exec sleep 1000; exit 4']
  const backoff = { initial: '10ms', factor: 1, max: '10ms' }
  await rig.apply({ apps: { app: { command, restart: { max: 2, backoff } }, other: sleeper } })
  await eventually(async () => expect((await rig.app('app')).state).toBe('failed'))
  rig.write('mended', '')
  const done = await rig.eco(['reset', 'app'])
  expect(done).toMatchObject({ code: 0 })
  expect(done.stdout).toBe(
    'app#0  was failed (exited with code 4: 2 restarts within 60s of running), 2 restarts forgotten; starting again\n',
  )
  await eventually(async () => expect(await rig.app('app')).toMatchObject({ ready: 1, instances: [{ restarts: 0 }] }))
  const other = await rig.pids('other')
  expect((await rig.eco(['reset', 'other', '--json'])).json()).toMatchObject({
    format_version: '1.0',
    instances: [{ id: 'other#0', state: 'running', restarts: 0, started: false }],
  })
  expect(await rig.pids('other')).toEqual(other)
  expect(await rig.eco(['reset', 'othr'])).toMatchObject({ code: 5 })
})
