/**
 * Requests per second of two instances that answer at once: eco, PM2's cluster mode, and node:cluster that shares its
 * socket (SCHED_NONE), which is the floor. With a connection for each request, and over kept ones. The CPU time of the
 * daemons meanwhile shows who stands in the way of connections.
 */

import { untilListening, startBare } from '../lib/bare-server.mjs'
import { cpuMs } from '../lib/proc.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { servedByEco, servedByPm2, ZERO_APPS } from '../lib/served.mjs'
import { ratios, row, skipped } from '../lib/stats.mjs'
import { hasWrk, requestsPerSecond } from '../lib/throughput.mjs'

export const rounds = 5

const PORTS = { floor: 18_430, eco: 18_431, pm2: 18_432 }
const INSTANCES = 2
const KINDS = [
  { label: 'connection per request', keep: false, targets: { pm2: { atLeast: 3 }, floor: { atLeast: 0.95 } } },
  { label: 'keep-alive', keep: true, targets: { pm2: { atLeast: 1.2 }, floor: {} } },
]

export async function run({ scratch, eco, pm2, missing, rounds: wanted, quick, say }) {
  const [count, seconds] = quick ? [Math.min(wanted, 3), 2] : [wanted, 6]
  const wrk = await hasWrk(scratch)
  if (!wrk) say('  wrk is not installed: the load client of the bench is the measure, and part of it')
  const daemons = await startAll({ scratch, eco, pm2 })
  const rows = []
  for (const { label, keep, targets } of KINDS) {
    const cpu = { eco: [], pm2: [] }
    const turns = Object.fromEntries(
      Object.entries(daemons).map(([name, daemon]) => [
        name,
        async (round) => {
          const [before, started] = [daemon && cpuMs(daemon), performance.now()]
          const figure = await requestsPerSecond(scratch, { port: PORTS[name], keep, seconds, wrk })
          if (daemon && round >= 0) cpu[name].push((100 * (cpuMs(daemon) - before)) / (performance.now() - started))
          return figure
        },
      ]),
    )
    const samples = await takeTurns(count, turns)
    rows.push(row(`${label}: node:cluster, SCHED_NONE (floor)`, 'req/s', samples.floor))
    for (const name of ['eco', 'pm2']) {
      if (!samples[name]) rows.push(skipped(`${label}: ${name}`, missing[name]))
      else {
        rows.push(row(`${label}: ${name}`, 'req/s', samples[name]))
        rows.push(row(`  ${name}'s daemon meanwhile`, '%', cpu[name], name === 'eco' ? { below: 1 } : {}))
      }
    }
    if (samples.eco && samples.pm2)
      rows.push(row(`${label}: eco / pm2`, 'x', ratios(samples.eco, samples.pm2), targets.pm2))
    if (samples.eco) rows.push(row(`${label}: eco / floor`, 'x', ratios(samples.eco, samples.floor), targets.floor))
  }
  return rows
}

/** All run all the time, idle but for the one whose turn it is. The pids of the daemons. */
async function startAll({ scratch, eco, pm2 }) {
  const env = { WORK_MS: '0', VERSION: 'hello' }
  const options = (name) => ({ app: ZERO_APPS.plain, port: PORTS[name], instances: INSTANCES, env })
  await startBare(scratch, 'cluster-none.cjs', { port: PORTS.floor, env: { ...env, WORKERS: String(INSTANCES) } })
  const daemons = { floor: null }
  if (eco) {
    await eco.start()
    await servedByEco(eco, scratch, options('eco')).start({})
    await untilListening(PORTS.eco)
    daemons.eco = await eco.daemonPid()
  }
  if (pm2) {
    await pm2.start()
    await servedByPm2(pm2, scratch, options('pm2')).start({})
    await untilListening(PORTS.pm2)
    daemons.pm2 = await pm2.daemonPid()
  }
  return daemons
}
