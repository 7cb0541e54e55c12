/**
 * Loaded by `node --require` into supervised Node.js apps that declare `listen`, or that say when they are ready.
 * No dependencies, no output, nothing that an app could notice; built to one CommonJS file, Node 18 and up.
 *
 * 1. A server that listens on a declared address adopts the socket eco bound (http, https, http2, express, fastify,
 *    koa and next all end in net.Server.prototype.listen).
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

/** Undocumented, and what net.connect and listen use themselves since Node 8. */
interface NetInternals {
  readonly _normalizeArgs: (args: unknown[]) => [ListenOptions, AnyFunction | null]
}

adoptSockets(process.env['ECO_LISTEN'])
forwardReady(process.env['ECO_READY_FD'])
listenForStop(process.env['ECO_STOP_MESSAGE'])

function adoptSockets(declared: string | undefined): void {
  const inherited = new Map<string, number>()
  for (const entry of declared?.split(';') ?? []) {
    const at = entry.indexOf('=')
    const fd = Number(entry.slice(0, at))
    if (at > 0 && isSocket(fd)) inherited.set(entry.slice(at + 1), fd)
  }
  if (inherited.size === 0) return
  const { _normalizeArgs: normalize } = net as unknown as NetInternals
  const prototype = net.Server.prototype as unknown as { listen: AnyFunction }
  const listen = prototype.listen
  prototype.listen = function (this: unknown, ...args: unknown[]) {
    const [options, callback] = normalize(args)
    const key = options.fd == null && options.handle == null ? keyOf(options, inherited) : null
    if (key === null) return listen.apply(this, args)
    const fd = inherited.get(key)
    // The socket is closed with the server that adopted it, so it is adopted once.
    inherited.delete(key)
    const adopted = { fd, backlog: options.backlog, signal: options.signal }
    return callback ? listen.call(this, adopted, callback) : listen.call(this, adopted)
  }
}

/** The declared address that serves what the app asks for: the same port, and a host it would be reached at. */
function keyOf(options: ListenOptions, inherited: ReadonlyMap<string, number>): string | null {
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
