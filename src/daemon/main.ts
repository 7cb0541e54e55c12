/** The daemon's entry point: `node --max-semi-space-size=1 dist/daemon.cjs`, started by the CLI, detached. */

import { mkdirSync } from 'node:fs'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { EcoError } from '../errors.ts'
import { removeFile } from '../state/atomic-file.ts'
import { NEEDS_MENDING } from '../startup/service.ts'
import { ecoHome, socketPath } from '../state/paths.ts'
import { VERSION } from '../version.ts'
import { claimSocket, socketInode } from './claim.ts'
import { Daemon } from './daemon.ts'
import { createHandlers } from './handlers.ts'
import { OwnService } from './own-service.ts'
import { createServer } from './server.ts'
import { statusLine } from './status-line.ts'
import { claimOrTakeOver } from './take-over.ts'

const SOCKET_CHECK_MS = 5000
/** The latest events are written before it ends, unless the disk takes longer than this. */
const FLUSH_MS = 1000

async function main(): Promise<void> {
  // The apps inherit it, whatever the shell had that happened to start the daemon. Our own files name their modes.
  process.umask(0o022)
  const home = ecoHome()
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const preload = join(__dirname, 'preload.cjs')
  const service = OwnService.ofEnvironment(process.env, preload)
  const daemon = new Daemon(home, preload)
  // Requests that come in while it boots wait for the adoption: before it, the answers would be wrong.
  const booted = deferred()
  const unit = service && { name: service.name, scope: service.scope }
  const handlers = createHandlers(daemon, VERSION, unit, () => stop(service?.askedCode ?? 0))
  const waiting = Object.fromEntries(
    Object.entries(handlers).map(([method, handler]) => [
      method,
      async (params: never, emit: never) => {
        await booted.promise
        return (handler as (params: never, emit: never) => unknown)(params, emit)
      },
    ]),
  ) as unknown as typeof handlers
  const open = (): Server => createServer(VERSION, waiting)
  const server = unit === null ? await claimSocket(home, open()) : await claimOrTakeOver(home, unit, open)
  if (server === null) return // another daemon answers: it is the one
  const inode = socketInode(home)
  let stopping = false
  const stop = (code: number): void => {
    if (stopping) return
    stopping = true
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
  let isGoingDown = false
  const endService = async (): Promise<void> => {
    if (isGoingDown) return service?.extend()
    await service?.stopping()
    stop(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void endService())
  // The machine goes down, as only the service that keeps us knows: it says so first, and then ends us like at any stop.
  if (service) {
    process.on('SIGUSR2', () => {
      if (isGoingDown) return
      isGoingDown = true
      void service.stopAll(() => daemon.stopForShutdown()).then(() => stop(0))
    })
  }
  process.on('SIGHUP', () => {}) // the terminal it was started from is closed
  process.on('uncaughtException', (error) => console.error('uncaught:', error))
  process.on('unhandledRejection', (error) => console.error('unhandled:', error))
  setInterval(() => {
    if (socketInode(home) === inode) return
    console.error(`${socketPath(home)} is not this daemon's any more; it ends, the apps go on`)
    process.exit(0)
  }, SOCKET_CHECK_MS).unref()
  console.error(`${new Date().toISOString()} eco ${VERSION} daemon started, pid ${process.pid}`)
  const converged = daemon.boot(service?.ownUnit ?? null)
  daemon.tellScopes('daemon_started', `eco ${VERSION} daemon started, pid ${process.pid}`)
  booted.resolve()
  service?.ready(() => statusLine(daemon))
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
  process.exit(error instanceof EcoError && error.code === 'GUARD' ? NEEDS_MENDING : 1)
})
