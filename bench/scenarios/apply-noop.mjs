/**
 * Applying an unchanged file of 50 Node apps again: what it costs beyond starting Node, and whether it leaves every
 * process alone. PM2's nearest, `startOrReload`, beside it.
 */

import { nodeFloor } from '../lib/command.mjs'
import { ecosystemFile } from '../lib/eco.mjs'
import { tinyApp } from '../lib/marks.mjs'
import { pm2File } from '../lib/pm2.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { differences, row, skipped } from '../lib/stats.mjs'

export const rounds = 5

const APPS = 50

export async function run({ scratch, eco, pm2, missing, rounds: count }) {
  const ecoFile = scratch.write('noop.yaml', ecosystemFile('noop', APPS, { command: [process.execPath, tinyApp] }))
  const pm2Apps = scratch.write('noop.json', pm2File(APPS, { script: tinyApp }))
  const restarted = { eco: [], pm2: [] }
  await eco?.start()
  await eco?.apply(ecoFile)
  await pm2?.start()
  await pm2?.startFile(pm2Apps)

  /** The command's wall time; how many apps have another pid after it is noted beside. */
  const timed = (name, contestant, command) => async (round) => {
    const before = await contestant.pids()
    const { ms } = await command()
    const after = await contestant.pids()
    if (before.length !== APPS || after.length !== APPS) throw new Error(`${name} does not run ${APPS} apps`)
    if (round >= 0) restarted[name].push(after.filter((pid) => !before.includes(pid)).length)
    return ms
  }
  const samples = await takeTurns(count, {
    node: () => nodeFloor(scratch),
    ...(eco && { eco: timed('eco', eco, () => eco.apply(ecoFile)) }),
    ...(pm2 && { pm2: timed('pm2', pm2, () => pm2.startOrReload(pm2Apps)) }),
  })
  const rows = (name, label, targets = {}) =>
    samples[name]
      ? [
          row(`${label}, less node -e 0`, 'ms', differences(samples[name], samples.node), targets.wall),
          row('  restarted by it', 'apps', restarted[name], { ...targets.restarted, note: `of ${APPS}` }),
        ]
      : [skipped(label, missing[name])]
  return [
    ...rows('eco', 'eco apply, nothing changed', { wall: { atMost: 300 }, restarted: { atMost: 0 } }),
    ...rows('pm2', 'pm2 startOrReload, nothing changed'),
  ]
}
