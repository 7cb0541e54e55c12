/**
 * Which process accepted a connection. Only an answer of the instance's own process tree counts: during a replacement
 * the old instance still answers on the same port, and so may a stranger.
 *
 * tcp: the kernel's table names the socket at the server's end of this very connection, and /proc/PID/fd who holds it.
 * That is exact, and is asked during a start. Later, where the instance was seen to be the only one to listen on the
 * port (listeners.ts), that is enough. unix: the table has no pairs, so the ends that appeared at the path since the
 * connect count; every one of them must be the instance's. All this needs the holder's /proc/PID/fd to be readable (same
 * user, or root). Without /proc every answer counts, and so does one from an address that is not of this machine: there
 * is nobody here to look at.
 */

import { readFileSync, realpathSync } from 'node:fs'
import type { Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { resolve } from 'node:path'
import type { Endpoint } from '../../model/spec.ts'
import { commandOf, descendants, inTree, listeningInodes, sessionMembers, socketHolders } from '../proc.ts'
import type { ProbeSubject } from './attempt.ts'
import { descriptorsOf, listensOn } from './listeners.ts'
import { findConnection, SYN_RECEIVED } from './tcp-table.ts'

/**
 * `pending`: nobody accepted it yet, or its end is closed already.
 * `shared`: somebody else did, on a socket or a port that the instance listens on too; `by` is not always known.
 * `stranger`: somebody else did, and the instance does not listen there.
 */
export type Acceptor =
  | { readonly type: 'own' | 'pending' }
  | { readonly type: 'shared' | 'stranger'; readonly by: string | null }

/** @param isLast nothing is tried after this connection: find out, whatever it costs */
export type AcceptorWatch = (socket: Socket, isLast: boolean) => Acceptor

const OWN: Acceptor = { type: 'own' }
const PENDING: Acceptor = { type: 'pending' }
/** For how long the instance may leave a connection that others could accept as well. Milliseconds. */
const OTHERS_MS = 8

/** Prepares to ask who accepts a connection that is about to be made. @returns the question, to be asked again and again */
export function watchAcceptor(endpoint: Endpoint, { pid, cwd, isStarting }: ProbeSubject): AcceptorWatch {
  if (process.platform !== 'linux') return () => OWN
  if (endpoint.type === 'unix') {
    const before = new Set(acceptedAt(endpoint.path, cwd))
    return () => unixAcceptor(endpoint.path, cwd, before, pid)
  }
  const listens = listensOn(endpoint.port, pid)
  if (listens === 'alone' && !isStarting) return () => OWN
  if (listens !== 'shared') return (socket) => tcpAcceptor(socket, pid)
  const startedAt = performance.now()
  const before = new Set(socketsOf(pid))
  return (socket, isLast) => {
    // Looking for a new socket of the instance costs a hundredth of what the kernel's table costs.
    if (isLast || socketsOf(pid).some((link) => !before.has(link))) return tcpAcceptor(socket, pid)
    return performance.now() - startedAt < OTHERS_MS ? PENDING : { type: 'shared', by: null }
  }
}

/**
 * Whether an answer counts whose connection was closed before anybody could look at it: only when all who listen there
 * belong to the instance.
 */
export function isOnlyListener(endpoint: Endpoint, { pid, cwd }: ProbeSubject): boolean {
  if (process.platform !== 'linux') return true
  const inodes = endpoint.type === 'tcp' ? listeningInodes(endpoint.port) : listenersAt(endpoint.path, cwd)
  const holders = new Set(inodes.flatMap((inode) => socketHolders(inode)))
  holders.delete(process.pid) // the daemon holds the sockets of listen, and never accepts
  return holders.size > 0 && [...holders].every((holder) => inTree(holder, pid))
}

function tcpAcceptor(socket: Socket, pid: number): Acceptor {
  const { localAddress, localPort, remoteAddress, remotePort } = socket
  if (localAddress === undefined || localPort === undefined || remotePort === undefined) return PENDING
  const row = findConnection(remotePort, localAddress, localPort)
  if (row === null) return remoteAddress !== undefined && isOfThisMachine(remoteAddress) ? PENDING : OWN
  if (row.inode !== '0') return judge([row.inode], pid, () => listeningInodes(remotePort))
  // A server that wants to see data before it accepts (TCP_DEFER_ACCEPT: Apache, nginx's `deferred`).
  if (row.state === SYN_RECEIVED && holdsAny(listeningInodes(remotePort), pid)) return OWN
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
  return { type, by: `pid ${holder} (${commandOf(holder) ?? 'unknown command'})` }
}

/** The instance itself first: it is cheap to look at, and nearly always the one. */
function holdsAny(inodes: readonly string[], pid: number): boolean {
  if (inodes.length === 0) return false
  const near = [pid, ...descendants(pid)]
  if (inodes.some((inode) => socketHolders(inode, near).length > 0)) return true
  const far = sessionMembers(pid, false).filter((member) => !near.includes(member))
  return inodes.some((inode) => socketHolders(inode, far).length > 0)
}

function socketsOf(pid: number): string[] {
  return [pid, ...descendants(pid)].flatMap((one) =>
    [...descriptorsOf(one)].filter((link) => link.startsWith('socket:')),
  )
}

export function isOfThisMachine(address: string): boolean {
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
  for (const line of readText('/proc/net/unix').split('\n')) {
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

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
