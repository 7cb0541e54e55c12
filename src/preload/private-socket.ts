import net from 'node:net'
import type { Listen } from './listen.ts'
import type { AnyServer, AnySocket } from './node-internals.ts'

/**
 * Several instances share the declared socket, and the kernel picks who accepts. By this one eco's probes reach this
 * instance and no other: what comes here goes to the server like any connection. Only a running event loop accepts it.
 * The first process of an instance that adopts an address has its private socket; the others do without.
 */
export function openPrivateSocket(server: AnyServer, path: string, listen: Listen): void {
  const handle = server._handle
  if (!handle) return
  const { allowHalfOpen, pauseOnConnect } = server
  // Sockets are counted by the server that accepts them: what the app asks its own server is as if this were not there.
  const door = new net.Server({ allowHalfOpen: allowHalfOpen === true, pauseOnConnect: pauseOnConnect === true })
  door.on('error', () => {}) // another process of this instance has it, or its folder is gone
  door.on('connection', (socket: AnySocket) => {
    socket.unref()
    socket.on('error', () => {}) // a probe that goes away early is nothing an app should die of
    socket.server = server
    takeForTcp(socket, server)
    server.emit('connection', socket)
  })
  try {
    listen.call(door, { path, exclusive: true }) // exclusive: not shared with other workers of node:cluster
    door.unref()
  } catch {
    return // forbidden, by Node's permission model
  }
  const { close } = handle
  handle.close = function (...args: unknown[]) {
    door.close()
    return close.apply(this, args)
  }
}

let probes = 0

/** Apps ask every connection of a port for its addresses: those that a probe of the port itself would have. */
function takeForTcp(socket: AnySocket, server: net.Server): void {
  const at = net.Server.prototype.address.call(server)
  if (at === null || typeof at === 'string' || !socket._handle) return
  const loopback: Record<string, string> = { '::': '::ffff:127.0.0.1', '0.0.0.0': '127.0.0.1' }
  const local = { ...at, address: loopback[at.address] ?? at.address }
  const remote = { ...local, port: 1 + (probes++ % 65_535) }
  // Asked by net.Socket, and through it by tls and http2.
  socket._handle.getsockname = (out) => (Object.assign(out, local), 0)
  socket._handle.getpeername = (out) => (Object.assign(out, remote), 0)
}
