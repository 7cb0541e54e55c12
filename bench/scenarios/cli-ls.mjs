/**
 * How long a look at 100 processes takes: `eco ls`, `eco ls --json` and `pm2 ls`, each against a bare `node -e 0` of
 * the same round. Whole processes, from spawn to exit, output read.
 */

import { nodeFloor } from '../lib/command.mjs'
import { withSleepers } from '../lib/populate.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { ratios, row, skipped } from '../lib/stats.mjs'

export const rounds = 15

export async function run(bench) {
  const { scratch, eco, pm2, missing } = bench
  await withSleepers(bench, 100)
  const samples = await takeTurns(bench.rounds, {
    node: () => nodeFloor(scratch),
    ...(eco && { ls: async () => (await eco.cli('ls')).ms, json: async () => (await eco.cli('ls', '--json')).ms }),
    ...(pm2 && { pm2: async () => (await pm2.cli('ls')).ms }),
  })
  return [
    row('node -e 0 (floor)', 'ms', samples.node),
    ...(eco
      ? [
          row('eco ls', 'ms', samples.ls),
          row('eco ls / node -e 0', 'x', ratios(samples.ls, samples.node), { atMost: 1.35 }),
          row('eco ls --json / node -e 0', 'x', ratios(samples.json, samples.node)),
        ]
      : [skipped('eco ls', missing.eco)]),
    ...(pm2
      ? [row('pm2 ls', 'ms', samples.pm2), row('pm2 ls / node -e 0', 'x', ratios(samples.pm2, samples.node))]
      : [skipped('pm2 ls', missing.pm2)]),
  ]
}
