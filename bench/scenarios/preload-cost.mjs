/**
 * What eco's preload adds to a Node app: start-up, by Node's own clock from the start of the process until it listens (or
 * until its first line runs, for an app that never loads net), and memory. The same app runs in two ways under the same
 * daemon, with the preload and with NODE_OPTIONS taken away before Node starts; they are restarted in turn, and weighed
 * while both are there, since PSS depends on who shares the pages.
 */

import { fileURLToPath } from 'node:url'
import { setTimeout as pause } from 'node:timers/promises'
import { clearMarks, readMarks } from '../lib/marks.mjs'
import { memory, read } from '../lib/proc.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { differences, median, row, skipped } from '../lib/stats.mjs'

export const rounds = 10

const PORT = 18_460
const COPIES = 5
const SETTLE_MS = 2000
const TARGETS = { startUp: { atMost: 5 }, memory: { atMost: 1 } }

export async function run({ scratch, eco, missing, rounds: wanted, quick }) {
  if (!eco) return [skipped('eco', missing.eco)]
  const count = quick ? Math.min(wanted, 3) : wanted
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
  const marks = scratch.makeFolder('marks')
  const commands = {
    with: [process.execPath, program],
    without: ['env', '-u', 'NODE_OPTIONS', process.execPath, program],
  }
  const apps = Object.fromEntries(
    Object.entries(variants).map(([name, { env, ...fields }]) => [
      name,
      { command: commands[name], instances: COPIES, ...fields, env: { MARK_DIR: marks, ...env } },
    ]),
  )
  const ecosystem = scratch.write(
    'preload.json',
    JSON.stringify({ project: 'preload', apps, environments: { bench: {} } }),
  )
  await eco.apply(ecosystem)
  const pids = await pidsByApp(eco)
  if (!pids.with.every(hasPreload)) throw new Error(`the preload is not in an app that ${label}`)
  if (pids.without.some(hasPreload)) throw new Error(`the preload is in an app that should do without`)
  await pause(SETTLE_MS)
  const weights = Object.fromEntries(Object.entries(pids).map(([name, all]) => [name, all.map(memory)]))

  const restarted = (name) => async () => {
    clearMarks(marks)
    await eco.cli('restart', name, '--env', 'bench', '--project', 'preload')
    return median(await readMarks(marks, COPIES))
  }
  const startUp = await takeTurns(count, { with: restarted('with'), without: restarted('without') })
  await eco.deleteAll('preload')

  const added = (what) => [median(weights.with.map((it) => it[what])) - median(weights.without.map((it) => it[what]))]
  return [
    row(`an app that ${label}: start-up without`, 'ms', startUp.without),
    row('  added by the preload', 'ms', differences(startUp.with, startUp.without), TARGETS.startUp),
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
