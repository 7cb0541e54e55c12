/**
 * The listening sockets that apps declare. The daemon binds each once and never accepts on it; every instance inherits
 * the same file descriptor, so a port stays bound while instances come and go (docs/adr/0003).
 */

import { lstatSync, mkdirSync, unlinkSync } from 'node:fs'
import net from 'node:net'
import { dirname } from 'node:path'
import { getSystemErrorName } from 'node:util'
import { EcoError } from '../errors.ts'
import { overlaps } from '../model/listen.ts'
import type { Listen } from '../model/spec.ts'
import { isUnixSocketServed, portHolder } from './proc.ts'

/**
 * Undocumented but stable from Node 20 to 26: binds without listening, which no public API of Node 20 or 22 can.
 * Node 24's net.BoundSocket is its documented successor.
 */
interface BoundHandle {
  readonly fd: number
  /** Also of every process that inherited the socket: the mode belongs to the open file description. */
  setBlocking(blocking: boolean): number
  getsockname?(into: object): number
  close(): void
}
type CreateServerHandle = (
  address: string,
  port: number,
  type: 4 | 6 | -1,
  fd?: number,
  flags?: number,
) => BoundHandle | number

const createServerHandle = (net as unknown as { _createServerHandle: CreateServerHandle })._createServerHandle

/** UV_TCP_REUSEPORT, from Node 22.12 on (20 ignores it): a daemon that follows can bind beside living instances. */
const REUSE_PORT = 2

interface Bound {
  readonly listen: Listen
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
    this.#bound.set(key, { listen, handle, owner })
    return handle.fd
  }

  /** systemd hands over sockets in blocking mode, and a plain accept loop relies on it. Node sets its own mode. */
  makeBlocking(listen: Listen): void {
    this.#bound.get(listenKey(listen))?.handle.setBlocking(true)
  }

  /** The app that holds an address overlapping this one: `0.0.0.0:3000` overlaps `127.0.0.1:3000`. */
  ownerOf(listen: Listen): string | null {
    for (const bound of this.#bound.values()) if (overlaps(bound.listen, listen)) return bound.owner
    return null
  }

  /** Makes another app the owner of a bound address; the socket stays open. */
  handOver(listen: Listen, owner: string): void {
    const bound = this.#bound.get(listenKey(listen))
    if (bound) this.#bound.set(listenKey(listen), { ...bound, owner })
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
  const host = listen.host === 'localhost' ? '127.0.0.1' : listen.host
  if (host !== null && net.isIP(host) === 0) {
    throw new EcoError('GUARD', `Cannot bind ${host}:${listen.port}: ${host} is not an IP address.`)
  }
  const addresses = host === null ? ['::', '0.0.0.0'] : [host]
  let failure = ''
  for (const address of addresses) {
    const handle = createServerHandle(address, listen.port, net.isIPv6(address) ? 6 : 4, undefined, REUSE_PORT)
    failure = bindFailure(handle)
    if (typeof handle !== 'number') {
      if (failure === '') return handle
      handle.close()
    }
    if (failure !== 'EAFNOSUPPORT' && failure !== 'EINVAL' && failure !== 'EADDRNOTAVAIL') break
  }
  throw bindError(`port ${listen.port}`, failure, listen.port)
}

/**
 * The error of a bind, '' when there was none. libuv keeps EADDRINUSE back until the next call on the socket; not asked
 * for, it would surface as an app that listens on a random port.
 */
function bindFailure(handle: BoundHandle | number): string {
  const status = typeof handle === 'number' ? handle : (handle.getsockname?.({}) ?? 0)
  return status === 0 ? '' : getSystemErrorName(status)
}

function bindUnix(path: string): BoundHandle {
  if (Buffer.byteLength(path) > 107) {
    throw new EcoError('GUARD', `The socket path ${path} is too long: the system allows 107 bytes.`)
  }
  mkdirSync(dirname(path), { recursive: true })
  if (isUnixSocketServed(path)) {
    throw new EcoError('GUARD', `${path} is in use: another process listens on it.`, {
      hint: 'stop it (ss -xlp shows who it is), or choose another path',
    })
  }
  removeSocketFile(path)
  const handle = createServerHandle(path, -1, -1)
  if (typeof handle === 'number') throw bindError(path, getSystemErrorName(handle), null)
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
    return new EcoError(
      'GUARD',
      `Permission denied to listen on ${what}: ports below 1024 need root or CAP_NET_BIND_SERVICE.`,
      {
        hint: `choose a port from 1024 up, or allow it: sysctl net.ipv4.ip_unprivileged_port_start=${port}`,
      },
    )
  }
  return new EcoError('GUARD', `Cannot bind ${what}: ${code}.`)
}
