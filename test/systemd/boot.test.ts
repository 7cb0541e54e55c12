import { expect, test } from 'vitest'
import { skip } from '../real/skip.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/ports.ts'
import { type EcoMachine, ecoMachine, storyApp } from './eco-machine.ts'
import { noMachine } from './machine.ts'

const none = skip('boot under a real systemd', noMachine() ?? false)

/** api needs db, and takes its time to stop; one app is held stopped, and one scaled by hand. */
async function applyShop({ apply, ok }: EcoMachine): Promise<void> {
  await apply({
    apps: {
      db: storyApp(),
      api: storyApp({ LAST: 700, PORT: await freePort() }, { depends_on: { db: 'ready' } }),
      held: storyApp(),
      worker: storyApp(),
    },
  })
  await ok('stop', 'held')
  await ok('scale', 'worker', '2')
}

/** What must be the same after a boot. */
async function state({ ls }: EcoMachine): Promise<unknown> {
  return (await ls()).map(({ app, wanted, ready, revision, version, hold }) => ({
    ...{ app, wanted, ready, revision, version },
    hold: hold?.verb,
  }))
}

async function isAsBefore(on: EcoMachine, before: unknown): Promise<void> {
  await eventually(async () => expect(await state(on)).toEqual(before), 20_000)
}

function expectOrder(story: readonly string[], ...lines: readonly string[]): void {
  expect(story.filter((line) => lines.includes(line))).toEqual(lines)
}

test.skipIf(none)('after a reboot, and after a power cut, exactly what was applied comes back, in order', async () => {
  const on = await ecoMachine()
  const { machine, ok, show, story } = on
  await ok('startup')
  await applyShop(on)
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

test.skipIf(none)('a user without root has his apps back before he logs in', async () => {
  const on = await ecoMachine({ user: 'alice' })
  const { machine, eco, ok, story } = on
  const refused = await eco('startup')
  expect(refused.code).toBe(5)
  expect(refused.stderr).toMatch(/sudo env ECO_HOME=\/home\/alice\/.eco \/usr\/bin\/node \S+eco.cjs startup --for-user alice/)
  // Nobody has logged in, so there is no systemd of alice's yet, and lingering is for root to allow.
  await machine.must('systemctl', ['start', 'user@1000.service'])
  const first = await eco('startup', '--user')
  expect(first.code).toBe(7)
  const command = /^ {2}sudo (loginctl enable-linger alice)$/m.exec(first.stdout)?.[1] ?? ''
  await machine.must('sh', ['-c', command])
  expect(await ok('startup', '--user')).toContain('nothing to do')
  await applyShop(on)
  const before = await state(on)
  story()

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
