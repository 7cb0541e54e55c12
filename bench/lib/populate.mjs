/** Daemons with equal populations, for the scenarios that measure them at rest. */

import { ecosystemFile } from './eco.mjs'
import { pm2File } from './pm2.mjs'
import { untilRunning } from './proc.mjs'

/** Starts each contestant's daemon with `count` quiet `sleep` processes; returns eco's file. */
export async function withSleepers({ scratch, eco, pm2 }, count) {
  const sleep = scratch.sleepProgram()
  const file = scratch.write('sleepers.yaml', ecosystemFile('sleepers', count, { command: [sleep, '1000000'] }))
  let running = 0
  if (eco) {
    await eco.start()
    await eco.apply(file)
    await untilRunning(sleep, (running += count))
  }
  if (pm2) {
    await pm2.start()
    const app = { script: sleep, args: ['1000000'], interpreter: 'none' }
    await pm2.startFile(scratch.write('sleepers.json', pm2File(count, app)))
    await untilRunning(sleep, (running += count))
  }
  return file
}
