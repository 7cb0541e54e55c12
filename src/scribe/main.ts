/**
 * `node dist/scribe.cjs`, started by the daemon and outliving it: writes the logs of apps with `format: time` or `json`.
 * One for each ECO_HOME: whoever answers on scribe.sock. It greets with its status (logs/scribe-status.ts); `quit` ends it,
 * any other line makes it look for what is new, and say how it is.
 */

import net from 'node:net'
import { claimSocket } from '../daemon/claim.ts'
import { type ScribeStatus, noteScribe } from '../logs/scribe-status.ts'
import { removeFile } from '../state/atomic-file.ts'
import { ecoHome, scribeSocketPath } from '../state/paths.ts'
import { identify } from '../supervisor/proc.ts'
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
    const answer = (): void => {
      const status: ScribeStatus = { version: VERSION, blocked: scribe?.blocked ?? {} }
      socket.write(`${JSON.stringify(status)}\n`)
    }
    answer()
    socket.on('data', (chunk: Buffer) => {
      // Whatever it is about can be taken up at any byte.
      if (chunk.includes('quit\n')) process.exit(0)
      scribe?.look()
      answer()
    })
  })
  if ((await claimSocket(home, server, scribeSocketPath(home))) === null) return
  const self = identify(process.pid)
  if (self !== null) noteScribe(home, self)
  scribe = new Scribe(home, () => end(home), noteProblem)
}

/** As long as we hold it, nobody else has put a socket of his there. */
function end(home: string): never {
  removeFile(scribeSocketPath(home))
  process.exit(0)
}

main().catch((error: unknown) => {
  noteProblem(String((error as Error).stack))
  process.exit(1)
})
