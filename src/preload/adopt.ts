import { fstatSync } from 'node:fs'
import type { Listen, ListenCall, Route } from './listen.ts'
import type { AnyServer, ListenHandle, ListenOptions } from './node-internals.ts'
import { openPrivateSocket } from './private-socket.ts'

interface Inherited {
  readonly fd: number
  /** Its place in the declaration, by which its private socket is named. */
  readonly index: number
  /** Declared, where it is: instead of what the app asks for. */
  readonly backlog: number | undefined
}

/** Makes a server listen on a socket: an inherited descriptor, or a handle that was sent. */
export type Adopt = (call: ListenCall, socket: number | ListenHandle, listen: Listen) => void

/**
 * A server that listens on a declared address adopts the socket that eco bound.
 *
 * @param declared ECO_LISTEN: `20=tcp:*:3000;21,1024=unix:/run/app.sock`, the latter with a backlog
 * @param folder of the private sockets
 * @returns null: there is nothing to adopt
 */
export function adoption(declared: string | undefined, folder: string | undefined, adopt: Adopt): Route | null {
  const inherited = inheritedSockets(declared)
  if (inherited.size === 0) return null
  return (call, listen) => {
    const { server, options } = call
    const key = options.fd == null && options.handle == null ? keyOf(options, inherited) : null
    const socket = key === null ? undefined : inherited.get(key)
    if (key === null || socket === undefined) return false
    // The socket is closed with the server that adopted it, so it is adopted once.
    inherited.delete(key)
    adopt(socket.backlog === undefined ? call : { ...call, backlog: socket.backlog }, socket.fd, listen)
    if (typeof options.path === 'string') server._pipeName = options.path // what its address() tells
    if (folder) openDoor(server, `${folder}/${socket.index}`, listen)
    return true
  }
}

export const adoptAtOnce: Adopt = ({ server, options, backlog, callback }, socket, listen) => {
  const adopted = typeof socket === 'number' ? { fd: socket, signal: options.signal } : { handle: socket }
  // The backlog of a descriptor counts only as an argument of its own.
  const args = backlog === undefined ? [adopted] : [adopted, backlog]
  listen.apply(server, callback ? [...args, callback] : args)
}

/** By key. */
function inheritedSockets(listed: string | undefined): Map<string, Inherited> {
  const inherited = new Map<string, Inherited>()
  for (const [index, entry] of (listed?.split(';') ?? []).entries()) {
    const at = entry.indexOf('=')
    const [fd = NaN, backlog] = entry.slice(0, at).split(',').map(Number)
    if (at > 0 && isSocket(fd)) inherited.set(entry.slice(at + 1), { fd, index, backlog })
  }
  return inherited
}

/** @param path of the private socket of a server that was made to listen */
export function openDoor(server: AnyServer, path: string, listen: Listen): void {
  const open = (): void => openPrivateSocket(server, path, listen)
  // A worker of node:cluster listens once its primary has answered.
  if (server._handle) open()
  else server.prependOnceListener('listening', open)
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
