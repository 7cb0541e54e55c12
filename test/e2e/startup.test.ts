import { expect, test } from 'vitest'
import { environmentOf } from '../support/processes.ts'
import { createRig } from '../support/rig.ts'

// eco under a real systemd: test/systemd.

test('a daemon that a service of systemd happens to start is no part of that service', async () => {
  await using rig = await createRig()
  const service = {
    NOTIFY_SOCKET: '/nowhere',
    WATCHDOG_USEC: '100000',
    WATCHDOG_PID: '1',
    ECO_UNIT: 'system/theirs.service',
  }
  rig.write('ecosystem.yaml', { apps: { api: { command: ['sleep', '1000'] } } })
  expect((await rig.eco(['apply', '--yes'], { env: service })).code).toBe(0)
  expect((await rig.eco(['daemon', 'status', '--json'])).json()).toMatchObject({ unit: null })
  const [api = 0] = await rig.pids('api')
  for (const pid of [await rig.daemonPid(), api]) {
    for (const name of Object.keys(service)) expect(environmentOf(pid)).not.toHaveProperty(name)
  }
})

test.each([
  [['--user', '--for-user', 'root'], 4],
  [['--name', '../../etc/passwd', '--print'], 4],
  [['--for-user', 'nobody-of-this-name', '--print'], 5],
])('eco startup %j is refused, and nothing is done', async (args, code) => {
  await using rig = await createRig()
  const result = await rig.eco(['startup', ...args])
  // Without an init system that eco knows, that is what is said.
  expect([code, 5]).toContain(result.code)
  expect(result.stdout).toBe('')
})
