/**
 * From the command to the moment when 100 Node apps really run, by their own account: each notes the time as its first
 * act. Starting Node itself is the limit here; the question is what an orchestrator adds.
 */

import { clearMarks, tinyApp, untilMarked } from '../lib/marks.mjs'
import { startMany } from '../lib/start-many.mjs'

export const rounds = 3

const APPS = 100

export function run(bench) {
  const folder = bench.scratch.makeFolder('marks')
  const apps = {
    count: APPS,
    argv: [process.execPath, tinyApp],
    mark: tinyApp,
    pm2: { script: tinyApp },
    env: { MARK_DIR: folder },
    async timeLast(start) {
      clearMarks(folder)
      const started = process.hrtime.bigint()
      const [, last] = await Promise.all([start(), untilMarked(folder, APPS, started)])
      return last
    },
  }
  return startMany(bench, apps, { floor: { atMost: 1.1 } })
}
