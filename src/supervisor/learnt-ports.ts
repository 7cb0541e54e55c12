/**
 * Ports that instances of an app were given on request (docs/adr/0016): one socket for each, shared by all.
 * It is closed when no instance uses it any more.
 */

import { isIP } from 'node:net'
import { asksForPorts } from '../model/asks-for-ports.ts'
import type { Listen } from '../model/spec.ts'
import type { AppGroup } from './app-group.ts'
import type { BoundHandle } from './bind-socket.ts'
import { listenKey, type SocketRegister } from './sockets.ts'

const FIRST_UNPRIVILEGED = 1024

/** Forgets those whose sockets are closed. */
export function forgetClosed(group: AppGroup, sockets: SocketRegister): void {
  group.learnt = group.learnt.filter((listen) => sockets.isHeld(listen, group.owner))
}

/**
 * The socket of a port for an instance that asks for it.
 *
 * @returns null: it is not given, and the instance finds out by itself why
 */
export function learnPort(group: AppGroup, wanted: Listen, sockets: SocketRegister): BoundHandle | null {
  try {
    const handle = sockets.handle(wanted, group.owner)
    if (!group.learnt.some((it) => listenKey(it) === listenKey(wanted))) group.learnt = [...group.learnt, wanted]
    return handle
  } catch {
    return null
  }
}

/**
 * What an instance asks for, if it is something that may be given.
 *
 * @param asked whatever the process sent
 * @param user it runs as; null: the daemon's own
 */
export function askedPort({ port, host }: { port?: unknown; host?: unknown }, user: number | null): Listen | null {
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return null
  // Root's right to bind them is not the app's.
  if (user !== null && user !== 0 && port < FIRST_UNPRIVILEGED) return null
  if (host !== null && (typeof host !== 'string' || isIP(host) === 0)) return null
  return { type: 'tcp', host, port }
}

/** Closes the ports that instances have left: the app listens on another one in its new version. */
export function closeUnusedPorts(group: AppGroup, sockets: SocketRegister): void {
  if (group.learnt.length === 0) return
  const staying = group.runners.filter(({ instance }) => instance.wanted === 'up')
  // Where none stay they may have successors yet.
  if (staying.length === 0) return
  const declared = new Set(staying.flatMap(({ spec }) => spec.listen.map(listenKey)))
  group.learnt = group.learnt.filter((listen) => {
    const isDeclared = declared.has(listenKey(listen))
    if (staying.some((runner) => asksForPorts(runner.spec) && runner.mayUse(listen))) return true
    if (!isDeclared) sockets.close(listen, group.owner)
    return false
  })
}
