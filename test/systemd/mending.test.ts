import { expect, test } from 'vitest'
import { skip } from '../real/skip.ts'
import { eventually } from '../support/eventually.ts'
import { ECO, ecoMachine, storyApp } from './eco-machine.ts'
import { noMachine } from './machine.ts'

const none = skip('what goes wrong with a unit, under a real systemd', noMachine() ?? false)

/** As nvm has it: gone with the next version. */
const OLD_NODE = '/opt/versions/node/v1/bin/node'

test.skipIf(none)('a Node that is gone is said by systemctl status, and eco startup mends it', async () => {
  const on = await ecoMachine()
  const { machine, ok, eco, show, systemctl } = on
  await machine.must('install', ['-D', '/usr/bin/node', OLD_NODE])
  // Of eco there is only what it needs: no package that sends datagrams, so systemd-notify does.
  await machine.must('cp', ['-r', '/opt/eco/dist', '/opt/bare'])
  const text = await machine.must(OLD_NODE, ['/opt/bare/eco.cjs', 'startup', '--json'], { cwd: '/srv/shop' })
  expect(JSON.parse(text)).toMatchObject({ node: OLD_NODE, daemon: '/opt/bare/daemon.cjs', root_command: null })
  await on.apply({ apps: { api: storyApp() } })
  const pids = await on.pids()
  await eventually(async () => expect(await show('StatusText')).toBe('1 app, 1 of 1 instance ready'))

  // The watchdog is fed that way too.
  machine.write('/etc/systemd/system/eco.service.d/short.conf', '[Service]\nWatchdogSec=3s\n')
  await systemctl('daemon-reload')
  await systemctl('restart', 'eco')
  const daemon = await show('MainPID')
  const fed = new Set<string>()
  await eventually(async () => fed.add(await show('WatchdogTimestampMonotonic')).size > 4, 30_000)
  expect(await show('MainPID')).toBe(daemon)

  await machine.must('rm', ['-r', '/opt/versions'])
  expect((await systemctl('restart', 'eco')).code).not.toBe(0)
  // Trying again would not bring it back, and would bury this under a thousand lines.
  expect(await show('ActiveState')).toBe('failed')
  const { stdout: status } = await systemctl('status', 'eco')
  expect(status).toContain(`eco: ${OLD_NODE} is gone`)
  expect(status).toContain('run eco startup again')

  const listed = await eco('ls', '--json')
  expect(listed.stderr).toContain('eco.service did not start')
  expect(JSON.parse(await ok('daemon', 'status', '--json'))).toMatchObject({ unit: null })
  const looked = await eco('doctor', '--json')
  expect(looked.code).toBe(7)
  const { findings } = JSON.parse(looked.stdout) as { findings: { id: string; level: string; remedy: string }[] }
  expect(findings.filter(({ id }) => id.startsWith('boot.'))).toMatchObject([
    { level: 'error', message: expect.stringContaining(OLD_NODE), remedy: 'eco startup' },
  ])
  const mended = await ok('startup')
  expect(mended).toContain('wrote /etc/systemd/system/eco.service')
  expect(mended).toContain('started eco.service')
  expect(JSON.parse(await ok('daemon', 'status', '--json'))).toMatchObject({ unit: { name: 'eco.service' } })
  expect(await on.pids()).toEqual(pids)
  expect(on.story()).toEqual(['api up'])
})

test.skipIf(none)('units that eco did not write, or that are for another ECO_HOME, are left alone', async () => {
  const on = await ecoMachine()
  const { machine, ok, eco, show } = on
  const path = '/etc/systemd/system/eco.service'
  const theirs = '[Service]\nExecStart=/bin/true\n'
  machine.write(path, theirs)
  const refused = await eco('startup')
  expect(refused.code).toBe(5)
  expect(refused.stderr).toContain(`${path} is there, and eco did not write it; nothing was done.`)
  expect(await ok('unstartup')).toContain('nothing to do')
  expect(machine.read(path)).toBe(theirs)
  await machine.must('rm', [path])

  await ok('startup')
  const other = { env: { ECO_HOME: '/srv/o%th $er "1"' }, cwd: '/srv/shop' }
  const second = await machine.run('node', [ECO, 'startup', '--name', 'eco'], other)
  expect(second.code).toBe(5)
  expect(second.stderr).toContain('is for another ECO_HOME, /root/.eco')
  await machine.must('node', [ECO, 'startup', '--name', 'eco-other'], other)
  // It has its name by now.
  expect(await machine.must('node', [ECO, 'startup'], other)).toContain('eco-other.service is there')
  const long = await machine.run('node', [ECO, 'startup', '--name', 'eco-long'], {
    env: { ECO_HOME: `/srv/${'long'.repeat(40)}` },
    cwd: '/srv/shop',
  })
  expect(long.code).toBe(4)
  await expect(machine.run('test', ['-e', '/etc/systemd/system/eco-long.service'])).resolves.toMatchObject({ code: 1 })
  const pids = [
    await show('MainPID'),
    (await machine.must('systemctl', ['show', '--value', '-p', 'MainPID', 'eco-other'])).trim(),
  ]
  expect(new Set(pids).size).toBe(2)

  // Two units of one ECO_HOME do not end each other's daemons: the second says so, and gives up.
  const twice = await eco('startup', '--name', 'eco-twice')
  expect(twice.code).toBe(5)
  expect(twice.stderr).toContain(`${path} starts the daemon of this ECO_HOME already; nothing was done.`)
  machine.write('/etc/systemd/system/eco-twice.service', await ok('startup', '--name', 'eco-twice', '--print'))
  await machine.must('systemctl', ['daemon-reload'])
  expect((await machine.run('systemctl', ['start', 'eco-twice'])).code).not.toBe(0)
  expect(machine.read('/root/.eco/daemon.log')).toContain(
    'belongs to eco.service already; eco-twice.service does not replace it',
  )
  expect(await show('MainPID')).toBe(pids[0])
  expect((await machine.must('systemctl', ['show', '--value', '-p', 'ActiveState', 'eco-twice'])).trim()).toBe('failed')
  const removed = await ok('unstartup')
  expect(removed).toContain('removed /etc/systemd/system/eco-twice.service')
  expect(removed).toContain(`removed ${path}`)
  expect(JSON.parse(await machine.must('node', [ECO, 'daemon', 'status', '--json'], other))).toMatchObject({
    unit: { name: 'eco-other.service' },
  })
})
