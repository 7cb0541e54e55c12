/**
 * The load client itself, before anything is believed that it says: against a server that stays it must see no failure,
 * and against one that drops on purpose each of the failures that the server made, by kind.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { startBare } from '../lib/bare-server.mjs'
import { startLoad } from '../lib/load-control.mjs'
import { row } from '../lib/stats.mjs'

export const rounds = 1

const PORT = 18_400
const CLIENTS = [
  { label: 'keep-alive', keepAlive: 64 },
  { label: 'connection per request', perRequest: 64 },
  { label: 'keep-alive, thinks 20 ms, and 50 WebSockets', keepAlive: 64, thinkMs: 20, webSockets: 50 },
]

export async function run({ scratch, quick }) {
  const requests = quick ? 20_000 : 200_000
  return [...(await stable(scratch, requests)), ...(await dropping(scratch, requests / 5)), ...(await cutting(scratch))]
}

async function stable(scratch, requests) {
  const server = await startBare(scratch, 'plain.cjs', { port: PORT, env: { WORK_MS: '0' } })
  const rows = []
  for (const { label, ...clients } of CLIENTS) {
    const load = await startLoad(scratch, { port: PORT, ...clients })
    const report = await load.finish(clients.thinkMs ? requests / 10 : requests)
    const { webSockets = 0 } = clients
    if (report.websockets.open !== webSockets) throw new Error(`only ${report.websockets.open} WebSockets stayed open`)
    const note = `of ${report.requests}, ${Math.round(report.perSecond)} a second, ${report.websockets.echoes} echoes`
    rows.push(row(`a server that stays, ${label}: failed`, 'failed', [report.failed], { atMost: 0, note }))
  }
  await server.stop()
  return rows
}

/** What the server says it did, and what the client says it met. */
async function dropping(scratch, requests) {
  const rows = []
  for (const { label, ...clients } of CLIENTS.slice(0, 2)) {
    const server = await startBare(scratch, 'drops.cjs', { port: PORT })
    const load = await startLoad(scratch, { port: PORT, ...clients })
    const report = await load.finish(requests)
    const made = await (await fetch(`http://127.0.0.1:${PORT}/dropped`)).json()
    const {
      'reset-fresh': fresh = 0,
      'reset-reused': reused = 0,
      'status-503': status = 0,
      timeout = 0,
    } = report.failures
    const missed = Object.entries({ fresh, reused, status, silence: timeout }).map(([kind, n]) =>
      Math.abs(made[kind] - n),
    )
    const sum = missed.reduce((a, b) => a + b)
    const note = `of ${report.failed} drops in ${report.requests} requests: ${JSON.stringify(report.failures)}`
    rows.push(row(`a server that drops, ${label}: not seen, or seen wrongly`, 'failed', [sum], { atMost: 0, note }))
    await server.stop()
  }
  return rows
}

/** 50 WebSockets that are cut as a roll begins, and 50 when their time is over. */
async function cutting(scratch) {
  const mustLiveMs = 1000
  const rows = []
  for (const { label, lateMs, early } of [
    { label: 'cut too early', lateMs: 0, early: 50 },
    { label: 'cut in time', lateMs: mustLiveMs + 200, early: 0 },
  ]) {
    const server = await startBare(scratch, 'plain.cjs', { port: PORT })
    const load = await startLoad(scratch, { port: PORT, webSockets: 50 })
    load.roll(mustLiveMs)
    await pause(lateMs)
    await server.stop()
    await pause(100)
    const { failures, websockets } = await load.finish()
    const wrong = Math.abs((failures['ws-cut-early'] ?? 0) - early) + Math.abs(websockets.closedInTime - (50 - early))
    rows.push(
      row(`50 WebSockets, ${label}: seen wrongly`, 'failed', [wrong], { atMost: 0, note: JSON.stringify(failures) }),
    )
  }
  return rows
}
