/**
 * What a daemon with 100 quiet processes costs: memory and CPU over 20 s of idling, 20 s after the last start. One
 * daemon at a time, since PSS falls with every other Node process that shares its pages.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { withSleepers } from '../lib/populate.mjs'
import { cpuMs, memory } from '../lib/proc.mjs'
import { median, row, skipped } from '../lib/stats.mjs'

export const rounds = 1

const SETTLE_MS = 20_000
const WINDOW_MS = 20_000
const SAMPLE_MS = 1_000

export async function run({ scratch, eco, pm2, missing, rounds: count }) {
  const contestants = { eco, pm2 }
  const rows = []
  const figures = { eco: [], pm2: [] }
  for (let round = 0; round < count; round += 1) {
    for (const [name, contestant] of Object.entries(contestants)) {
      if (!contestant) continue
      await withSleepers({ scratch, eco: null, pm2: null, [name]: contestant }, 100)
      await pause(SETTLE_MS)
      figures[name].push(await observe(await contestant.daemonPid()))
      await (name === 'eco' ? eco.deleteAll('sleepers') : pm2.deleteAll())
      await contestant.stop()
    }
  }
  for (const [name, contestant] of Object.entries(contestants)) {
    if (!contestant) {
      rows.push(skipped(`${name} daemon`, missing[name]))
      continue
    }
    const pick = (key) => figures[name].map((figure) => figure[key])
    rows.push(row(`${name} daemon RSS`, 'MB', pick('rss'), name === 'eco' ? { atMost: 58 } : {}))
    rows.push(row(`${name} daemon PSS`, 'MB', pick('pss')))
    rows.push(row(`${name} daemon idle CPU`, '%', pick('cpu'), { note: 'of one core' }))
  }
  return rows
}

/** Medians of the samples of one window, and the CPU time it took. */
async function observe(pid) {
  const samples = []
  const [cpuBefore, started] = [cpuMs(pid), performance.now()]
  while (performance.now() - started < WINDOW_MS) {
    samples.push(memory(pid))
    await pause(SAMPLE_MS)
  }
  const cpu = ((cpuMs(pid) - cpuBefore) / (performance.now() - started)) * 100
  return { rss: median(samples.map(({ rss }) => rss)), pss: median(samples.map(({ pss }) => pss)), cpu }
}
