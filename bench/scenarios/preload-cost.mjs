/**
 * What eco's preload adds to a Node app: start-up, from the spawn until it listens (or until its first line runs, for an
 * app that never loads net), and memory. Start-up is that of copies which the bench spawns itself, in turn with and
 * without what eco adds to the environment, so that no daemon and no probe comes into it. Memory is that of instances
 * under eco, half of which lose NODE_OPTIONS before Node starts; all are there at once, since PSS depends on who shares
 * the pages.
 */

import { fileURLToPath } from 'node:url'
import { setTimeout as pause } from 'node:timers/promises'
import { copyOf } from '../lib/preloaded.mjs'
import { memory, read } from '../lib/proc.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { differences, median, row, skipped } from '../lib/stats.mjs'

export const rounds = 25

const PORT = 18_460
const COPIES = 5
const SETTLE_MS = 2000
const TARGETS = { startUp: { atMost: 5 }, memory: { atMost: 1 } }

export async function run({ scratch, eco, missing, rounds: wanted, quick }) {
  if (!eco) return [skipped('eco', missing.eco)]
  const count = quick ? Math.min(wanted, 10) : wanted
  await eco.start()
  return [
    ...(await measure({ scratch, eco, count }, 'listens', 'preload-listening.cjs', {
      // One port for all of them where eco binds it, else one for each.
      with: { listen: `127.0.0.1:${PORT}` },
      without: { env: { PORT: `\${${PORT + 1} + instance}` }, ready: { tcp: `127.0.0.1:\${${PORT + 1} + instance}` } },
    })),
    ...(await measure({ scratch, eco, count }, 'never loads net', 'preload-netless.cjs', {
      // A stop message is the least that makes eco load its preload into an app without a port.
      with: { stop: { message: 'end', timeout: '100ms' }, ready: { delay: '100ms' } },
      without: { ready: { delay: '100ms' } },
    })),
  ]
}

async function measure({ scratch, eco, count }, label, file, variants) {
  const program = fileURLToPath(new URL(`../apps/${file}`, import.meta.url))
  const argv = [process.execPath, program]
  const commands = { with: argv, without: ['env', '-u', 'NODE_OPTIONS', ...argv] }
  const apps = Object.fromEntries(
    Object.entries(variants).map(([name, fields]) => [name, { command: commands[name], instances: COPIES, ...fields }]),
  )
  await eco.apply(
    scratch.write('preload.json', JSON.stringify({ project: 'preload', apps, environments: { bench: {} } })),
  )
  const pids = await pidsByApp(eco)
  if (!pids.with.every(hasPreload)) throw new Error(`the preload is not in an app that ${label}`)
  if (pids.without.some(hasPreload)) throw new Error('the preload is in an app that should do without')
  await pause(SETTLE_MS)
  const weights = Object.fromEntries(Object.entries(pids).map(([name, all]) => [name, all.map(memory)]))
  const { withPreload, without } = copyOf(pids.with[0], argv)
  const startUp = await takeTurns(count, { withPreload, without })
  await eco.deleteAll('preload')

  const added = (what) => [median(weights.with.map((it) => it[what])) - median(weights.without.map((it) => it[what]))]
  return [
    row(`an app that ${label}: start-up without`, 'ms', startUp.without),
    row('  added by the preload', 'ms', differences(startUp.withPreload, startUp.without), TARGETS.startUp),
    row(
      `an app that ${label}: PSS without`,
      'MB',
      weights.without.map(({ pss }) => pss),
    ),
    row('  added by the preload, PSS', 'MB', added('pss'), TARGETS.memory),
    row('  added by the preload, RSS', 'MB', added('rss'), TARGETS.memory),
  ]
}

async function pidsByApp(eco) {
  const { apps } = await eco.list()
  return Object.fromEntries(apps.map(({ app, instances }) => [app, instances.map(({ pid }) => pid)]))
}

function hasPreload(pid) {
  return /(^|\0)NODE_OPTIONS=[^\0]*preload/.test(read(pid, 'environ'))
}
