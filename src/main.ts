/**
 * The `eco` binary. `eco ls` is answered from here with next to nothing loaded; every other command loads the program.
 */

import { becomeInit } from './cli/become-init.ts'
import { list } from './cli/list.ts'
import { reportError } from './cli/report-error.ts'
import { ecoHome } from './state/paths.ts'

const argv = process.argv.slice(2)

async function main(): Promise<number> {
  if (process.pid === 1 && argv[0] === 'run') sayNoInit(becomeInit())
  const quick = quickList(argv)
  if (quick) {
    const isWritten = await list({ selectors: quick.selectors, project: null, environment: null }, quick.json)
    // Closing everything down in order would take as long as the question did.
    if (isWritten) process.exit(0)
    return 0
  }
  const { loadProgram } = await import('./load-program.ts')
  const { program, saveCache } = loadProgram(ecoHome(), argv[0] ?? '')
  const code = await program.run(argv)
  // It must be able to look at ECO_HOME without a trace.
  if (argv[0] !== 'doctor') saveCache()
  return code
}

/** What orphans leave then costs an entry in the table of processes each, and nothing else. */
function sayNoInit(why: string): void {
  process.stderr.write(
    `eco run is process 1 and cannot reap orphans of its apps: ${why}.\n  hint: give the container an init: docker run --init, "init: true" in compose, or ENTRYPOINT ["tini", "--"]\n`,
  )
}

/** `eco ls [selector…] [--json]` and nothing more; anything else is for the full parser. */
function quickList([command, ...rest]: readonly string[]): { selectors: string[]; json: boolean } | null {
  if (process.env['ECO_UPGRADE'] === '1') return null
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
