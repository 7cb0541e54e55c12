/**
 * 1,000 instances that crash as soon as they have started, all at once: how long does `eco ls` take meanwhile, and what
 * does the daemon weigh at the end?
 */

import { setTimeout as pause } from 'node:timers/promises'
import { memory } from '../lib/proc.mjs'
import { row, skipped } from '../lib/stats.mjs'

export const rounds = 20

const APPS = 10
const INSTANCES = 100

export async function run({ scratch, eco, missing, rounds: count }) {
  if (!eco) return [skipped('eco', missing.eco)]
  await eco.start()
  const app = {
    command: ['sh', '-c', 'exit 1'],
    instances: INSTANCES,
    // Never gives up, and pauses as the default does.
    restart: { max: 1_000_000 },
  }
  const apps = Object.fromEntries(Array.from({ length: APPS }, (_, index) => [`app${index}`, app]))
  const file = scratch.write('storm.json', JSON.stringify({ project: 'storm', apps, environments: { bench: {} } }))
  const applied = eco.cli('apply', file, '--env', 'bench', '--yes', '--no-wait')
  const samples = []
  await applied
  for (let round = 0; round < count; round += 1) {
    const { ms } = await eco.cli('ls')
    samples.push(ms)
    await pause(500)
  }
  const pid = await eco.daemonPid()
  const { rss } = memory(pid)
  await eco.deleteAll('storm')
  return [
    row('eco ls in a storm of 1,000', 'ms', samples, { below: 300 }),
    row('the slowest of them', 'ms', [Math.max(...samples)], { below: 300 }),
    row('eco daemon RSS in the storm', 'MB', [rss]),
  ]
}
