/** Which sockets are bound to which address, by /proc/net. */

import { readFileSync, readlinkSync } from 'node:fs'
import net from 'node:net'
import { endianness } from 'node:os'
import type { Listen } from '../../model/spec.ts'
import type { BoundHandle } from '../bind-socket.ts'

const LISTENS = '0A'
const CONNECTED = '03'

/** One look at the sockets of the machine. Each part is read when it is first asked for, and once. */
export class SocketTable {
  #tcp: ReadonlyMap<string, readonly string[]> | undefined
  #unix: ReadonlyMap<string, string> | undefined

  /** Inodes of the sockets that listen at this very address. */
  listening(listen: Listen): readonly string[] {
    if (listen.type === 'unix') {
      return [...(this.#unix ??= readUnix())].flatMap(([inode, path]) => (path === listen.path ? [inode] : []))
    }
    this.#tcp ??= readTcp()
    return addressesOf(listen).flatMap((address) => this.#tcp?.get(`${hexOf(address)}:${hexPort(listen.port)}`) ?? [])
  }

  /**
   * Whether a socket that somebody sent is bound to this very address, and no connection.
   *
   * @param told its path, by who sent it: believed where the system does not say
   */
  isAt(handle: BoundHandle & PeerHandle, listen: Listen, told: string): boolean {
    const isTcp = handle.getsockname !== undefined
    if (listen.type === 'unix') return !isTcp && this.#unixPath(handle, told) === listen.path
    const name: { address?: string; port?: number } = {}
    if (!isTcp || handle.getsockname?.(name) !== 0 || handle.getpeername?.({}) === 0) return false
    return name.port === listen.port && addressesOf(listen).includes(plain(name.address ?? ''))
  }

  #unixPath(handle: BoundHandle, told: string): string | null {
    if (process.platform !== 'linux') return told
    this.#unix ??= readUnix()
    return this.#unix.get(inodeOf(`/proc/self/fd/${handle.fd}`) ?? '') ?? null
  }
}

interface PeerHandle {
  getpeername?(into: object): number
}

/** The inode of a descriptor; null: it is no socket, or closed. */
export function inodeOf(link: string): string | null {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1] ?? null
  } catch {
    return null
  }
}

/** What an address is bound to: as bind-socket.ts has it. */
function addressesOf({ host }: Extract<Listen, { type: 'tcp' }>): readonly string[] {
  if (host === null) return ['::', '0.0.0.0']
  return [host === 'localhost' ? '127.0.0.1' : plain(host)]
}

/** `0:0::1` is `::1`. */
function plain(address: string): string {
  const version = net.isIP(address)
  return version === 0 ? address : new net.SocketAddress({ address, family: version === 6 ? 'ipv6' : 'ipv4' }).address
}

/** Words of 32 bits, in the order of bytes that the machine has. */
function hexOf(address: string): string {
  const bytes = net.isIPv6(address) ? bytesOfV6(address) : address.split('.').map(Number)
  const words: string[] = []
  for (let at = 0; at < bytes.length; at += 4) {
    const word = bytes.slice(at, at + 4).map((byte) => byte.toString(16).padStart(2, '0'))
    words.push((endianness() === 'LE' ? word.reverse() : word).join(''))
  }
  return words.join('').toUpperCase()
}

function bytesOfV6(address: string): number[] {
  const v4 = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const text = v4
    ? `${v4[1]}${((Number(v4[2]) << 8) | Number(v4[3])).toString(16)}:${((Number(v4[4]) << 8) | Number(v4[5])).toString(16)}`
    : address
  const [head = '', tail] = text.split('::')
  const words = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16))
  const [before, after] = [words(head), words(tail ?? '')]
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => 0)
  return [...before, ...zeros, ...after].flatMap((word) => [word >> 8, word & 0xff])
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0')
}

/** Inodes by `ADDRESS:PORT`, in hexadecimal. */
function readTcp(): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const line of [...linesOf('/proc/net/tcp'), ...linesOf('/proc/net/tcp6')]) {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
    if (state === LISTENS) found.set(local, [...(found.get(local) ?? []), inode])
  }
  return found
}

/** Paths by inode, of sockets that listen, or are bound only. Those of accepted connections have the same path. */
function readUnix(): Map<string, string> {
  const found = new Map<string, string>()
  for (const line of linesOf('/proc/net/unix')) {
    const match = /^\S+ \S+ \S+ \S+ \S+ (\S+) +(\d+) (\/.*)$/.exec(line)
    if (match && match[1] !== CONNECTED) found.set(match[2] ?? '', match[3] ?? '')
  }
  return found
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(1)
  } catch {
    return []
  }
}
