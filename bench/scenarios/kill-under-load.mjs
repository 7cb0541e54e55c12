/**
 * kill -9 of one of two instances under load. It is stopped for a moment first, and the connections it has accepted are
 * counted in /proc: these may fail, and no other. Then: how long a client had to wait at most.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { acceptedBy } from '../lib/connections.mjs'
import { servedByEco, servedByPm2, underLoad, ZERO_APPS } from '../lib/served.mjs'
import { row, skipped } from '../lib/stats.mjs'

export const rounds = 5

const PORT = 18_450
const LOADS = { 'keep-alive': { keepAlive: 64 }, 'connection per request': { perRequest: 32 } }
const SETTLE_MS = 3000

export async function run(bench) {
  const { eco, pm2, missing, rounds: wanted, quick, cases: text } = bench
  const count = quick ? Math.min(wanted, 2) : wanted
  await eco?.start()
  await pm2?.start()
  const rows = []
  for (const [kind, clients] of Object.entries(LOADS)) {
    for (const [name, contestant] of Object.entries({ eco, pm2 })) {
      const label = `${name}, ${kind}`
      if (!label.includes(text)) continue
      if (!contestant) rows.push(skipped(label, missing[name]))
      else rows.push(...(await measure(bench, name, label, { clients, count })))
    }
  }
  return rows
}

async function measure({ scratch, eco, pm2 }, name, label, { clients, count }) {
  const options = { app: ZERO_APPS.plain, port: PORT, instances: 2 }
  const served = name === 'eco' ? servedByEco(eco, scratch, options) : servedByPm2(pm2, scratch, options)
  const kills = await underLoad(served, scratch, { port: PORT, ...clients }, async (load) => {
    const seen = []
    for (let round = 0; round < count; round += 1) {
      await pause(SETTLE_MS)
      const before = await load.counts()
      const [victim] = await served.pids()
      process.kill(victim, 'SIGSTOP')
      const accepted = acceptedBy(PORT).get(victim) ?? 0
      process.kill(victim, 'SIGKILL')
      await pause(SETTLE_MS)
      const after = await load.counts()
      seen.push({ accepted, failed: after.failed - before.failed, longestSilenceMs: after.longestSilenceMs })
    }
    return { seen, report: await load.finish() }
  })
  const { seen, report } = kills
  // Some fail later than their round: those that hang until their time is over.
  const sum = (of) => seen.map(of).reduce((a, b) => a + b)
  const beyond = Math.max(
    report.failed - sum(({ accepted }) => accepted),
    ...seen.map(({ failed, accepted }) => failed - accepted),
  )
  const kinds = Object.entries(report.failures).map(([kind, failed]) => `${failed} ${kind}`)
  const note = [`accepted by it: ${seen.map((it) => it.accepted).join(', ')}`, ...kinds, `of ${report.requests}`].join(
    ', ',
  )
  return [
    row(
      `${label}: failed`,
      'failed',
      seen.map(({ failed }) => failed),
      { note, details: report },
    ),
    row('  beyond those it had accepted', 'failed', [Math.max(0, beyond)], name === 'eco' ? { atMost: 0 } : {}),
    row('  slowest answer', 'ms', [report.maxLatencyMs]),
    row('  longest time without any answer', 'ms', [report.longestSilenceMs]),
  ]
}
