/**
 * The pure plan() for 1,000 apps of two instances, in process: the first call of a fresh process, and the median of
 * the calls after it. Nothing is spawned but the process that measures: one a round, so that each has a first call.
 */

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { run as command } from '../lib/command.mjs'
import { row, skipped } from '../lib/stats.mjs'

export const rounds = 5

const api = new URL('../../dist/bench-api.js', import.meta.url)
const child = fileURLToPath(new URL('../apps/plan-1000.mjs', import.meta.url))

const CASES = {
  unchanged: 'nothing changed',
  created: 'all new',
  changed: 'all changed',
}

export async function run({ scratch, rounds: count }) {
  if (!existsSync(api)) return [skipped('plan()', 'dist/bench-api.js is not there: run `npm run build`')]
  const rows = []
  for (const [name, title] of Object.entries(CASES)) {
    const results = []
    for (let round = 0; round < count; round += 1) {
      const { stdout } = await command([process.execPath, child, api.href, name], { env: scratch.env() })
      results.push(JSON.parse(stdout))
    }
    const pick = (key) => results.map((result) => result[key])
    rows.push(row(`plan(), ${title}, warm`, 'ms', pick('warm'), { below: 50, note: `${results[0].steps} steps` }))
    rows.push(row(`plan(), ${title}, first call`, 'ms', pick('first'), { below: 50 }))
  }
  return rows
}
