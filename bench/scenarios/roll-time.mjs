/**
 * How long the replacement of 4 instances takes, one after the other, against what it must take: the start-up of the app
 * and its soak, four times. Without load: what a drain waits for is not the orchestrator's.
 */

import { startBare } from '../lib/bare-server.mjs'
import { takeTurns } from '../lib/rounds.mjs'
import { servedByEco, ZERO_APPS } from '../lib/served.mjs'
import { median, ratios, row, skipped } from '../lib/stats.mjs'

export const rounds = 5

const PORT = 18_440
const INSTANCES = 4

export async function run({ scratch, eco, missing, rounds: wanted, quick }) {
  if (!eco) return [skipped('eco', missing.eco)]
  const [count, soakMs] = quick ? [Math.min(wanted, 2), 1000] : [wanted, 2000]
  const app = ZERO_APPS.slow
  const fields = { rollout: { max_surge: 1, max_unavailable: 0, soak: `${soakMs}ms` } }
  const served = servedByEco(eco, scratch, { app, port: PORT, instances: INSTANCES, fields })
  await eco.start()
  await served.start({ VERSION: '1' })
  const succeeded = async (command) => {
    const { ms, code, stderr } = await command
    if (code !== 0) throw new Error(`the roll ended with ${code}: ${stderr}`)
    return ms
  }
  const samples = await takeTurns(count, {
    startUp: () => startUpMs(scratch, app.file),
    reload: () => succeeded(served.reload()),
    change: (round) => succeeded(served.change({ VERSION: `1.${round + 2}` })),
  })
  const ideal = samples.startUp.map((ms) => (ms + soakMs) * INSTANCES)
  const note = `(${Math.round(median(samples.startUp))} ms start-up + ${soakMs} ms soak) x ${INSTANCES}`
  return [
    row('must take', 'ms', ideal, { note }),
    ...['reload', 'change'].flatMap((name) => {
      const label = name === 'reload' ? 'eco reload' : 'eco apply, new env'
      const against = ratios(samples[name], ideal)
      // Faster than it may be is no virtue.
      const hasty = Math.min(...against) < 0.98 ? { note: 'LESS THAN IT MUST TAKE: the soak is not kept' } : {}
      return [row(label, 'ms', samples[name]), row(`${label} / must take`, 'x', against, { atMost: 1.1, ...hasty })]
    }),
  ]
}

/** From the spawn of a bare copy until it takes connections, on a port beside. */
async function startUpMs(scratch, file) {
  const started = performance.now()
  const server = await startBare(scratch, file, { port: PORT + 1 })
  const ms = performance.now() - started
  await server.stop()
  return ms
}
