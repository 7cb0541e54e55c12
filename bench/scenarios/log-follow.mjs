/**
 * What it costs to follow the logs of 100 instances for 30 s: CPU of the command and of the daemon, when all are quiet, and
 * when five of them write 200 lines a second each; and of the daemon when nobody follows. Counted, too, are the lines
 * that come out, against those that are due. One contestant at a time.
 */

import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { cpuMs } from '../lib/proc.mjs'
import { row, skipped } from '../lib/stats.mjs'

export const rounds = 1

const INSTANCES = 100
const WRITERS = 5
const RATE = 200
/** Until the last start has been forgotten. */
const SETTLE_MS = 15_000
const ticker = fileURLToPath(new URL('../apps/logs/ticker.cjs', import.meta.url))

export async function run({ scratch, eco, pm2, missing, rounds: count, quick, say }) {
  const windowMs = quick ? 10_000 : 30_000
  const rows = []
  for (const [name, contestant] of Object.entries({ eco, pm2 })) {
    if (!contestant) {
      rows.push(skipped(name, missing[name]))
      continue
    }
    await contestant.start()
    for (const [label, writers] of Object.entries({ 'all quiet': 0, [`${WRITERS} write ${RATE} lines/s`]: WRITERS })) {
      const apps = { quiet: INSTANCES - writers, ticker: writers }
      await (name === 'eco' ? startEco(eco, scratch, apps) : startPm2(pm2, scratch, apps))
      await pause(SETTLE_MS)
      const alone = []
      const followed = []
      for (let round = 0; round < count; round += 1) {
        alone.push(await watch(contestant, null, windowMs))
        followed.push(await watch(contestant, follower(name, contestant, scratch), windowMs))
        say(`  ${name}, ${label}: round ${round + 1} of ${count}`)
      }
      rows.push(...caseRows(`${name}, ${label}`, { alone, followed, writers, windowMs, own: name === 'eco' }))
      await (name === 'eco' ? eco.deleteAll('logs') : pm2.deleteAll())
    }
    await contestant.stop()
  }
  return rows
}

function caseRows(label, { alone, followed, writers, windowMs, own }) {
  const pick = (results, key) => results.map((it) => it[key])
  const quiet = own && writers === 0
  const rows = [
    row(`${label}: daemon CPU, nobody follows`, '%', pick(alone, 'daemon'), quiet ? { atMost: 1 } : {}),
    row('  daemon CPU, followed', '%', pick(followed, 'daemon')),
    row('  CPU of the command', '%', pick(followed, 'command'), quiet ? { below: 2 } : {}),
  ]
  if (writers === 0) return rows
  const due = (writers * RATE * windowMs) / 1000
  const shares = pick(followed, 'lines').map((lines) => lines / due)
  return [...rows, row('  lines that came out / due', 'x', shares, { note: `due are ${due}` })]
}

function follower(name, contestant, scratch) {
  const [program, ...args] = contestant.command
  const which = name === 'eco' ? ['logs', '--env', 'bench', '--project', 'logs'] : ['logs']
  return spawn(program, [...args, ...which], {
    env: contestant.env,
    cwd: scratch.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** CPU in a window, in % of one core, and the lines that the command wrote in it. */
async function watch(contestant, command, windowMs) {
  let lines = 0
  let errors = ''
  command?.stdout.setEncoding('latin1').on('data', (text) => (lines += text.split('\n').length - 1))
  command?.stderr.setEncoding('utf8').on('data', (text) => (errors = (errors + text).slice(-500)))
  // Its start, and the last lines of all files, are not what is asked for.
  await pause(4000)
  const daemon = await contestant.daemonPid()
  await pause(1000)
  const [before, started, linesBefore] = [cpu(daemon, command), performance.now(), lines]
  await pause(windowMs)
  if (command && command.exitCode !== null) throw new Error(`the command has ended with ${command.exitCode}: ${errors}`)
  const [after, ms] = [cpu(daemon, command), performance.now() - started]
  const result = { lines: lines - linesBefore }
  for (const key of Object.keys(after)) result[key] = ((after[key] - before[key]) / ms) * 100
  command?.kill('SIGINT')
  return result
}

function cpu(daemon, command) {
  return { daemon: cpuMs(daemon), ...(command ? { command: cpuMs(command.pid) } : {}) }
}

function startEco(eco, scratch, { quiet, ticker: writers }) {
  const apps = {
    quiet: { command: [scratch.sleepProgram(), '1000000'], instances: quiet },
    ...(writers ? { ticker: { command: [process.execPath, ticker], instances: writers, env: { RATE } } } : {}),
  }
  const file = { project: 'logs', apps, environments: { bench: {} } }
  return eco.apply(scratch.write('follow.json', JSON.stringify(file)))
}

function startPm2(pm2, scratch, { quiet, ticker: writers }) {
  const sleep = { script: scratch.sleepProgram(), args: ['1000000'], interpreter: 'none', exec_mode: 'fork' }
  const named = (prefix, count, app) =>
    Array.from({ length: count }, (_, index) => ({ name: `${prefix}${index}`, ...app }))
  const apps = [...named('quiet', quiet, sleep), ...named('ticker', writers, { script: ticker, env: { RATE } })]
  return pm2.startFile(scratch.write('follow.pm2.json', JSON.stringify({ apps })))
}
