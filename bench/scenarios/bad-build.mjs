/**
 * A bad build is put in place of a good one under load, in four ways: it throws at its start, never listens, answers 500
 * to everything, or dies after 3 s. How many requests fail, does the command say so, and do the old processes go on?
 */

import { setTimeout as pause } from 'node:timers/promises'
import { servedByEco, servedByPm2, underLoad } from '../lib/served.mjs'
import { row, skipped } from '../lib/stats.mjs'

export const rounds = 1

const PORT = 18_420
/** eco: the rollout has failed, and the old version serves. */
const ROLLED_BACK = 6
const BUILDS = {
  'throws at its start': { build: 'bad-throws' },
  'never listens': { build: 'bad-never-listens', fields: { ready: { http: '/healthz', timeout: '5s' } } },
  'answers 500': { build: 'bad-500', fields: { ready: { http: '/healthz', timeout: '5s' } } },
  'dies after 3 s': { build: 'bad-dies', fields: { rollout: { soak: '5s' } } },
}
/** Both kinds at once: kept connections stay where they are, new ones find the bad build when it takes any. */
const CLIENTS = { port: PORT, keepAlive: 32, perRequest: 32 }
/** A command may say that all is well before the build has shown what it is. */
const AFTERMATH_MS = 5000

export async function run(bench) {
  const { eco, pm2, missing, cases: text, say } = bench
  await eco?.start()
  await pm2?.start()
  const rows = []
  for (const [what, { build, fields }] of Object.entries(BUILDS)) {
    const label = `a build that ${what}`
    if (!label.includes(text)) continue
    say(`  ${label}`)
    for (const [name, contestant] of Object.entries({ eco, pm2 })) {
      if (!contestant) rows.push(skipped(`${name}: ${label}`, missing[name]))
      else rows.push(await measure(bench, name, `${name}: ${label}`, { build, fields }))
    }
  }
  return rows
}

async function measure({ scratch, eco, pm2, quick }, name, label, { build, fields }) {
  const options = { app: { file: 'build.cjs' }, port: PORT, instances: 2, env: { BUILD: 'closes' } }
  const ready = { ready: { http: '/healthz' }, rollout: { soak: '500ms' } }
  const served =
    name === 'eco'
      ? servedByEco(eco, scratch, { ...options, fields: { ...ready, ...fields } })
      : servedByPm2(pm2, scratch, options)
  return underLoad(served, scratch, CLIENTS, async (load) => {
    const before = await served.pids()
    const { ms, code, stderr } = await served.change({ BUILD: build, VERSION: '2' })
    await pause(AFTERMATH_MS)
    const after = await served.pids()
    const report = await load.finish(quick ? 0 : 100_000)
    const kept = before.filter((pid) => after.includes(pid)).length
    const { requests, failed, failures, bodies } = report
    const note = [
      `of ${requests}`,
      ...Object.entries(failures).map(([kind, count]) => `${count} ${kind}`),
      `exit ${code}${name === 'eco' && code !== ROLLED_BACK ? ` (NOT ${ROLLED_BACK})` : ''} after ${(ms / 1000).toFixed(1)} s`,
      `${kept} of ${before.length} old pids serve`,
      ...(bodies['2'] ? [`${bodies['2']} answers by the bad build`] : []),
    ].join(', ')
    const target = name === 'eco' ? { atMost: 0 } : {}
    return row(label, 'failed', [failed], {
      ...target,
      note,
      details: { report, code, kept, stderr: stderr.slice(-2000) },
    })
  })
}
