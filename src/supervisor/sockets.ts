/**
 * The listening sockets that apps declare. The daemon binds each once and never accepts on it; every instance inherits
 * the same file descriptor, so a port stays bound while instances come and go (docs/adr/0003).
 */

import { EcoError } from '../errors.ts'
import { overlaps } from '../model/listen.ts'
import type { Listen } from '../model/spec.ts'
import { type BoundHandle, bindSocket, removeSocketFile } from './bind-socket.ts'
import { listenAhead, USUAL_BACKLOG } from './listen-ahead.ts'
import { fitSocketFile, isSameFile } from './socket-file.ts'

interface Bound {
  /** As it is in force. */
  listen: Listen
  readonly handle: BoundHandle
  owner: string
  /** A process has been started with it, so its mode may be as that one needs it. */
  isGiven: boolean
  /** The backlog it was made to listen with before anybody adopted it; null: whoever adopts it does. */
  backlog: number | null
  /** While it is made to listen. */
  listening: Promise<void> | null
}

export interface SystemdSockets {
  /** Other processes of the app run. */
  readonly hasSiblings: boolean
  /** Its program relies on calls that block, as those of systemd do by default. */
  readonly blocks: boolean
}

/** `tcp:*:3000`, `tcp:127.0.0.1:3000`, `unix:/run/api.sock`: the key by which an instance finds its descriptor. */
export function listenKey(listen: Listen): string {
  return listen.type === 'tcp' ? `tcp:${listen.host ?? '*'}:${listen.port}` : `unix:${listen.path}`
}

/** The daemon's register of bound sockets, by address. */
export class SocketRegister {
  readonly #bound = new Map<string, Bound>()

  /**
   * The descriptor for an address, bound now if it is not yet. The file of a unix socket gets the mode and the owner that
   * are declared now; who holds the socket, and who is connected, does not notice.
   *
   * @param owner full name of the app: `shop/production/api`
   * @throws EcoError GUARD naming who holds the address
   */
  acquire(listen: Listen, owner: string): number {
    const key = listenKey(listen)
    const known = this.#bound.get(key)
    if (known) {
      if (known.owner !== owner) throw this.#conflict(key, known.owner, owner)
      refit(known, listen)
      return known.handle.fd
    }
    const other = this.ownerOf(listen)
    if (other !== null && other !== owner) throw this.#conflict(key, other, owner)
    const handle = other === null ? bindSocket(listen) : bindBeside(listen, owner)
    this.#bound.set(key, { listen, handle, owner, isGiven: false, backlog: null, listening: null })
    return handle.fd
  }

  /** The socket of an address itself, to be sent to a process; as `acquire`. */
  handle(listen: Listen, owner: string): BoundHandle {
    this.give(listen, owner)
    const bound = this.#bound.get(listenKey(listen))
    if (!bound) throw new Error(`Internal error: ${listenKey(listen)} is not bound`)
    return bound.handle
  }

  /**
   * Takes a socket in that is bound already: a daemon before this one made it, and instances may hold it. It counts as
   * given to a process.
   */
  takeIn(listen: Listen, owner: string, handle: BoundHandle): void {
    const key = listenKey(listen)
    if (this.#bound.has(key)) return handle.close()
    this.#bound.set(key, { listen, handle, owner, isGiven: true, backlog: null, listening: null })
  }

  /** Every bound socket, for whoever takes them over. */
  *all(): Generator<{ readonly listen: Listen; readonly owner: string; readonly handle: BoundHandle }> {
    for (const { listen, owner, handle } of this.#bound.values()) yield { listen, owner, handle }
  }

  isHeld(listen: Listen, owner: string): boolean {
    return this.#bound.get(listenKey(listen))?.owner === owner
  }

  /** The declaration that is in force for an address; null: it is not bound. */
  inForce(listen: Listen): Listen | null {
    return this.#bound.get(listenKey(listen))?.listen ?? null
  }

  /** Puts a declaration of an address that the app holds in force again, as far as that is possible. */
  restore(listen: Listen, owner: string): void {
    const bound = this.#bound.get(listenKey(listen))
    if (bound?.owner !== owner) return
    try {
      refit(bound, listen)
    } catch {
      // An account is gone meanwhile: its file stays as it is.
    }
  }

  /** The descriptor of an address for a process that is about to be started, as `acquire` has it. */
  give(listen: Listen, owner: string): number {
    const fd = this.acquire(listen, owner)
    const bound = this.#bound.get(listenKey(listen))
    if (bound) bound.isGiven = true
    return fd
  }

  /**
   * Makes bound sockets as systemd hands them over: they listen already (most programs that know LISTEN_FDS do not call
   * listen(2) themselves), and calls on them block, as a plain accept loop relies on.
   *
   * That mode is one for all who hold the socket: an event loop would hang in accept(2). So where others of the app run,
   * it stays as they have it.
   *
   * @returns null: done already
   */
  readyForSystemd(listens: readonly Listen[], wanted: SystemdSockets): Promise<unknown> | null {
    const pending: Promise<void>[] = []
    for (const listen of listens) {
      const bound = this.#bound.get(listenKey(listen))
      if (!bound) continue
      if (bound.listening === null && !(bound.isGiven && wanted.hasSiblings)) this.#listenAhead(bound, wanted)
      if (bound.listening !== null) pending.push(bound.listening)
    }
    return pending.length === 0 ? null : Promise.all(pending)
  }

  #listenAhead(bound: Bound, { blocks }: SystemdSockets): void {
    const { handle, listen } = bound
    const backlog = listen.backlog ?? USUAL_BACKLOG
    if (bound.backlog === backlog) return void handle.setBlocking(blocks)
    bound.listening = listenAhead(handle.fd, backlog).then(() => {
      bound.listening = null
      bound.backlog = backlog
      if (this.#bound.get(listenKey(listen)) === bound) handle.setBlocking(blocks)
    })
  }

  /** The app that holds an address overlapping this one: `0.0.0.0:3000` overlaps `127.0.0.1:3000`. */
  ownerOf(listen: Listen): string | null {
    for (const bound of this.#bound.values()) if (overlaps(bound.listen, listen)) return bound.owner
    return null
  }

  /** Makes another app the owner of a bound address; the socket stays open. */
  handOver(listen: Listen, owner: string): void {
    const bound = this.#bound.get(listenKey(listen))
    if (bound) bound.owner = owner
  }

  /** Closes the sockets of an app that are not in `keep`. */
  release(owner: string, keep: readonly Listen[] = []): void {
    const kept = new Set(keep.map(listenKey))
    for (const [key, bound] of this.#bound) if (bound.owner === owner && !kept.has(key)) this.#close(key, bound)
  }

  /** Closes one socket of an app, if it has it. */
  close(listen: Listen, owner: string): void {
    const key = listenKey(listen)
    const bound = this.#bound.get(key)
    if (bound?.owner === owner) this.#close(key, bound)
  }

  #close(key: string, { handle }: Bound): void {
    handle.close()
    this.#bound.delete(key)
    if (key.startsWith('unix:')) removeSocketFile(key.slice('unix:'.length))
  }

  #conflict(key: string, holder: string, owner: string): EcoError {
    return new EcoError('GUARD', `${owner} declares ${key}, which belongs to ${holder}.`, {
      hint: 'give one of them another address; "eco ls" shows who listens where',
    })
  }
}

/** An app has an overlapping address, and is to have this one too for the time of a change. */
function bindBeside(listen: Listen, owner: string): BoundHandle {
  try {
    return bindSocket(listen)
  } catch (cause) {
    const app = owner.slice(owner.lastIndexOf('/') + 1)
    throw new EcoError('GUARD', `${listenKey(listen)} cannot be bound beside the address that ${owner} has now.`, {
      hint: `eco stop ${app} && eco apply && eco start ${app}; Node 22.12 and later bind both`,
      cause,
    })
  }
}

/** Puts another declaration of the same address in force. */
function refit(bound: Bound, listen: Listen): void {
  const { listen: before } = bound
  if (listen.type === 'unix' && before.type === 'unix' && !isSameFile(before, listen)) fitSocketFile(listen)
  bound.listen = listen
}
