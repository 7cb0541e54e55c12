/**
 * From the command to the moment when 100 `sleep` processes run: the orchestrator's own cost of a start, since the apps
 * cost next to nothing. Seen from outside, in /proc, to about 5 ms.
 */

import { untilRunning } from '../lib/proc.mjs'
import { startMany } from '../lib/start-many.mjs'

export const rounds = 5

const APPS = 100

export function run(bench) {
  const sleep = bench.scratch.sleepProgram()
  const apps = {
    count: APPS,
    argv: [sleep, '1000000'],
    mark: sleep,
    pm2: { script: sleep, args: ['1000000'], interpreter: 'none' },
    async timeLast(start) {
      const started = performance.now()
      const [, last] = await Promise.all([start(), untilRunning(sleep, APPS)])
      return last - started
    },
  }
  return startMany(bench, apps, { pm2: { atMost: 0.5 } })
}
