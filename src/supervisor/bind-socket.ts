/** Binds an address without listening on it. */

import { constants, lstatSync, mkdirSync, readFileSync, unlinkSync } from 'node:fs'
import net from 'node:net'
import { dirname } from 'node:path'
import { getSystemErrorName } from 'node:util'
import { EcoError } from '../errors.ts'
import type { Listen } from '../model/spec.ts'
import { isUnixSocketServed, portHolder } from './proc.ts'
import { fitSocketFile } from './socket-file.ts'

/**
 * Undocumented but stable from Node 20 to 26: binds without listening, which no public API of Node 20 or 22 can.
 * Node 24's net.BoundSocket is its documented successor.
 */
export interface BoundHandle {
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

/** @throws EcoError GUARD saying why it cannot be bound, and who has it */
export function bindSocket(listen: Listen): BoundHandle {
  return listen.type === 'tcp' ? bindTcp(listen) : bindUnix(listen)
}

/**
 * A socket that another process bound, by the descriptor that came with the start of this one. The descriptor belongs to
 * the handle from now on. Whether calls on the socket block stays as whoever holds it relies on.
 */
export function openSocket(fd: number): BoundHandle {
  const blocks = doesBlock(fd)
  // With a descriptor Node insists on no address and no port.
  const handle = createServerHandle('', 0, -1, fd)
  if (typeof handle === 'number')
    throw new EcoError('GUARD', `Cannot use descriptor ${fd}: ${getSystemErrorName(handle)}.`)
  // libuv has changed it for all who share the socket.
  if (blocks) handle.setBlocking(true)
  return handle
}

/** False where there is no /proc to tell. */
function doesBlock(fd: number): boolean {
  try {
    const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
    return flags !== undefined && (Number.parseInt(flags, 8) & constants.O_NONBLOCK) === 0
  } catch {
    return false
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

function bindUnix(listen: Extract<Listen, { type: 'unix' }>): BoundHandle {
  const { path } = listen
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
  try {
    // Nobody can connect yet: it does not listen.
    fitSocketFile(listen)
  } catch (error) {
    handle.close()
    removeSocketFile(path)
    throw error
  }
  return handle
}

/** Only a socket is removed: a file of the user's that stands in its place makes the bind fail instead. */
export function removeSocketFile(path: string): void {
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
