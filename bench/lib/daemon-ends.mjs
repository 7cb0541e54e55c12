/**
 * The daemon ends in some way under load, and a command follows: how many requests fail, which processes go on, and how
 * long until the next daemon has answered, with all that runs taken over.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { servedByEco, servedByPm2, underLoad, ZERO_APPS } from './served.mjs'
import { row, skipped } from './stats.mjs'

const LOADS = { 'keep-alive': { keepAlive: 64 }, 'connection per request': { perRequest: 32 } }
const SETTLE_MS = 2000

/**
 * @param {object} bench
 * @param {{ port: number, instances: number, ends: Record<'eco' | 'pm2', (contestant: object) => Promise<unknown>> }} options
 *   `ends`: what is done to the daemon
 */
export async function measureEnds(bench, { port, instances, ends }) {
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
      // Who loses its apps with the daemon has shown it the first time.
      else rows.push(...(await measure(bench, name, label, { port, instances, clients, end: ends[name], count })))
    }
  }
  return rows
}

async function measure({ scratch, eco, pm2 }, name, label, { port, instances, clients, end, count }) {
  const options = { app: ZERO_APPS.plain, port, instances }
  const contestant = name === 'eco' ? eco : pm2
  const served = name === 'eco' ? servedByEco(eco, scratch, options) : servedByPm2(pm2, scratch, options)
  // There may be nothing left to remove.
  const removable = { ...served, remove: () => served.remove().catch(() => {}) }
  const { seen, report } = await underLoad(removable, scratch, { port, ...clients }, async (load) => {
    const rounds = []
    for (let round = 0; round < count; round += 1) {
      const before = await served.pids()
      if (before.length === 0) break
      await end(contestant)
      await pause(SETTLE_MS)
      const asked = performance.now()
      const after = await served.pids()
      rounds.push({ ms: performance.now() - asked, before: before.length, kept: kept(before, after) })
    }
    return { seen: rounds, report: await load.finish(0) }
  })
  const { requests, failed, failures } = report
  const kinds = Object.entries(failures).map(([kind, times]) => `${times} ${kind}`)
  const same = seen.map((it) => `${it.kept} of ${it.before}`).join(', ')
  return [
    row(`${label}: failed`, 'failed', [failed], {
      ...(name === 'eco' ? { atMost: 0 } : {}),
      note: [`of ${requests}`, ...kinds, `same processes: ${same}`].join(', '),
      details: { report, seen },
    }),
    row(
      '  the next command',
      'ms',
      seen.map(({ ms }) => ms),
    ),
  ]
}

function kept(before, after) {
  return before.filter((pid) => after.includes(pid)).length
}
