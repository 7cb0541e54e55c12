/**
 * Loaded by `node --require` into supervised Node.js apps that declare `listen`, or that say when they are ready.
 * No dependencies, no output, nothing that an app could notice; built to one CommonJS file, Node 18 and up.
 *
 * 1. A server that listens on a declared address adopts the socket eco bound (http, https, http2, express, fastify,
 *    koa and next all end in net.Server.prototype.listen), and listens on a private one for eco's probes.
 * 2. The stop message arrives as process.on('message') when the daemon sends SIGIO, again without a channel.
 * 3. process.send('ready') reaches eco although there is no IPC channel: a channel would die with the daemon, and
 *    process.send on a dead channel ends the app.
 */

import { fstatSync, writeSync } from 'node:fs'
import net from 'node:net'

type AnyFunction = (this: unknown, ...args: unknown[]) => unknown

interface ListenOptions {
  readonly fd?: number
  readonly handle?: unknown
  readonly path?: string | null
  readonly port?: number | string | null
  readonly host?: string | null
  readonly backlog?: number
  readonly signal?: AbortSignal
}

interface Inherited {
  readonly fd: number
  /** Its place in the declaration, by which its private socket is named. */
  readonly index: number
}

/** What is looked at besides the documented parts; all of it is there in Node 18 to 26. */
interface AnyServer extends net.Server {
  readonly _handle?: { close: AnyFunction } | null
  readonly allowHalfOpen?: boolean
  readonly pauseOnConnect?: boolean
}

interface AnySocket extends net.Socket {
  readonly _handle?: Record<'getsockname' | 'getpeername', (out: object) => number> | null
  server?: net.Server
}

/** Undocumented, and what net.connect and listen use themselves since Node 8. */
interface NetInternals {
  readonly _normalizeArgs: (args: unknown[]) => [ListenOptions, AnyFunction | null]
}

adoptSockets(process.env['ECO_LISTEN'], process.env['ECO_PROBE_DIR'])
forwardReady(process.env['ECO_READY_FD'])
listenForStop(process.env['ECO_STOP_MESSAGE'])

function adoptSockets(declared: string | undefined, privateFolder: string | undefined): void {
  const inherited = new Map<string, Inherited>()
  for (const [index, entry] of (declared?.split(';') ?? []).entries()) {
    const at = entry.indexOf('=')
    const fd = Number(entry.slice(0, at))
    if (at > 0 && isSocket(fd)) inherited.set(entry.slice(at + 1), { fd, index })
  }
  if (inherited.size === 0) return
  const { _normalizeArgs: normalize } = net as unknown as NetInternals
  const prototype = net.Server.prototype as unknown as { listen: AnyFunction }
  const listen = prototype.listen
  prototype.listen = function (this: unknown, ...args: unknown[]) {
    const [options, callback] = normalize(args)
    const key = options.fd == null && options.handle == null ? keyOf(options, inherited) : null
    const socket = key === null ? undefined : inherited.get(key)
    if (key === null || socket === undefined) return listen.apply(this, args)
    // The socket is closed with the server that adopted it, so it is adopted once.
    inherited.delete(key)
    const adopted = { fd: socket.fd, backlog: options.backlog, signal: options.signal }
    const result = callback ? listen.call(this, adopted, callback) : listen.call(this, adopted)
    if (privateFolder) {
      const server = this as AnyServer
      const open = (): void => openPrivateSocket(server, `${privateFolder}/${socket.index}`, listen)
      // A worker of node:cluster listens once its primary has answered.
      if (server._handle) open()
      else server.prependOnceListener('listening', open)
    }
    return result
  }
}

/**
 * Several instances share the declared socket, and the kernel picks who accepts. By this one eco's probes reach this
 * instance and no other: what comes here goes to the server like any connection. Only a running event loop accepts it.
 * The first process of an instance that adopts an address has its private socket; the others do without.
 */
function openPrivateSocket(server: AnyServer, path: string, listen: AnyFunction): void {
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
  handle.close = function (this: unknown, ...args: unknown[]) {
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

/** The declared address that serves what the app asks for: the same port, and a host it would be reached at. */
function keyOf(options: ListenOptions, inherited: ReadonlyMap<string, Inherited>): string | null {
  if (options.path != null) {
    const key = `unix:${options.path}`
    return inherited.has(key) ? key : null
  }
  if (options.port == null || options.port === '' || Number(options.port) === 0) return null
  const port = Number(options.port)
  const host = options.host == null ? '*' : options.host
  const exact = `tcp:${host === '0.0.0.0' || host === '::' ? '*' : host}:${port}`
  if (inherited.has(exact)) return exact
  // Asked for every address, declared for one: the declaration is the operator's word.
  if (exact === `tcp:*:${port}`) {
    for (const key of inherited.keys()) if (key.startsWith('tcp:') && key.endsWith(`:${port}`)) return key
  }
  // Asked for localhost by name, declared for its address.
  if (host === 'localhost') {
    for (const address of ['127.0.0.1', '::1'])
      if (inherited.has(`tcp:${address}:${port}`)) return `tcp:${address}:${port}`
  }
  // An app that wants one address only must not be moved to all of them, unless that is what was declared.
  return inherited.has(`tcp:*:${port}`) ? `tcp:*:${port}` : null
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket()
  } catch {
    return false
  }
}

function forwardReady(fdText: string | undefined): void {
  if (!fdText || process.send) return
  const fd = Number(fdText)
  let told = false
  const send = (message: unknown, ...rest: unknown[]): boolean => {
    if (message === 'ready' && !told) {
      told = true
      try {
        writeSync(fd, 'ready\n')
      } catch {
        // The daemon is gone or has heard it already: nothing the app should die of.
      }
    }
    const callback = rest.find((it) => typeof it === 'function') as ((error: null) => void) | undefined
    if (callback) process.nextTick(callback, null)
    return true
  }
  process.send = send as NonNullable<typeof process.send>
  process.connected = true
  process.disconnect = () => {
    process.connected = false
  }
}

function listenForStop(message: string | undefined): void {
  if (message === undefined) return
  // Not before the app listens: whoever asks it to stop sees by that whether a message would be heard.
  process.on('newListener', function arm(event: string | symbol): void {
    if (event !== 'message') return
    process.off('newListener', arm)
    process.on('SIGIO', () => process.emit('message', JSON.parse(message), undefined))
  })
}
