import { isIP } from 'node:net'
import type { Adopt } from './adopt.ts'
import type { Channel } from './channel.ts'
import type { Listen, ListenCall, Route } from './listen.ts'
import type { AnyServer } from './node-internals.ts'

export interface Undeclared {
  readonly channel: Channel
  /** Makes a server listen on a socket. */
  readonly adopt: Adopt
  /** The server listens on the socket of this index. */
  readonly adopted: (server: AnyServer, index: number, listen: Listen) => void
}

/**
 * Servers on ports that are not declared: the daemon binds them once, and all instances of the app share them, as those of
 * PM2's cluster mode do. Where it does not (it is gone, the port is taken) the server listens as it would without eco.
 */
export function undeclaredPorts({ channel, adopt, adopted }: Undeclared): Route {
  return (call, listen) => {
    const { server, options } = call
    if (!isShareable(call) || isClustered() || !channel.isOpen) return false
    const isWanted = stillWanted(server)
    const own = (): void => void listen.apply(server, [...call.args])
    const ask = (host: string | null): void => {
      channel.ask(Number(options.port), host, (answer) => {
        if (!isWanted()) return void answer?.handle.close()
        if (answer === null) return own()
        adopt(call, answer.handle, listen)
        adopted(server, answer.index, listen)
      })
    }
    const { host } = options
    if (host == null || host === '' || host === '::') ask(null)
    else if (isIP(host) !== 0) ask(host)
    else {
      // As Node's own listen does, by the first address that the name has.
      const dns = require('node:dns') as typeof import('node:dns')
      dns.lookup(host, (error, address) => {
        if (!isWanted()) return
        if (error) own()
        else ask(address)
      })
    }
    return true
  }
}

/** One port for all: not one of its own choice, nor one that must not be shared. What Node refuses is left to it. */
function isShareable({ server, options }: ListenCall): boolean {
  const { port, exclusive, ipv6Only, reusePort, signal } = options
  if (options.fd != null || options.handle != null || options.path != null || server._handle) return false
  if (exclusive || ipv6Only || reusePort || signal) return false
  if (typeof port !== 'number' && (typeof port !== 'string' || port.trim() === '')) return false
  return Number.isInteger(Number(port)) && Number(port) > 0 && Number(port) < 65_536
}

/** Within node:cluster the workers share what their primary has. */
function isClustered(): boolean {
  const cluster = require('node:cluster') as typeof import('node:cluster').default
  return cluster.isWorker || Object.keys(cluster.workers ?? {}).length > 0
}

/** Not when the server was closed meanwhile, or told to listen once more. */
function stillWanted(server: AnyServer): () => boolean {
  const asked = server._listeningId
  return () => server._listeningId === asked && !server._handle
}
