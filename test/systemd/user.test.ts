import { expect, test } from 'vitest'
import { skip } from '../real/skip.ts'
import { cgroups, ECO, ecoMachine, inSession } from './eco-machine.ts'
import { noMachine } from './machine.ts'
import { applyShop, expectOrder, isAsBefore, state } from './shop.ts'

const none = skip('boot for users under a real systemd', noMachine() ?? false)

test.skipIf(none)('a user without root has his apps back before he logs in', async () => {
  const on = await ecoMachine({ user: 'alice' })
  const { machine, eco, ok, story } = on
  await applyShop(on, inSession(on))
  const before = await state(on)
  const pids = await on.pids()
  story()

  const refused = await eco('startup')
  expect(refused.code).toBe(5)
  expect(refused.stderr).toMatch(
    /sudo env ECO_HOME=\/home\/alice\/.eco \/usr\/bin\/node \S+eco.cjs startup --for-user alice/,
  )
  // Nobody has logged in, so there is no systemd of alice's yet, and lingering is for root to allow.
  await machine.must('systemctl', ['start', 'user@1000.service'])
  const first = await eco('startup', '--user')
  expect(first.code).toBe(7)
  const command = /^ {2}sudo (loginctl enable-linger alice)$/m.exec(first.stdout)?.[1] ?? ''
  await machine.must('sh', ['-c', command])
  expect(await ok('startup', '--user')).toContain('nothing to do')
  expect(await on.pids()).toEqual(pids)
  expect(story()).toEqual([])
  for (const cgroup of await cgroups(on)) expect(cgroup).toContain('/user@1000.service/app.slice/eco.service')

  await machine.reboot()
  await isAsBefore(on, before)
  expectOrder(story(), 'api down', 'db down', 'db up', 'api up')
  expect(await on.show('ActiveState')).toBe('active')

  const out = await ok('unstartup')
  expect(out).toContain('removed /home/alice/.config/systemd/user/eco.service')
  expect(out).toContain('Lingering stays on')
  await isAsBefore(on, before)
  expect(story()).toEqual([])
})

test.skipIf(none)('root has the apps of a user come back, who cannot become root', async () => {
  const on = await ecoMachine({ user: 'alice', isOfSystem: true })
  const { machine, ok, story, show } = on
  await applyShop(on, inSession(on))
  const before = await state(on)
  const pids = await on.pids()
  await machine.must('node', [ECO, 'startup', '--for-user', 'alice'])
  expect(JSON.parse(await ok('daemon', 'status', '--json'))).toMatchObject({ unit: { name: 'eco-alice.service' } })
  expect(await on.pids()).toEqual(pids)
  for (const cgroup of await cgroups(on)) expect(cgroup).toContain('/system.slice/eco-alice.service')
  story()

  await machine.reboot()
  await isAsBefore(on, before)
  expectOrder(story(), 'api down', 'db down', 'db up', 'api up')
  const owner = await machine.must('stat', ['-c', '%U', `/proc/${await show('MainPID')}`])
  expect(owner.trim()).toBe('alice')

  expect((await on.eco('unstartup')).stderr).toMatch(/sudo env \S+ \S+ \S+ unstartup --for-user alice/)
  await machine.must('node', [ECO, 'unstartup', '--for-user', 'alice'])
  await isAsBefore(on, before)
  expect(story()).toEqual([])
})
