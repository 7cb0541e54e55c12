/** The daemon's entry point: `node --max-semi-space-size=1 dist/daemon.cjs`, started by the CLI, detached. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { removeFile } from '../state/atomic-file.ts'
import { removeHalfWritten } from '../state/leftovers.ts'
import { ecoHome, socketPath } from '../state/paths.ts'
import { VERSION } from '../version.ts'
import { claimSocket, inheritSocket, removeLeftClaims, socketInode } from './claim.ts'
import { Clients } from './clients.ts'
import { Daemon } from './daemon.ts'
import { TAKE_OVER } from './hand-over.ts'
import { createHandlers } from './handlers.ts'
import { comeIntoInheritance } from './heir.ts'
import { createServer } from './server.ts'
import { Succession } from './succession.ts'
import { testatorOf } from './testator.ts'

const SOCKET_CHECK_MS = 5000
/** The latest events are written before it ends, unless the disk takes longer than this. */
const FLUSH_MS = 1000

async function main(): Promise<void> {
  // The apps inherit it, whatever the shell had that happened to start the daemon. Our own files name their modes.
  process.umask(0o022)
  const home = ecoHome()
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const takesOver = process.argv.includes(TAKE_OVER)
  const inheritance = takesOver ? comeIntoInheritance(home) : null
  if (takesOver && inheritance === null) process.exit(1)
  const daemon = new Daemon(home, join(__dirname, 'preload.cjs'))
  // Requests that come in while it boots wait for the adoption: before it, the answers would be wrong.
  const booted = deferred()
  const handlers = createHandlers(
    daemon,
    VERSION,
    () => stop(0),
    (to, emit, client) => succession.handOver(to, client, (message) => emit({ type: 'waiting', message })),
  )
  const waiting = Object.fromEntries(
    Object.entries(handlers).map(([method, handler]) => [
      method,
      async (params: never, emit: never, client: never) => {
        await booted.promise
        return (handler as (params: never, emit: never, client: never) => unknown)(params, emit, client)
      },
    ]),
  ) as unknown as typeof handlers
  const clients = new Clients()
  const server = createServer(VERSION, waiting, clients)
  const succession = new Succession(testatorOf(daemon, server, clients))
  if (inheritance) {
    daemon.inherit(inheritance.sockets)
    await inheritSocket(server, inheritance.control)
  } else if ((await claimSocket(home, server)) === null) return // another daemon answers: it is the one
  removeLeftClaims(home)
  removeHalfWritten(home)
  const inode = socketInode(home)
  let stopping = false
  const stop = (code: number): void => {
    if (stopping) return
    stopping = true
    succession.cancel()
    const end = (): void => {
      daemon.trees.close()
      if (socketInode(home) === inode) removeFile(socketPath(home))
      server.close()
      process.exit(code)
    }
    daemon.tellScopes('daemon_stopped', `eco daemon ended, pid ${process.pid}`)
    // Still the one daemon while the last events are written: the next must not begin beside it.
    setTimeout(end, FLUSH_MS)
    void daemon.flush().then(end)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(0))
  process.on('SIGHUP', () => {}) // the terminal it was started from is closed
  process.on('uncaughtException', (error) => console.error('uncaught:', error))
  process.on('unhandledRejection', (error) => console.error('unhandled:', error))
  setInterval(() => {
    if (socketInode(home) === inode) return
    succession.cancel()
    console.error(`${socketPath(home)} is not this daemon's any more; it ends, the apps go on`)
    process.exit(0)
  }, SOCKET_CHECK_MS).unref()
  console.error(`${new Date().toISOString()} eco ${VERSION} daemon started, pid ${process.pid}`)
  const converged = daemon.boot()
  const from = inheritance ? `, took over from eco ${inheritance.from.version}, pid ${inheritance.from.pid}` : ''
  daemon.tellScopes('daemon_started', `eco ${VERSION} daemon started, pid ${process.pid}${from}`)
  booted.resolve()
  // The old daemon ends once it hears this: a service manager would have to be told before that who the main process is now.
  inheritance?.serving()
  await converged
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

main().catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
