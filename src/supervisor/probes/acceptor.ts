/**
 * Which process accepted a connection. Only an answer of the instance's own process tree counts: during a replacement
 * the old instance still answers on the same port, and so may a stranger.
 *
 * tcp: the kernel's table names the socket at the server's end of this very connection, and /proc/PID/fd who holds it.
 * That is exact. unix: the table has no pairs, so the ends that appeared at the path since the connect count; every one
 * of them must be the instance's. Both need the holder's /proc/PID/fd to be readable (same user, or root). Without /proc
 * every answer counts, and so does one from an address that is not of this machine: there is nobody here to look at.
 */

import { readFileSync, realpathSync } from 'node:fs'
import { isIPv4, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { resolve } from 'node:path'
import type { Endpoint } from '../../model/spec.ts'
import { commandOf, descendants, inTree, sessionMembers, socketHolders } from '../proc.ts'

/**
 * `pending`: nobody accepted it yet, or its end is closed already.
 * `shared`: somebody else did, on a socket or a port that the instance listens on too.
 * `stranger`: somebody else did, and the instance does not listen there.
 */
export type Acceptor =
  | { readonly type: 'own' | 'pending' }
  | { readonly type: 'shared' | 'stranger'; readonly pid: number; readonly command: string }

const OWN: Acceptor = { type: 'own' }
const PENDING: Acceptor = { type: 'pending' }
const LISTENING = '0A'
const SYN_RECEIVED = '03'

/** Prepares to ask who accepts a connection that is about to be made. @returns the question, to be asked again and again */
export function watchAcceptor(endpoint: Endpoint, pid: number, cwd: string): (socket: Socket) => Acceptor {
  if (process.platform !== 'linux') return () => OWN
  if (endpoint.type === 'tcp') return (socket) => tcpAcceptor(socket, pid)
  const before = new Set(acceptedAt(endpoint.path, cwd))
  return () => unixAcceptor(endpoint.path, cwd, before, pid)
}

/**
 * Whether an answer counts whose connection was closed before anybody could look at it: only when all who listen there
 * belong to the instance.
 */
export function isOnlyListener(endpoint: Endpoint, pid: number, cwd: string): boolean {
  if (process.platform !== 'linux') return true
  const inodes = endpoint.type === 'tcp' ? tcpListeners(endpoint.port) : listenersAt(endpoint.path, cwd)
  const holders = new Set(inodes.flatMap((inode) => socketHolders(inode)))
  holders.delete(process.pid) // the daemon holds the sockets of listen, and never accepts
  return holders.size > 0 && [...holders].every((holder) => inTree(holder, pid))
}

function tcpAcceptor(socket: Socket, pid: number): Acceptor {
  const { localAddress, localPort, remoteAddress, remotePort } = socket
  if (localAddress === undefined || localPort === undefined || remotePort === undefined) return PENDING
  const row = tcpRow(remotePort, localAddress, localPort)
  if (row === null) return remoteAddress !== undefined && isOfThisMachine(remoteAddress) ? PENDING : OWN
  if (row.inode !== '0') return judge([row.inode], pid, () => tcpListeners(remotePort))
  // A server that wants to see data before it accepts (TCP_DEFER_ACCEPT: Apache, nginx's `deferred`).
  if (row.state === SYN_RECEIVED && holdsAny(tcpListeners(remotePort), pid)) return OWN
  return PENDING
}

function unixAcceptor(path: string, cwd: string, before: ReadonlySet<string>, pid: number): Acceptor {
  const fresh = acceptedAt(path, cwd).filter((inode) => !before.has(inode))
  return fresh.length === 0 ? PENDING : judge(fresh, pid, () => listenersAt(path, cwd))
}

function judge(inodes: readonly string[], pid: number, listeners: () => string[]): Acceptor {
  const others = inodes.filter((inode) => !holdsAny([inode], pid))
  if (others.length === 0) return OWN
  const holder = others.flatMap((inode) => socketHolders(inode))[0]
  if (holder === undefined) return PENDING // closed meanwhile
  const type = holdsAny(listeners(), pid) ? 'shared' : 'stranger'
  return { type, pid: holder, command: commandOf(holder) ?? 'unknown command' }
}

/** The instance itself first: it is cheap to look at, and nearly always the one. */
function holdsAny(inodes: readonly string[], pid: number): boolean {
  if (inodes.length === 0) return false
  const near = [pid, ...descendants(pid)]
  if (inodes.some((inode) => socketHolders(inode, near).length > 0)) return true
  const far = sessionMembers(pid, false).filter((member) => !near.includes(member))
  return inodes.some((inode) => socketHolders(inode, far).length > 0)
}

interface TcpRow {
  readonly state: string
  readonly inode: string
}

/** The server's end of a connection. The client's address matters: another machine may use the same port number. */
function tcpRow(serverPort: number, clientAddress: string, clientPort: number): TcpRow | null {
  const ends = isIPv4(clientAddress)
    ? { tcp: v4Hex(clientAddress), tcp6: `0000000000000000FFFF0000${v4Hex(clientAddress)}` }
    : { tcp: null, tcp6: v6Hex(clientAddress) }
  for (const table of ['tcp', 'tcp6'] as const) {
    const end = ends[table]
    if (end === null) continue
    const remote = `${end}:${portHex(clientPort)}`
    const found = rowPattern(portHex(serverPort), remote, '[0-9A-F]{2}').exec(readTable(`/proc/net/${table}`))
    if (found) return { state: found[1] ?? '', inode: found[2] ?? '0' }
  }
  return null
}

function tcpListeners(port: number): string[] {
  const pattern = rowPattern(portHex(port), '[0-9A-F]+:0000', LISTENING)
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) =>
    [...readTable(table).matchAll(new RegExp(pattern, 'g'))].map((row) => row[2] ?? '0'),
  )
}

/** Local address, remote address, state, queues, timer, retransmits, uid, timeout, inode (proc_net_tcp.rst). */
function rowPattern(localPort: string, remote: string, state: string): RegExp {
  return new RegExp(`:${localPort} ${remote} (${state}) \\S+ \\S+ \\S+ +\\d+ +\\d+ (\\d+)`)
}

function portHex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0')
}

/** The kernel prints addresses as 32-bit words in the byte order of the machine. */
function v4Hex(address: string): string {
  return wordHex(address.split('.').map(Number))
}

function v6Hex(address: string): string {
  const [text = ''] = address.split('%')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)
  if (mapped) return `0000000000000000FFFF0000${v4Hex(mapped[1] ?? '')}`
  const [head = '', tail] = text.split('::')
  const groups = (part: string): string[] => part.split(':').filter(Boolean)
  const front = groups(head)
  const back = tail === undefined ? [] : groups(tail)
  const all = [...front, ...Array<string>(8 - front.length - back.length).fill('0'), ...back]
  const bytes = all.map((group) => Number.parseInt(group, 16)).flatMap((group) => [group >> 8, group & 255])
  return [0, 4, 8, 12].map((at) => wordHex(bytes.slice(at, at + 4))).join('')
}

function wordHex(bytes: readonly number[]): string {
  return bytes
    .toReversed()
    .map((byte) => byte.toString(16).toUpperCase().padStart(2, '0'))
    .join('')
}

function isOfThisMachine(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, '')
  if (plain.startsWith('127.') || plain === '::1') return true
  return Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === plain))
}

/** Inodes of the server's ends at a unix socket's path that somebody has accepted. */
function acceptedAt(path: string, cwd: string): string[] {
  return unixRows(path, cwd).flatMap(({ listens, inode }) => (listens || inode === '0' ? [] : [inode]))
}

function listenersAt(path: string, cwd: string): string[] {
  return unixRows(path, cwd).flatMap(({ listens, inode }) => (listens ? [inode] : []))
}

function unixRows(path: string, cwd: string): { listens: boolean; inode: string }[] {
  const ACCEPTS = '00010000' // __SO_ACCEPTCON
  const real = realPath(path)
  const rows: { listens: boolean; inode: string }[] = []
  for (const line of readTable('/proc/net/unix').split('\n')) {
    // Address, references, protocol, flags, type, state, inode, and the path as it was given to bind.
    const [, flags, inode, bound] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +(\d+) (.+)$/.exec(line) ?? []
    if (bound === undefined || inode === undefined) continue
    if (bound === path || bound === real || resolve(cwd, bound) === real)
      rows.push({ listens: flags === ACCEPTS, inode })
  }
  return rows
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function readTable(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
