/**
 * A daemon with 100 quiet instances is killed with SIGKILL, and the next command takes them over: how long it is until the
 * next daemon has all of them and answers, what it costs to watch processes that are not its children, and how soon the
 * end of one is seen, by its replacement.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { withSleepers } from '../lib/populate.mjs'
import { cpuMs } from '../lib/proc.mjs'
import { respawnMs } from '../lib/respawn-time.mjs'
import { row, skipped } from '../lib/stats.mjs'

export const rounds = 5

const INSTANCES = 100
const VICTIMS = 20
const WINDOW_MS = 10_000
/** Also for an app that has just started to count as stable. */
const SETTLE_MS = 12_000

export async function run({ scratch, eco, missing, rounds: count }) {
  if (!eco) return [skipped('eco', missing.eco)]
  const sleep = scratch.sleepProgram()
  await withSleepers({ scratch, eco, pm2: null }, INSTANCES)
  const before = await eco.pids()
  await pause(SETTLE_MS)
  const own = await idlePercent(await eco.daemonPid())
  const adopting = []
  for (let round = 0; round < count; round += 1) {
    process.kill(await eco.daemonPid(), 'SIGKILL')
    await pause(200)
    const started = performance.now()
    const after = await eco.pids()
    adopting.push(performance.now() - started)
    if (String(after) !== String(before)) throw new Error('other processes run than before the crash')
  }
  await pause(SETTLE_MS)
  const adopted = await idlePercent(await eco.daemonPid())
  const noticing = []
  for (const victim of before.slice(0, VICTIMS)) {
    await pause(300)
    noticing.push(await respawnMs(victim, sleep))
  }
  return [
    row(`crash, then eco ls of ${INSTANCES} adopted`, 'ms', adopting, { below: 500 }),
    row('idle CPU, all its children', '%', [own], { note: 'of one core' }),
    row('what it is more, all adopted', '%', [Math.max(0, adopted - own)], { below: 0.5, note: 'of one core' }),
    row('kill -9 of an adopted one to respawn', 'ms', noticing, { below: 250 }),
    row('the slowest of them', 'ms', [Math.max(...noticing)]),
  ]
}

async function idlePercent(pid) {
  const [before, started] = [cpuMs(pid), performance.now()]
  await pause(WINDOW_MS)
  return ((cpuMs(pid) - before) / (performance.now() - started)) * 100
}
