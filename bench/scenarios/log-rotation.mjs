/**
 * The writer of log-write with rotation at 10 MB: 5,000,000 lines at full speed, so that it lasts for some rotations, and
 * 1,000,000 at 50,000 lines a second; archives compressed and not.
 * Lost, torn and doubled lines across the file and its archives; CPU of all that works for it, compressors and
 * pm2-logrotate included; the longest time between two lines, by the app's clock. pm2-logrotate looks once a second, the
 * least it can; its default is 30 s. The floor does not rotate.
 */

import { ecoHost, floorHost, pm2Host, runWriter, WRITERS } from '../lib/log-writers.mjs'
import { installLogrotate, startWithLogrotate } from '../lib/logrotate.mjs'
import { differences, ratios, row, skipped } from '../lib/stats.mjs'

export const rounds = 3

const PACES = {
  'full speed': { lines: 5_000_000, env: {} },
  '50,000 lines/s': { lines: 1_000_000, env: { PACE: '50000' } },
}
/** pm2-logrotate may still have to look, and to compress. */
const QUIET_MS = 3000

export async function run({ scratch, eco, pm2, missing, rounds: wanted, quick, cases, say }) {
  const count = quick ? 1 : wanted
  const reason = missing.pm2 ?? (await installLogrotate())
  await eco?.start()
  const rows = []
  for (const compress of [true, false]) {
    if (reason === null) {
      const settings = { max_size: '10M', retain: '50', compress: String(compress), workerInterval: '1' }
      await startWithLogrotate(pm2, settings)
    }
    const hosts = {
      floor: floorHost(scratch),
      ...(eco ? { eco: ecoHost(eco, scratch, { max_size: '10M', keep: 50, compress }) } : {}),
      ...(reason === null ? { pm2: pm2Host(pm2, scratch) } : {}),
    }
    for (const [pace, { lines, env }] of Object.entries(PACES)) {
      const label = `${pace}, ${compress ? 'gzip' : 'not compressed'}`
      if (!label.includes(cases)) continue
      const results = Object.fromEntries(Object.keys(hosts).map((name) => [name, []]))
      for (let round = 0; round < count; round += 1) {
        for (const [name, host] of Object.entries(hosts)) {
          const options = {
            writer: WRITERS.stdout,
            lines: quick ? lines / 2 : lines,
            env: { STALLS: '1', ...env },
            quietMs: QUIET_MS,
          }
          results[name].push(await runWriter(host, scratch, options))
        }
        say(`  ${label}: round ${round + 1} of ${count}`)
      }
      rows.push(...caseRows(label, results))
    }
  }
  if (!eco) rows.push(skipped('eco', missing.eco))
  if (reason !== null) rows.push(skipped('pm2 with pm2-logrotate', reason))
  return rows
}

function caseRows(label, results) {
  const pick = (name, value) => results[name].map(value)
  const time = ({ report }) => report.ms
  const stall = ({ report }) => report.longestMs
  const cpu = ({ daemonCpuMs }) => daemonCpuMs
  const rows = [row(`${label}: longest stall, floor`, 'ms', pick('floor', stall), { details: results })]
  for (const name of ['eco', 'pm2'].filter((it) => results[it])) {
    const none = name === 'eco' ? { atMost: 0 } : {}
    const files = `in ${pick(name, (it) => it.files).join(', ')} files`
    for (const key of ['lost', 'torn', 'doubled']) {
      const found = pick(name, (it) => it[key])
      rows.push(row(`  ${key}, ${name}`, 'lines', found, { ...none, note: key === 'lost' ? files : '' }))
    }
    rows.push(row(`  longest stall, ${name}`, 'ms', pick(name, stall)))
    rows.push(row(`  time, ${name} / floor`, 'x', ratios(pick(name, time), pick('floor', time))))
    rows.push(row(`  CPU of the daemon and its helpers, ${name}`, 'ms', pick(name, cpu)))
  }
  if (results.eco && results.pm2) {
    const more = differences(pick('eco', cpu), pick('pm2', cpu))
    rows.push(row('  the same, eco less pm2', 'ms', more, { below: 0 }))
  }
  return rows
}
