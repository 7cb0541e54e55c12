import { expect, test } from 'vitest'
import { skip } from '../real/skip.ts'
import { eventually } from '../support/eventually.ts'
import { startLoad } from '../support/load.ts'
import { freePort } from '../support/ports.ts'
import { cgroups, type EcoMachine, ecoMachine, inSession, storyApp } from './eco-machine.ts'
import { noMachine } from './machine.ts'

const none = skip('the daemon as a unit of a real systemd', noMachine() ?? false)

/** Two instances of api under load, while something is done to the daemon: nobody notices. */
async function unnoticed(on: EcoMachine, port: number, act: () => Promise<void>): Promise<void> {
  const before = await on.pids()
  const load = await startLoad(port, { keepAlive: 2, perRequest: 2 })
  await act()
  const count = load.count()
  const failures = await load.finish(() => load.count() > count + 200)
  expect(failures).toEqual([])
  expect(await on.pids()).toEqual(before)
  expect(on.story()).toEqual([])
}

async function applyApi(on: EcoMachine): Promise<number> {
  const port = await freePort()
  await on.apply({ apps: { api: storyApp({}, { instances: 2, listen: port }) } }, inSession(on))
  expect(on.story()).toEqual(['api up', 'api up'])
  return port
}

/** Waits until another daemon is the unit's main process, and says it is ready. */
async function replaced({ show }: EcoMachine, before: string): Promise<void> {
  await eventually(async () => {
    const [pid, state] = [await show('MainPID'), await show('SubState')]
    return state === 'running' && pid !== '0' && pid !== before
  }, 30_000)
}

test.skipIf(none)('whatever systemd does to the daemon, the apps serve on', async () => {
  const on = await ecoMachine()
  const { machine, ok, eco, show, systemctl, kill } = on

  // It takes the place of a daemon that a command has started.
  const port = await applyApi(on)
  for (const cgroup of await cgroups(on)) expect(cgroup).toContain('session-9.scope')
  const stray = JSON.parse(await ok('daemon', 'status', '--json')) as { pid: number; unit: unknown }
  expect(stray.unit).toBe(null)
  await unnoticed(on, port, async () => {
    expect(await ok('startup')).toContain('started eco.service')
  })
  expect(JSON.parse(await ok('daemon', 'status', '--json'))).toMatchObject({ unit: { name: 'eco.service' } })
  expect((await machine.run('kill', ['-0', String(stray.pid)])).code).not.toBe(0)
  // Nor does it live in the session any more that it was started in: systemd ends that at its own time.
  for (const cgroup of await cgroups(on)) expect(cgroup).toContain('/system.slice/eco.service')
  expect((await machine.run('systemctl', ['is-active', 'session-9.scope'])).stdout).toBe('inactive')
  const unit = machine.read('/etc/systemd/system/eco.service')
  expect(await ok('startup')).toContain('nothing to do')
  expect(machine.read('/etc/systemd/system/eco.service')).toBe(unit)
  expect(await ok('startup', '--print')).toBe(unit.trim())

  let pid = await show('MainPID')
  await unnoticed(on, port, async () => {
    expect((await systemctl('restart', 'eco')).code).toBe(0)
    await replaced(on, pid)
  })

  pid = await show('MainPID')
  await unnoticed(on, port, async () => {
    await kill(pid, 'KILL')
    await replaced(on, pid)
  })

  // A daemon that hangs is replaced. The pause is short here only.
  machine.write('/etc/systemd/system/eco.service.d/short.conf', '[Service]\nWatchdogSec=3s\n')
  await systemctl('daemon-reload')
  await systemctl('restart', 'eco')
  pid = await show('MainPID')
  await unnoticed(on, port, async () => {
    await kill(pid, 'STOP')
    await replaced(on, pid)
  })
  // The successor of an upgrade is the unit's main process, and no failure of the old one.
  pid = await show('MainPID')
  const restarts = await show('NRestarts')
  await unnoticed(on, port, async () => {
    expect(JSON.parse(await ok('daemon', 'upgrade', '--json'))).toMatchObject({ from: { pid: Number(pid) } })
    await replaced(on, pid)
  })
  expect(await show('NRestarts')).toBe(restarts)
  expect(JSON.parse(await ok('daemon', 'status', '--json'))).toMatchObject({ unit: { name: 'eco.service' } })
  // And one that does not hang is not replaced: it has answered the watchdog for longer than that takes.
  pid = await show('MainPID')
  const fed = new Set<string>()
  await eventually(async () => fed.add(await show('WatchdogTimestampMonotonic')).size > 4, 30_000)
  expect(await show('MainPID')).toBe(pid)

  await unnoticed(on, port, async () => {
    expect((await systemctl('stop', 'eco')).code).toBe(0)
    expect(await show('ActiveState')).toBe('inactive')
    // The next command starts it where it belongs.
    await ok('ls')
    expect(await show('ActiveState')).toBe('active')
  })

  // Told to end by eco, it is not started again by systemd, and is no failure.
  await unnoticed(on, port, async () => {
    await ok('daemon', 'stop')
    await eventually(async () => expect(await show('ActiveState')).toBe('inactive'))
    expect((await systemctl('is-failed', 'eco')).code).not.toBe(0)
    await ok('daemon', 'start')
    expect(await show('ActiveState')).toBe('active')
  })

  const [first = 0] = Object.values(await on.pids())
  const environment = await machine.must('cat', [`/proc/${first}/environ`])
  expect(environment).not.toMatch(/NOTIFY_SOCKET|WATCHDOG_|INVOCATION_ID|JOURNAL_STREAM|ECO_UNIT/)

  await unnoticed(on, port, async () => {
    const out = await ok('unstartup')
    expect(out).toContain('removed /etc/systemd/system/eco.service')
    expect((await systemctl('cat', 'eco')).code).not.toBe(0)
    expect(await ok('unstartup')).toContain('nothing to do')
    expect((await eco('daemon', 'status')).code).toBe(5)
  })
})
