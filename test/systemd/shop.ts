import { expect } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/ports.ts'
import { type EcoMachine, storyApp } from './eco-machine.ts'

/**
 * api needs db, and takes its time to stop; one app is held stopped, and one scaled by hand.
 *
 * @param last how long it takes, in ms
 */
export async function applyShop({ apply, ok }: EcoMachine, before: readonly string[] = [], last = 1000): Promise<void> {
  await apply(
    {
      apps: {
        db: storyApp(),
        api: storyApp(
          { LAST: last, PORT: await freePort() },
          { depends_on: { db: 'ready' }, stop: { timeout: '30s' } },
        ),
        held: storyApp(),
        worker: storyApp(),
      },
    },
    before,
  )
  await ok('stop', 'held')
  await ok('scale', 'worker', '2')
}

/** What must be the same after a boot. */
export async function state({ ls }: EcoMachine): Promise<unknown> {
  return (await ls()).map((it) => ({
    app: it.app,
    wanted: it.wanted,
    ready: it.ready,
    revision: it.revision,
    version: it.version,
    hold: it.hold?.verb,
  }))
}

export async function isAsBefore(on: EcoMachine, before: unknown): Promise<void> {
  await eventually(async () => expect(await state(on)).toEqual(before), 20_000)
}

export function expectOrder(story: readonly string[], ...lines: readonly string[]): void {
  expect(story.filter((line) => lines.includes(line))).toEqual(lines)
}
