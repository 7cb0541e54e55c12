/**
 * The `eco` binary. `eco ls` is answered from here with nothing else loaded; every other command loads the program.
 */

import { list } from './cli/list.ts'
import { reportError } from './cli/report-error.ts'

const argv = process.argv.slice(2)

async function main(): Promise<number> {
  const quick = quickList(argv)
  if (quick) {
    await list({ selectors: quick.selectors, project: null, environment: null }, quick.json)
    return 0
  }
  // Resolved beside this file in dist/; the name is kept from the bundler on purpose.
  const { run } = (await import('./program.js' as string)) as typeof import('./cli/program.ts')
  return run(argv)
}

/** `eco ls [selector…] [--json]` and nothing more; anything else is for the full parser. */
function quickList([command, ...rest]: readonly string[]): { selectors: string[]; json: boolean } | null {
  if (command !== 'ls' && command !== 'list' && command !== 'status') return null
  const json = rest.includes('--json')
  const selectors = rest.filter((arg) => arg !== '--json')
  return selectors.some((arg) => arg.startsWith('-')) ? null : { selectors, json }
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    process.exitCode = reportError(error, argv.includes('--json'))
  },
)
