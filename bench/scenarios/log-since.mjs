/**
 * `eco logs --since 10m --no-follow` on a log of 2 GB that took a week, or a day, to write: the whole command, its output
 * read. Checked is that its first line is the one that was written 10 minutes ago. PM2 knows no --since: it is told how
 * many lines to show, on the same file. The floors are `tail`, told the bytes, and `grep` through it all. The file is in
 * the page cache. It and its index are written by the bench with eco's own code; then the same with what a real app wrote.
 */

import { linkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { nodeFloor, run as runCommand } from '../lib/command.mjs'
import { LINE_BYTES } from '../lib/log-lines.mjs'
import { writeLongLog } from '../lib/long-log.mjs'
import { cpuMs } from '../lib/proc.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { differences, median, row, skipped } from '../lib/stats.mjs'

export const rounds = 10

const MINUTE_MS = 60_000
const SPANS = { 'a week': 7 * 24 * 60 * MINUTE_MS, 'a day': 24 * 60 * MINUTE_MS }
const ticker = fileURLToPath(new URL('../apps/logs/ticker.cjs', import.meta.url))
const REAL = { rate: 2000, ms: 60_000, since: '20s', sinceMs: 20_000 }

export async function run({ scratch, eco, pm2, missing, rounds: count, quick, cases }) {
  if (!eco) return [skipped('eco', missing.eco)]
  const bytes = quick ? 200e6 : 2e9
  const rows = []
  for (const [label, spanMs] of Object.entries(SPANS)) {
    if (label.includes(cases)) rows.push(...(await longLog({ scratch, eco, pm2, count }, { label, bytes, spanMs })))
  }
  if (!pm2) rows.push(skipped('pm2', missing.pm2))
  if ('real'.includes(cases)) rows.push(...(await realLog({ scratch, eco, count })))
  return rows
}

async function longLog({ scratch, eco, pm2, count }, { label, bytes, spanMs }) {
  const project = `log${spanMs}`
  const path = join(eco.env.ECO_HOME, 'scopes', project, 'bench', 'logs', 'api-0.out.log')
  const { lines, numberAt } = await writeLongLog(eco.env.ECO_HOME, { path, bytes, spanMs })
  const api = { command: [scratch.sleepProgram(), '1000000'], logs: { rotation: 'off' } }
  await apply(eco, scratch, project, api)
  const shown = lines - numberAt(Date.now() - 10 * MINUTE_MS)
  await pm2?.start()
  if (pm2) await showToPm2(pm2, scratch, { project, path })
  const off = []
  const found = []
  const work = { eco: [], pm2: [] }
  const time = async (...argv) => (await runCommand(argv, { env: scratch.env() })).ms
  const samples = await takeTurns(count, {
    node: () => nodeFloor(scratch),
    eco: async () => {
      const { ms, cpu, first, lines: seen, at } = await since(eco, project, '10m')
      work.eco.push(cpu)
      off.push(Math.abs(first - numberAt(at - 10 * MINUTE_MS)) / (lines / spanMs))
      found.push(seen)
      return ms
    },
    ecoLines: async () => (await eco.cli('logs', ...scope(project), '--lines', '1000', '--no-follow')).ms,
    ...(pm2 ? { pm2: async () => showLast(pm2, project, shown, work.pm2) } : {}),
    tail: () => time('tail', '-c', String(shown * LINE_BYTES), path),
    grep: () => time('grep', '-c', '-F', String(lines - shown).padStart(9, '0'), path),
  })
  await eco.deleteAll(project)
  await pm2?.deleteAll()
  rmSync(path, { force: true })
  return [
    row(`${label}: eco logs --since 10m`, 'ms', samples.eco, { below: 300, note: `${median(found)} lines` }),
    row('  the same less node -e 0', 'ms', differences(samples.eco, samples.node)),
    row('  CPU of the command', 'ms', work.eco),
    row('  its first line is off by', 'ms', off, { atMost: 2000 }),
    row('  eco logs --lines 1000', 'ms', samples.ecoLines),
    ...(samples.pm2
      ? [row(`  pm2 logs --lines ${shown}`, 'ms', samples.pm2), row('  CPU of the command', 'ms', work.pm2)]
      : []),
    row('  tail -c, told the bytes', 'ms', samples.tail),
    row('  grep through all of it', 'ms', samples.grep),
  ]
}

/** What an app has written in a minute: its lines have their time in them. */
async function realLog({ scratch, eco, count }) {
  const project = 'real'
  const env = { RATE: String(REAL.rate) }
  await apply(eco, scratch, project, { command: [process.execPath, ticker], env, logs: { rotation: 'off' } })
  await pause(REAL.ms)
  const times = []
  const off = []
  const gaps = []
  const found = []
  for (let round = 0; round < count; round += 1) {
    const { ms, at, firstAt, gaps: missing, lines } = await since(eco, project, REAL.since)
    times.push(ms)
    off.push(Math.abs(firstAt - (at - REAL.sinceMs)))
    gaps.push(missing)
    found.push(lines)
  }
  await eco.deleteAll(project)
  return [
    row(`a real app: eco logs --since ${REAL.since}`, 'ms', times, { note: `${median(found)} lines` }),
    row('  its first line is off by', 'ms', off, { atMost: 2000 }),
    row('  lines that are missing, or twice there', 'lines', gaps, { atMost: 0 }),
  ]
}

/** One look, and what it showed. `first`: number of the first line; `at`: when the command began */
async function since(eco, project, duration) {
  const at = Date.now()
  const before = childrenCpuMs()
  const { ms, stdout } = await eco.cli('logs', ...scope(project), '--since', duration, '--no-follow')
  const cpu = childrenCpuMs() - before
  const matches = [...stdout.matchAll(/(?<=^|\s)(\d{9}) (\d{4}-\S+Z)?/gm)]
  const numbers = matches.map((match) => Number(match[1]))
  if (numbers.length === 0) throw new Error(`eco logs --since ${duration} showed no line:\n${stdout.slice(0, 500)}`)
  const gaps = numbers.filter((number, index) => index > 0 && number !== numbers[index - 1] + 1).length
  return { ms, cpu, at, first: numbers[0], firstAt: Date.parse(matches[0][2]), gaps, lines: numbers.length }
}

async function showLast(pm2, name, lines, work) {
  const before = childrenCpuMs()
  const { ms } = await pm2.cli('logs', name, '--lines', String(lines), '--nostream')
  work.push(childrenCpuMs() - before)
  return ms
}

/** Of all commands that have ended, in steps of 10 ms. Unlike their time it does not depend on what else runs. */
function childrenCpuMs() {
  return cpuMs(process.pid, { ofChildren: true })
}

async function showToPm2(pm2, scratch, { project, path }) {
  const app = {
    name: project,
    script: scratch.sleepProgram(),
    args: ['1000000'],
    interpreter: 'none',
    exec_mode: 'fork',
  }
  await pm2.startFile(scratch.write(`${project}.pm2.json`, JSON.stringify({ apps: [app] })))
  const log = join(pm2.env.PM2_HOME, 'logs', `${project}-out.log`)
  rmSync(log, { force: true })
  linkSync(path, log)
}

async function apply(eco, scratch, project, api) {
  await eco.start()
  const file = { project, apps: { api }, environments: { bench: {} } }
  await eco.apply(scratch.write(`${project}.json`, JSON.stringify(file)))
}

function scope(project) {
  return ['--env', 'bench', '--project', project]
}
