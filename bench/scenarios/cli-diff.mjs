/** How long it takes to learn that nothing would change: `eco diff` of an applied YAML file of 100 apps. */

import { nodeFloor } from '../lib/command.mjs'
import { withSleepers } from '../lib/populate.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { ratios, row, skipped } from '../lib/stats.mjs'

export const rounds = 15

export async function run({ scratch, eco, missing, rounds: count }) {
  if (!eco) return [skipped('eco diff', missing.eco)]
  const file = await withSleepers({ scratch, eco, pm2: null }, 100)
  const samples = await takeTurns(count, {
    node: () => nodeFloor(scratch),
    diff: async () => (await eco.diff(file)).ms,
  })
  return [
    row('eco diff', 'ms', samples.diff),
    row('eco diff / node -e 0', 'x', ratios(samples.diff, samples.node), { atMost: 3, note: 'PM2 has no diff' }),
  ]
}
