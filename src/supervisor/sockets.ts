/**
 * The listening sockets that apps declare. The daemon binds each once and never accepts on it; every instance inherits
 * the same file descriptor, so a port stays bound while instances come and go (docs/adr/0003).
 */

import { lstatSync, mkdirSync, unlinkSync } from 'node:fs'
import net from 'node:net'
import { dirname } from 'node:path'
import { getSystemErrorName } from 'node:util'
import { EcoError } from '../errors.ts'
import type { Listen } from '../model/spec.ts'
import { portHolder } from './proc.ts'

/**
 * Undocumented but stable from Node 20 to 26: binds without listening, which no public API of Node 20 or 22 can.
 * Node 24's net.BoundSocket is its documented successor.
 */
interface BoundHandle {
  readonly fd: number
  close(): void
}
type CreateServerHandle = (address: string, port: number, type: 4 | 6 | -1, fd?: number, flags?: number) => BoundHandle | number

const createServerHandle = (net as unknown as { _createServerHandle: CreateServerHandle })._createServerHandle

interface Bound {
  readonly handle: BoundHandle
  readonly owner: string
}

/** `tcp:*:3000`, `tcp:127.0.0.1:3000`, `unix:/run/api.sock`: the key by which an instance finds its descriptor. */
export function listenKey(listen: Listen): string {
  return listen.type === 'tcp' ? `tcp:${listen.host ?? '*'}:${listen.port}` : `unix:${listen.path}`
}

/** The daemon's register of bound sockets, by address. */
export class SocketRegister {
  readonly #bound = new Map<string, Bound>()

  /**
   * The descriptor for an address, bound now if it is not yet.
   *
   * @param owner full name of the app: `shop/production/api`
   * @throws EcoError GUARD naming who holds the address
   */
  acquire(listen: Listen, owner: string): number {
    const key = listenKey(listen)
    const known = this.#bound.get(key)
    if (known) {
      if (known.owner !== owner) throw this.#conflict(key, known.owner, owner)
      return known.handle.fd
    }
    const other = this.ownerOf(listen)
    if (other !== null && other !== owner) throw this.#conflict(key, other, owner)
    const handle = listen.type === 'tcp' ? bindTcp(listen) : bindUnix(listen.path)
    this.#bound.set(key, { handle, owner })
    return handle.fd
  }

  /** The app that holds an address overlapping this one: `0.0.0.0:3000` overlaps `127.0.0.1:3000`. */
  ownerOf(listen: Listen): string | null {
    for (const [key, bound] of this.#bound) {
      if (key === listenKey(listen)) return bound.owner
      if (listen.type !== 'tcp' || !key.startsWith('tcp:') || !key.endsWith(`:${listen.port}`)) continue
      const host = key.slice(4, key.length - `:${listen.port}`.length)
      if (host === '*' || listen.host === null) return bound.owner
    }
    return null
  }

  /** Closes the sockets of an app that are not in `keep`. */
  release(owner: string, keep: readonly Listen[] = []): void {
    const kept = new Set(keep.map(listenKey))
    for (const [key, bound] of this.#bound) {
      if (bound.owner !== owner || kept.has(key)) continue
      bound.handle.close()
      this.#bound.delete(key)
      if (key.startsWith('unix:')) removeSocketFile(key.slice('unix:'.length))
    }
  }

  #conflict(key: string, holder: string, owner: string): EcoError {
    return new EcoError('GUARD', `${owner} declares ${key}, which belongs to ${holder}.`, {
      hint: 'give one of them another address; "eco ls" shows who listens where',
    })
  }
}

function bindTcp(listen: Extract<Listen, { type: 'tcp' }>): BoundHandle {
  // Without a host Node listens on :: (both families), and on 0.0.0.0 where there is no IPv6: the same here.
  const attempts: [string, 4 | 6][] =
    listen.host === null ? [['::', 6], ['0.0.0.0', 4]] : [[listen.host, net.isIPv6(listen.host) ? 6 : 4]]
  let failure: number | BoundHandle = 0
  for (const [address, type] of attempts) {
    failure = createServerHandle(address, listen.port, type)
    if (typeof failure !== 'number') return failure
    if (errorName(failure) !== 'EAFNOSUPPORT' && errorName(failure) !== 'EINVAL' && errorName(failure) !== 'EADDRNOTAVAIL') break
  }
  throw bindError(`port ${listen.port}`, errorName(failure), listen.port)
}

function bindUnix(path: string): BoundHandle {
  if (Buffer.byteLength(path) > 107) {
    throw new EcoError('GUARD', `The socket path ${path} is too long: the system allows 107 bytes.`)
  }
  mkdirSync(dirname(path), { recursive: true })
  removeSocketFile(path)
  const handle = createServerHandle(path, -1, -1)
  if (typeof handle === 'number') throw bindError(path, errorName(handle), null)
  return handle
}

/** Only a socket is removed: a file of the user's that stands in its place makes the bind fail instead. */
function removeSocketFile(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path)
  } catch {
    // Not there: nothing to remove.
  }
}

function bindError(what: string, code: string, port: number | null): EcoError {
  if (code === 'EADDRINUSE' && port !== null) {
    const { pid, command } = portHolder(port)
    const who = pid === null ? 'another process' : `pid ${pid} (${command ?? 'unknown command'})`
    const hint = pid === null ? 'stop it, or choose another port' : `stop it (kill ${pid}), or choose another port`
    return new EcoError('GUARD', `Port ${port} is in use by ${who}.`, { hint })
  }
  if (code === 'EACCES' && port !== null) {
    return new EcoError('GUARD', `Permission denied to listen on ${what}: ports below 1024 need root or CAP_NET_BIND_SERVICE.`, {
      hint: `choose a port from 1024 up, or allow it: sysctl net.ipv4.ip_unprivileged_port_start=${port}`,
    })
  }
  return new EcoError('GUARD', `Cannot bind ${what}: ${code}.`)
}

function errorName(code: number | BoundHandle): string {
  return typeof code === 'number' ? getSystemErrorName(code) : ''
}
