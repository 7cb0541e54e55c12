/**
 * An app writes 1,000,000 lines of 100 bytes, line by line, as fast as it can. How long it takes, by its own clock, until
 * the last line has been taken; what the daemon works for it; and how many lines are in no file afterwards: when the app
 * ends by itself, calls process.exit(), throws or aborts right after the last line, and when the daemon is killed, or
 * stopped for 3 s, at the middle line. The floor: the same app with a file as its stdout.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { memory } from '../lib/proc.mjs'
import { ecoHost, floorHost, pm2Host, runWriter, untilNoted, WRITERS } from '../lib/log-writers.mjs'
import { ratios, row, skipped } from '../lib/stats.mjs'

export const rounds = 5

const STOPPED_MS = 3000
/** By default a file is rotated at 20 MB, so some times in a run. */
const UNROTATED = 'eco, not rotated'
const KILLED = 'kill -9 of the daemon at the middle line'
const STOPPED = 'SIGSTOP of the daemon for 3 s at the middle line'
const ENDINGS = {
  exit: 'process.exit()',
  throw: 'an exception',
  abort: 'process.abort()',
}

export async function run({ scratch, eco, pm2, missing, rounds: count, quick, cases, say }) {
  const lines = quick ? 200_000 : 1_000_000
  await eco?.start()
  await pm2?.start()
  const hosts = {
    floor: floorHost(scratch),
    ...(eco ? { eco: ecoHost(eco, scratch) } : {}),
    ...(pm2 ? { pm2: pm2Host(pm2, scratch) } : {}),
  }
  const unrotated = eco ? { [UNROTATED]: ecoHost(eco, scratch, { rotation: 'off' }) } : {}
  const rows = []
  /** Rounds of one case; the first of them does not count where time is measured. */
  const measure = async (label, options, { rounds = count, warmUp = 0, taking = hosts } = {}) => {
    if (!label.includes(cases)) return null
    const results = Object.fromEntries(Object.keys(taking).map((name) => [name, []]))
    for (let round = -warmUp; round < rounds; round += 1) {
      for (const [name, host] of Object.entries(taking)) {
        const result = await runWriter(host, scratch, { writer: WRITERS.console, lines, ...options(name) })
        if (round >= 0) results[name].push(result)
      }
      say(`  ${label}: round ${round + 1} of ${rounds}`)
    }
    return results
  }

  const timed = { warmUp: 1, taking: { ...hosts, ...unrotated } }
  for (const writer of Object.values(WRITERS)) {
    rows.push(...timeRows(writer.label, await measure(writer.label, () => ({ writer }), timed)))
  }
  // In one turn of the event loop, a Node app cannot hand on what a pipe did not take.
  const single = await measure('console.log, all in one turn', () => ({ env: { TURN: String(lines) } }), timed)
  rows.push(...timeRows('console.log, all in one turn', single))
  const few = { rounds: Math.min(count, 3) }
  for (const [ending, label] of Object.entries(ENDINGS)) {
    for (const [when, turn] of Object.entries({
      'after the last line': {},
      'all in one turn': { TURN: String(lines) },
    })) {
      const found = await measure(`${label}, ${when}`, () => ({ env: { END: ending, ...turn } }), few)
      rows.push(...lostRows(`${label}, ${when}`, found))
    }
  }
  const killed = await measure(KILLED, (name) => ({ during: killing({ eco, pm2 }[name]) }), few)
  rows.push(...lostRows(KILLED, killed))
  const stopped = await measure(STOPPED, (name) => ({ during: stopping({ eco, pm2 }[name]) }), few)
  rows.push(...lostRows(STOPPED, stopped), ...timeRows('  meanwhile', stopped), ...growthRows(stopped))
  for (const name of ['eco', 'pm2']) if (!hosts[name]) rows.push(skipped(name, missing[name]))
  return rows
}

function timeRows(label, results) {
  if (results === null) return []
  const times = (name) => results[name].map(({ report }) => report.ms)
  const work = (name) => results[name].map(({ report }) => report.cpuMs)
  const rows = [row(`${label}: floor`, 'ms', times('floor'), { details: results })]
  for (const name of Object.keys(results).filter((it) => it !== 'floor')) {
    const target = name !== 'pm2' ? { atMost: 1.05 } : {}
    if (results[name].some(({ report }) => report === null)) {
      rows.push(skipped(`  ${name} / floor`, 'the app did not live to report'))
      continue
    }
    rows.push(row(`  ${name} / floor`, 'x', ratios(times(name), times('floor')), target))
    rows.push(row(`  ${name} / floor, CPU of the app`, 'x', ratios(work(name), work('floor'))))
    const cpu = results[name].map(({ daemonCpuMs }) => daemonCpuMs)
    rows.push(row(`  ${name} daemon CPU`, 'ms', cpu, { note: damage(results[name]) }))
  }
  return rows
}

function growthRows(stopped) {
  return Object.entries(stopped ?? {})
    .filter(([name]) => name !== 'floor')
    .map(([name, runs]) =>
      row(
        `  memory of the app grows, ${name}`,
        'MB',
        runs.map(({ growth }) => growth),
      ),
    )
}

function lostRows(label, results) {
  if (results === null) return []
  return Object.entries(results).map(([name, runs]) =>
    row(
      `${label}: lost, ${name}`,
      'lines',
      runs.map(({ lost }) => lost),
      {
        ...(name === 'eco' ? { atMost: 0 } : {}),
        note: [damage(runs), runs.some(({ report, died }) => died && !report) ? 'the app died of it' : '']
          .filter(Boolean)
          .join('; '),
        details: runs,
      },
    ),
  )
}

/** What was found in the files of all rounds together. */
function damage(runs) {
  const sum = (key) => runs.reduce((total, run) => total + run[key], 0)
  return `${sum('lost')} lost, ${sum('torn')} torn, ${sum('doubled')} doubled`
}

function killing(contestant) {
  if (!contestant) return undefined
  return async ({ control }) => {
    const daemon = await contestant.daemonPid()
    await untilNoted(control, 'half')
    process.kill(daemon, 'SIGKILL')
    return { died: true }
  }
}

function stopping(contestant) {
  if (!contestant) return undefined
  return async ({ pid, control }) => {
    const daemon = await contestant.daemonPid()
    const atHalf = Number(await untilNoted(control, 'half')) / 1e6
    process.kill(daemon, 'SIGSTOP')
    let most = atHalf
    for (const until = performance.now() + STOPPED_MS; performance.now() < until;) {
      const { rss } = memory(pid)
      if (rss > most) most = rss
      await pause(50)
    }
    process.kill(daemon, 'SIGCONT')
    return { growth: most - atHalf }
  }
}
