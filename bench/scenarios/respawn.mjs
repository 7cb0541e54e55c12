/**
 * From the kill -9 of an instance to the moment when its replacement is there, as /proc shows it; 20 quiet apps run, and
 * each round kills another one, so that no back-off comes into it.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { withSleepers } from '../lib/populate.mjs'
import { respawnMs } from '../lib/respawn-time.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { ratios, row, skipped } from '../lib/stats.mjs'

export const rounds = 15

const APPS = 20

export async function run({ scratch, eco, pm2, missing, rounds: count }) {
  const sleep = scratch.sleepProgram()
  await withSleepers({ scratch, eco, pm2 }, APPS)
  // An app that has just started may not count as stable yet.
  await pause(12_000)
  const contestants = { ...(eco ? { eco } : {}), ...(pm2 ? { pm2 } : {}) }
  const turns = {}
  for (const [name, contestant] of Object.entries(contestants)) {
    const victims = await contestant.pids()
    turns[name] = async (round) => {
      await pause(300)
      return respawnMs(victims[(round + 1) % victims.length], sleep)
    }
  }
  const samples = await takeTurns(Math.min(count, APPS - 1), turns)
  return [
    samples.eco ? row('eco: kill -9 to respawn', 'ms', samples.eco) : skipped('eco', missing.eco),
    samples.pm2 ? row('pm2: kill -9 to respawn', 'ms', samples.pm2) : skipped('pm2', missing.pm2),
    ...(samples.eco && samples.pm2 ? [row('eco / pm2', 'x', ratios(samples.eco, samples.pm2), { below: 1 })] : []),
  ]
}
