/**
 * `node dist/scribe.cjs`, started by the daemon and outliving it: writes the logs of apps with `format: time` or `json`.
 * One for each ECO_HOME: whoever answers on scribe.sock. It greets with its version; `quit` ends it, any other line makes
 * it look for what is new.
 */

import net from 'node:net'
import { claimSocket } from '../daemon/claim.ts'
import { ecoHome, scribeSocketPath } from '../state/paths.ts'
import { VERSION } from '../version.ts'
import { noteProblem } from './note-problem.ts'
import { Scribe } from './scribe.ts'

async function main(): Promise<void> {
  const home = ecoHome()
  process.chdir('/')
  process.umask(0o077)
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGPIPE'] as const) process.on(signal, () => {})
  let scribe: Scribe | null = null
  const server = net.createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.write(`${VERSION}\n`)
    socket.on('data', (chunk: Buffer) => {
      // Whatever it is about can be taken up at any byte.
      if (chunk.includes('quit\n')) process.exit(0)
      scribe?.look()
    })
  })
  if ((await claimSocket(home, server, scribeSocketPath(home))) === null) return
  scribe = new Scribe(home, () => process.exit(0), noteProblem)
}

main().catch((error: unknown) => {
  noteProblem(String((error as Error).stack))
  process.exit(1)
})
