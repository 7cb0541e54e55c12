/** The clock of the machine jumps: deadlines, pauses and up times go on as if it had not. */

import { join } from 'node:path'
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { withMovableClock } from '../support/movable-clock.ts'
import { kill } from '../support/processes.ts'
import { createRig } from '../support/rig.ts'

const HOUR = 3_600_000

test.each([
  ['an hour forward', HOUR],
  ['an hour back', -HOUR],
])('a jump %s ends no start before its time, and no pause late', async (_, ms) => {
  await using rig = await createRig()
  const jump = await withMovableClock(rig)
  const slow = {
    command: ['sh', '-c', 'while ! test -e go; do sleep 0.05; done; echo up; sleep 1000'],
    ready: { log: 'up', timeout: '60s' },
  }
  const quick = { command: ['sleep', '1000'], restart: { backoff: { initial: '500ms', factor: 1 } } }
  rig.write('ecosystem.yaml', { apps: { slow, quick } })
  await rig.eco(['apply', '--yes', '--no-wait'])
  await eventually(async () => expect(await rig.app('quick')).toMatchObject({ ready: 1 }))
  await eventually(async () => expect((await rig.app('slow')).instances[0]).toMatchObject({ state: 'starting' }))
  jump(ms)
  // The first restart comes at once, the second after its pause: not an hour later.
  for (const restarts of [1, 2]) {
    const [pid = 0] = await rig.pids('quick')
    kill(pid)
    await eventually(async () => expect(await rig.app('quick')).toMatchObject({ ready: 1, instances: [{ restarts }] }))
  }
  expect((await rig.app('slow')).instances[0]).toMatchObject({ state: 'starting', restarts: 0 })
  rig.write('go', '')
  await eventually(async () => expect(await rig.app('slow')).toMatchObject({ ready: 1, instances: [{ restarts: 0 }] }))
  // What is shown follows the wall: up for seconds, not for an hour more or less.
  const started = Date.parse((await rig.app('slow')).instances[0]?.started_at ?? '')
  expect(Math.abs(Date.now() + ms - started)).toBeLessThan(60_000)
})

test('an app that waits for another one waits its time by the steady clock', async () => {
  await using rig = await createRig()
  const jump = await withMovableClock(rig)
  const db = {
    command: ['sh', '-c', 'while ! test -e go; do sleep 0.05; done; echo up; sleep 1000'],
    ready: { log: 'up', timeout: '60s' },
  }
  const api = { command: ['sh', '-c', 'touch api-started; sleep 1000'], depends_on: ['db'] }
  rig.write('ecosystem.yaml', { apps: { db, api } })
  await rig.eco(['apply', '--yes', '--no-wait'])
  await eventually(async () => expect((await rig.app('db')).instances[0]).toMatchObject({ state: 'starting' }))
  jump(HOUR)
  expect(existsSync(join(rig.dir, 'api-started'))).toBe(false)
  rig.write('go', '')
  await eventually(async () => expect(await rig.app('api')).toMatchObject({ ready: 1 }))
})
