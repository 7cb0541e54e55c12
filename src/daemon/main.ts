/** The daemon's entry point: `node --max-semi-space-size=1 dist/daemon.cjs`, started by the CLI, detached. */

import { mkdirSync } from 'node:fs'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { EcoError } from '../errors.ts'
import { NEEDS_MENDING } from '../startup/service.ts'
import { removeHalfWritten } from '../state/leftovers.ts'
import { ecoHome } from '../state/paths.ts'
import { VERSION } from '../version.ts'
import { claimSocket, inheritSocket, removeLeftClaims } from './claim.ts'
import { Clients } from './clients.ts'
import { Daemon } from './daemon.ts'
import { TAKE_OVER } from './hand-over.ts'
import { createHandlers } from './handlers.ts'
import { comeIntoInheritance, type Inheritance } from './heir.ts'
import { Lifetime } from './lifetime.ts'
import { OwnService } from './own-service.ts'
import type { Hello } from './protocol.ts'
import { ScribeOutputs } from './scribe-outputs.ts'
import { createServer, type Handlers, wireError } from './server.ts'
import { statusLine } from './status-line.ts'
import { closeStrays } from './stray-descriptors.ts'
import { Succession } from './succession.ts'
import { LogKeeper } from '../logs/keeper.ts'
import { claimOrTakeOver } from './take-over.ts'
import { testatorOf } from './testator.ts'

async function main(): Promise<void> {
  closeStrays()
  // The apps inherit it, whatever the shell had that happened to start the daemon. Our own files name their modes.
  process.umask(0o022)
  const home = ecoHome()
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const takesOver = process.argv.includes(TAKE_OVER)
  const inheritance = takesOver ? comeIntoInheritance(home) : null
  if (takesOver && inheritance === null) process.exit(1)
  const preload = join(__dirname, 'preload.cjs')
  const service = OwnService.ofEnvironment(process.env, preload)
  const unit = service && { name: service.name, scope: service.scope }
  const outputs = new ScribeOutputs(home, join(__dirname, 'scribe.cjs'))
  const daemon = new Daemon(home, preload, outputs, new LogKeeper(home, join(__dirname, 'stopped-copy.cjs')))
  daemon.onAdopted = () => outputs.takeOver(daemon.liveRuns())
  const clients = new Clients()
  const booted = deferred()
  const handlers = createHandlers(daemon, {
    version: VERSION,
    unit,
    shutdown: () => {
      // Asking the next daemon would start one, against the will of whoever stops this one.
      clients.answerAll({ error: wireError(stoppedError()) })
      lifetime.stop(service?.askedCode ?? 0)
    },
    upgrade: (to, emit, client) => succession.handOver(to, client, (message) => emit({ type: 'waiting', message })),
  })
  const server = await openDoor(home, unit, inheritance, () =>
    createServer(VERSION, after(booted.promise, handlers), clients),
  )
  if (server === null) return // another daemon answers: it is the one
  if (inheritance) daemon.inherit(inheritance.sockets)
  removeLeftClaims(home)
  removeHalfWritten(home)
  const succession = new Succession(testatorOf(daemon, server, clients, service?.successorEnvironment ?? {}))
  const lifetime = new Lifetime(daemon, service, {
    cancelSuccession: () => succession.cancel(),
    closeServer: () => server.close(),
  })
  lifetime.watch()
  process.on('uncaughtException', (error) => console.error('uncaught:', error))
  process.on('unhandledRejection', (error) => console.error('unhandled:', error))
  console.error(`${new Date().toISOString()} eco ${VERSION} daemon started, pid ${process.pid}`)
  const converged = daemon.boot(service?.ownUnit ?? null)
  const from = inheritance ? `, took over from eco ${inheritance.from.version}, pid ${inheritance.from.pid}` : ''
  daemon.tellScopes('daemon_started', `eco ${VERSION} daemon started, pid ${process.pid}${from}`)
  booted.resolve()
  if (inheritance) {
    // The old daemon ends once it hears that we serve: by then the service has to know who its main process is.
    await service?.handOver(process.pid)
    inheritance.serving()
  }
  service?.ready(() => statusLine(daemon))
  await converged
}

function stoppedError(): EcoError {
  return new EcoError('DAEMON_ENDED', 'The daemon was told to end ("eco daemon stop") before this was over.', {
    hint: '"eco daemon start" starts the next one, and "eco events" says what that makes of it',
  })
}

/** @returns null: another daemon is there */
async function openDoor(
  home: string,
  unit: Hello['unit'],
  inheritance: Inheritance | null,
  open: () => Server,
): Promise<Server | null> {
  if (inheritance === null) return unit ? claimOrTakeOver(home, unit, open) : claimSocket(home, open())
  const server = open()
  await inheritSocket(server, inheritance.control)
  return server
}

/** Requests that come in while the daemon boots wait for the adoption: before it, the answers would be wrong. */
function after(booted: Promise<void>, handlers: Handlers): Handlers {
  const waiting = Object.entries(handlers).map(([method, handler]) => [
    method,
    async (...call: never[]) => {
      await booted
      return (handler as (...call: never[]) => unknown)(...call)
    },
  ])
  return Object.fromEntries(waiting) as Handlers
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
