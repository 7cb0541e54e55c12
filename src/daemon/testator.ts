import type net from 'node:net'
import { VERSION } from '../version.ts'
import { socketInode } from './claim.ts'
import type { Clients } from './clients.ts'
import type { Daemon } from './daemon.ts'
import type { Testator } from './succession.ts'

/**
 * What this daemon leaves to the next one, and when it may.
 *
 * @param service variables by which a service manager knows the daemon
 */
export function testatorOf(daemon: Daemon, server: net.Server, clients: Clients, service: NodeJS.ProcessEnv): Testator {
  const id = { pid: process.pid, version: VERSION }
  return {
    self: { ...id, node: process.execPath, entry: __filename },
    estate: () => ({
      from: id,
      inode: socketInode(daemon.home) ?? -1,
      control: (server as unknown as { readonly _handle: { readonly fd: number } })._handle.fd,
      sockets: daemon.sockets(),
      environment: { ...process.env, ...service },
    }),
    obstacle: (client) => {
      const works = daemon.underWay()
      if (works.length > 0) return works.join('; ')
      const others = clients.waitingBeside(client)
      if (others > 0) return others === 1 ? 'another command' : `${others} other commands`
      if (daemon.logs?.isIdle === false) return 'the rotation of a log'
      return daemon.isFlushed ? null : 'the disk'
    },
    flush: () => daemon.flush(),
  }
}
