/**
 * Five reloads in a row, or five changes of the environment, under load: how many requests fail? For apps that handle
 * signals well, badly or not at all, over kept connections, over a connection for each request, and for 50 open
 * WebSockets. Beside it the same load with nothing going on, so that a failure is the roll's and not the client's.
 *
 * A WebSocket must live through what its contestant promises: `stop.drain` with eco, `kill_timeout` with PM2. From outside
 * nobody sees when an instance began to drain, only when the roll did; so eco's drain is longer than a roll takes without
 * it, or the instances that are replaced last would be held to nothing.
 */

import { servedByEco, servedByPm2, underLoad, ZERO_APPS } from '../lib/served.mjs'
import { median, ratios, row, skipped } from '../lib/stats.mjs'

export const rounds = 1

const PORT = 18_410
const PM2_KILL_TIMEOUT_MS = 1600
const LOADS = {
  'keep-alive': { keepAlive: 64 },
  'connection per request': { perRequest: 32 },
  // Clients that think: their connections are idle when the roll comes.
  '50 WebSockets': { webSockets: 50, keepAlive: 32, thinkMs: 20 },
}

export async function run(bench) {
  const { eco, pm2, missing, quick, cases: text, say } = bench
  const plan = (quick ? quickCases() : allCases()).filter((it) => labelOf(it).includes(text))
  const sizes = quick
    ? { operations: 2, requests: 5000, drainMs: 3000 }
    : { operations: 5, requests: 100_000, drainMs: 5000 }
  await eco?.start()
  await pm2?.start()
  const rows = ZERO_APPS.python ? [] : [skipped('an app in Python', 'there is no python3 here')]
  const times = { eco: [], pm2: [] }
  for (const it of plan) {
    say(`  ${labelOf(it)}`)
    const measured = {}
    for (const [name, contestant] of Object.entries({ eco, pm2 })) {
      const label = `${name} ${labelOf(it)}`
      if (!contestant) rows.push(skipped(label, missing[name]))
      else {
        try {
          measured[name] = await measure(bench, name, it, sizes)
          rows.push(rowOf(label, measured[name], name === 'eco' ? { atMost: 0 } : {}))
        } catch (error) {
          // One case of many: the others are worth their time.
          rows.push(skipped(label, error.message.split('\n')[0]))
        }
      }
    }
    if (measured.eco && measured.pm2) for (const name of ['eco', 'pm2']) times[name].push(median(measured[name].times))
  }
  if (times.eco.length) rows.push(row('time of one operation, eco / pm2, by case', 'x', ratios(times.eco, times.pm2)))
  if (plan.length) rows.unshift(await control(bench, sizes))
  return rows
}

function allCases() {
  return Object.keys(ZERO_APPS).flatMap((app) =>
    Object.keys(LOADS)
      .filter((load) => app !== 'python' || load !== '50 WebSockets')
      .flatMap((load) =>
        [2, 4].flatMap((instances) => ['reload', 'change'].map((operation) => ({ app, load, instances, operation }))),
      ),
  )
}

function quickCases() {
  const base = { load: 'keep-alive', instances: 2, operation: 'reload' }
  return [
    ...Object.keys(ZERO_APPS).map((app) => ({ ...base, app })),
    { ...base, app: 'plain', operation: 'change' },
    { ...base, app: 'plain', load: 'connection per request' },
    { ...base, app: 'drains', load: 'connection per request', operation: 'change' },
    ...(ZERO_APPS.python ? [{ ...base, app: 'python', load: 'connection per request' }] : []),
    { ...base, app: 'plain', load: '50 WebSockets' },
    { ...base, app: 'closes', load: '50 WebSockets' },
  ]
}

function labelOf({ app, load, instances, operation }) {
  return `${operation === 'reload' ? 'reload' : 'new env'}, ${ZERO_APPS[app].label}, ${load}, ${instances} instances`
}

async function measure({ scratch, eco, pm2 }, name, { app, load: kind, instances, operation }, sizes) {
  const { operations, requests, drainMs } = sizes
  const options = { app: ZERO_APPS[app], port: PORT, instances }
  const served =
    name === 'eco'
      ? servedByEco(eco, scratch, {
          ...options,
          fields: { rollout: { soak: '500ms' }, stop: { drain: `${drainMs}ms` } },
        })
      : servedByPm2(pm2, scratch, options)
  return underLoad(served, scratch, { port: PORT, ...LOADS[kind] }, async (load) => {
    const before = await served.pids()
    const [times, codes] = [[], []]
    for (let turn = 1; turn <= operations; turn += 1) {
      load.roll(name === 'eco' ? drainMs : PM2_KILL_TIMEOUT_MS)
      const { ms, code } = await (operation === 'reload' ? served.reload() : served.change({ VERSION: `1.${turn}` }))
      times.push(ms)
      codes.push(code)
    }
    const report = await load.finish(requests)
    const kept = (await served.pids()).filter((pid) => before.includes(pid)).length
    const stale = operation === 'change' && !report.bodies[`1.${operations}`]
    return { report, times, codes, kept, stale }
  })
}

function rowOf(label, { report, times, codes, kept, stale }, target) {
  const { requests, failed, failures, maxLatencyMs, websockets } = report
  const kinds = Object.entries(failures).map(([kind, count]) => `${count} ${kind}`)
  const note = [
    `of ${requests}`,
    ...(websockets.opened ? [`${websockets.opened} WebSockets, ${websockets.closedInTime} closed in time`] : []),
    ...kinds,
    `exit ${[...new Set(codes)].join(', ')}`,
    `${(median(times) / 1000).toFixed(1)} s each`,
    `slowest answer ${Math.round(maxLatencyMs)} ms`,
    ...(kept ? [`${kept} OLD PIDS STILL THERE`] : []),
    ...(stale ? ['THE NEW VERSION NEVER ANSWERED'] : []),
  ].join(', ')
  return row(label, 'failed', [failed], { ...target, note, details: { report, times, codes } })
}

/** The harness by itself: the same load, and nobody reloads. */
async function control({ scratch, eco, pm2 }, { requests }) {
  const options = { app: ZERO_APPS.plain, port: PORT, instances: 2 }
  const served = eco ? servedByEco(eco, scratch, options) : servedByPm2(pm2, scratch, options)
  const clients = { port: PORT, keepAlive: 32, perRequest: 32, webSockets: 50 }
  const report = await underLoad(served, scratch, clients, (load) => load.finish(requests))
  const note = `of ${report.requests}, slowest answer ${Math.round(report.maxLatencyMs)} ms`
  return row('control: nothing is reloaded', 'failed', [report.failed], { atMost: 0, note })
}
