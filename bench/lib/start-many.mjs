/**
 * Starts many apps at once with each contestant in turn, daemons already up, and beside them as bare child processes:
 * the floor. The figure is the time from the command until the last app runs.
 */

import { spawn } from 'node:child_process'
import { ecosystemFile } from './eco.mjs'
import { pm2File } from './pm2.mjs'
import { read, untilGone } from './proc.mjs'
import { takeTurns } from './rounds.mjs'
import { ratios, row, skipped } from './stats.mjs'

/**
 * @param {object} bench
 * @param {object} apps
 * @param {number} apps.count
 * @param {string[]} apps.argv program and arguments of one app
 * @param {string} apps.mark the part of its command line that tells its processes
 * @param {object} apps.pm2 the same app in PM2's words
 * @param {Record<string, string>} [apps.env]
 * @param {(start: () => Promise<void>) => Promise<number>} apps.timeLast starts, and tells after how many ms the last ran
 * @param {{ floor?: { atMost: number }, pm2?: { atMost: number } }} targets of eco's figure over that one
 */
export async function startMany({ scratch, eco, pm2, missing, rounds }, apps, targets) {
  const { count, argv, mark, env = {}, timeLast } = apps
  const ecoFile = scratch.write('many.yaml', ecosystemFile('many', count, { command: argv, env }))
  const pm2Apps = scratch.write('many.json', pm2File(count, { ...apps.pm2, env }))
  const floor = bareSpawns(count, argv, scratch.env(env))
  const returned = { floor: [], eco: [], pm2: [] }
  await eco?.start()
  await pm2?.start()

  const timed = (name, command, remove) => async (round) => {
    const last = await timeLast(async () => {
      const { ms } = await command()
      if (round >= 0) returned[name].push(ms)
    })
    await remove()
    await untilGone((pid) => read(pid, 'cmdline').includes(mark) && scratch.owns(pid))
    return last
  }
  const turns = { floor: timed('floor', floor.start, floor.end) }
  if (eco) {
    const apply = () => eco.apply(ecoFile)
    turns.eco = timed('eco', apply, () => eco.deleteAll('many'))
  }
  if (pm2) {
    const start = () => pm2.startFile(pm2Apps)
    turns.pm2 = timed('pm2', start, () => pm2.deleteAll())
  }
  const samples = await takeTurns(rounds, turns)
  return rows(samples, returned, missing, targets)
}

/** What no orchestrator can beat: the same processes, spawned one after the other without waiting. */
function bareSpawns(count, argv, env) {
  let children = []
  return {
    start: () => {
      children = []
      while (children.length < count) {
        children.push(spawn(argv[0], argv.slice(1), { env, stdio: 'ignore', detached: true }))
      }
      return { ms: 0 }
    },
    end: () => children.forEach((child) => child.kill('SIGKILL')),
  }
}

function rows(samples, returned, missing, targets) {
  const { floor, eco, pm2 } = samples
  return [
    row('floor: bare spawns', 'ms', floor),
    ...(eco
      ? [
          row('eco apply, last runs', 'ms', eco),
          row('eco apply, command returned', 'ms', returned.eco),
          row('eco / floor', 'x', ratios(eco, floor), targets.floor),
        ]
      : [skipped('eco apply', missing.eco)]),
    ...(pm2
      ? [
          row('pm2 start, last runs', 'ms', pm2),
          row('pm2 start, command returned', 'ms', returned.pm2),
          row('pm2 / floor', 'x', ratios(pm2, floor)),
        ]
      : [skipped('pm2 start', missing.pm2)]),
    ...(eco && pm2 ? [row('eco / pm2', 'x', ratios(eco, pm2), targets.pm2)] : []),
  ]
}
