/**
 * systemd's notify protocol (sd_notify(3)): an app in any language sends READY=1 as a datagram to the unix socket that
 * NOTIFY_SOCKET names. Every instance has a socket of its own in a folder that only its user can reach into, so whoever
 * sends to it belongs to it. Node has no unix datagrams; an optional package has, loaded with the first such app.
 */

import { chmodSync, chownSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { EcoError } from '../errors.ts'
import { removeFolder, removeSocket, shortName, socketFolder } from './socket-folders.ts'

const PACKAGE = 'node-unix-socket'

interface DatagramSocket {
  on(event: 'data', listener: (message: Buffer) => void): void
  on(event: 'error', listener: (error: Error) => void): void
  bind(path: string): void
  close(): void
}

export interface NotifyEvents {
  ready(): void
  /** What the app says it is doing. */
  status(text: string): void
}

/** Opens the sockets of instances; `install` is a file of this installation of eco, beside which the package is. */
export class NotifySockets {
  readonly #home: string
  readonly #install: string
  #socketClass: (new () => DatagramSocket) | null = null

  constructor(home: string, install: string) {
    this.#home = home
    this.#install = install
  }

  /** @throws EcoError GUARD when the package is not there, or does not run here */
  require(app: string): new () => DatagramSocket {
    try {
      const { DgramSocket } = createRequire(this.#install)(PACKAGE) as { DgramSocket: new () => DatagramSocket }
      return (this.#socketClass ??= DgramSocket)
    } catch (error) {
      const [reason = ''] = (error as Error).message.split('\n')
      throw new EcoError('GUARD', `${app} declares "ready: notify", and ${PACKAGE} cannot be loaded: ${reason}`, {
        hint: `install eco with its optional dependencies (npm install --include=optional), or use another ready check`,
        cause: error,
      })
    }
  }

  /**
   * Opens the socket of an instance, taking the place of one that a daemon before this one left.
   *
   * @param instance its name for good: scope, app, slot and copy
   * @param owner the user it runs as; null: the daemon's own
   * @throws EcoError GUARD when it cannot be opened
   */
  open(instance: string, owner: number | null, events: NotifyEvents): NotifySocket {
    const Datagrams = this.require(instance)
    const folder = socketFolder(this.#home, 'notify', '0123456789abcdef.sock', owner)
    const path = join(folder, `${shortName(instance)}.sock`)
    removeSocket(path)
    const socket = new Datagrams()
    socket.on('error', (error) => console.error(`the notify socket of ${instance} failed: ${error.message}`))
    socket.on('data', (message) => hear(message, events))
    try {
      socket.bind(path)
      chmodSync(path, 0o600)
      if (owner !== null) chownSync(path, owner, -1)
    } catch (error) {
      socket.close()
      throw new EcoError('GUARD', `Cannot open the notify socket of ${instance}: ${(error as Error).message}`)
    }
    return {
      path,
      close: () => {
        socket.close()
        removeSocket(path)
        removeFolder(folder)
      },
    }
  }
}

export interface NotifySocket {
  /** For NOTIFY_SOCKET. */
  readonly path: string
  /** Also removes its file. */
  close(): void
}

/** Assignments, one a line. What eco has no use for (MAINPID, WATCHDOG, BARRIER …) is left aside, as the protocol asks. */
function hear(message: Buffer, events: NotifyEvents): void {
  for (const line of message.toString('utf8').split('\n')) {
    if (line === 'READY=1') events.ready()
    else if (line.startsWith('STATUS='))
      events.status(
        line
          .slice('STATUS='.length)
          .replace(/\p{Cc}/gu, ' ')
          .slice(0, 200),
      )
  }
}
