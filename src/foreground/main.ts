/** dist/foreground.cjs: the supervisor for `eco run`, loaded by the CLI into its own process (docs/adr/0022). */

import { join } from 'node:path'
import type { ForegroundRun, RunOptions } from './contract.ts'
import { ForegroundSupervision } from './foreground.ts'
import { makeHome } from './home.ts'

export async function open(options: RunOptions): Promise<ForegroundRun> {
  const home = await makeHome(options.isInit)
  try {
    return new ForegroundSupervision(home, options, join(__dirname, 'preload.cjs'))
  } catch (error) {
    home.remove()
    throw error
  }
}
