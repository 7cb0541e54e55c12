/** The moments that tiny.cjs notes, one file a process. */

import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as pause } from 'node:timers/promises'

export const tinyApp = fileURLToPath(new URL('../apps/tiny.cjs', import.meta.url))

/** Waits for `count` marks; the last of them, in ms since `started` (process.hrtime.bigint()). */
export async function untilMarked(folder, count, started, { timeout = 120_000 } = {}) {
  const deadline = performance.now() + timeout
  while (readdirSync(folder).length < count) {
    if (performance.now() > deadline) throw new Error(`only ${readdirSync(folder).length} of ${count} apps ran`)
    await pause(25)
  }
  await pause(25) // the last file may still be empty
  const moments = readdirSync(folder).map((name) => BigInt(readFileSync(join(folder, name), 'utf8')) - started)
  return Math.max(...moments.map(Number)) / 1e6
}

export function clearMarks(folder) {
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
}
