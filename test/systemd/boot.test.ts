import { expect, test } from 'vitest'
import { skip } from '../real/skip.ts'
import { eventually } from '../support/eventually.ts'
import { ecoMachine } from './eco-machine.ts'
import { noMachine } from './machine.ts'
import { applyShop, expectOrder, isAsBefore, state } from './shop.ts'

const none = skip('boot under a real systemd', noMachine() ?? false)

test.skipIf(none)('after a reboot, and after a power cut, exactly what was applied comes back, in order', async () => {
  const on = await ecoMachine()
  const { machine, ok, show, story } = on
  // api takes 6 s to stop, and may: systemd would wait for less.
  machine.write('/etc/systemd/system/eco.service.d/short.conf', '[Service]\nTimeoutStopSec=4s\n')
  await ok('startup')
  await applyShop(on, [], 6000)
  const before = await state(on)
  expect(before).toMatchObject([
    { app: 'api', ready: 1 },
    { app: 'db', ready: 1 },
    { app: 'held', ready: 0, hold: 'stop' },
    { app: 'worker', ready: 2, hold: 'scale' },
  ])
  story()

  await machine.reboot()
  await isAsBefore(on, before)
  const rebooted = story()
  expectOrder(rebooted, 'api down', 'db down', 'db up', 'api up')
  expect(rebooted.filter((line) => line === 'worker down')).toHaveLength(2)
  expect(rebooted.filter((line) => line.startsWith('held'))).toEqual([])
  await eventually(async () => expect(await show('StatusText')).toBe('4 apps, 4 of 4 instances ready, 2 held'), 20_000)

  await machine.cutPower()
  await machine.start()
  await isAsBefore(on, before)
  expectOrder(story(), 'db up', 'api up')

  await machine.powerOff()
  expectOrder(story(), 'api down', 'db down')
})
