import { getSystemErrorName } from 'node:util'
import { adoptAtOnce } from './adopt.ts'
import type { Listen, ListenCall } from './listen.ts'
import { type AnyFunction, type AnyServer, internals, type ListenHandle } from './node-internals.ts'

interface Held {
  readonly server: AnyServer
  readonly handle: ListenHandle
  /** Really. @returns the number of an error; 0: it listens */
  listen: () => number
  isReferenced: boolean
}

/**
 * Servers that listen as far as the app can tell, and by their private sockets, but accept nothing on the address that
 * they share with others before eco says so: it is no use to take requests that cannot be answered yet.
 */
export class Hold {
  readonly #held = new Set<Held>()
  /** A socket that does not listen keeps no event loop alive; while one is held, this does. */
  readonly #keepAlive: { ref(): void; unref(): void }

  constructor(keepAlive: { ref(): void; unref(): void }) {
    this.#keepAlive = keepAlive
  }

  /** All of it is done by Node's own listen, save the last call of it, to the socket. */
  adopt({ server, options, backlog, callback }: ListenCall, socket: number | ListenHandle, listen: Listen): void {
    const own: { _listen2?: AnyFunction } = server
    own._listen2 = (...args: unknown[]) => {
      delete own._listen2
      const handle = typeof socket === 'number' ? internals._createServerHandle(null, null, null, socket) : socket
      const [, , , wanted, , flags] = args
      const isOpened = typeof handle !== 'number'
      if (isOpened) this.#keep(server, handle)
      if (isOpened) server._handle = handle
      Reflect.apply(Reflect.get(server, '_listen2') as AnyFunction, server, [
        null,
        null,
        null,
        wanted,
        isOpened ? undefined : socket, // Node finds the error again, and reports it
        flags,
      ])
    }
    try {
      adoptAtOnce({ server, options, backlog, callback, args: [] }, socket, listen)
    } finally {
      delete own._listen2
    }
  }

  /** @returns what kept a server from it; null: all accept */
  open(): string | null {
    let failure: string | null = null
    for (const held of this.#held) {
      const { server, handle } = held
      this.#held.delete(held)
      const error = held.listen()
      if (error === 0) continue
      failure = getSystemErrorName(error)
      handle.close()
      if (server._handle === handle) server._handle = null
      const problem = new Error(`listen ${failure}`)
      process.nextTick(() =>
        server.emit('error', Object.assign(problem, { code: failure, errno: error, syscall: 'listen' })),
      )
    }
    this.#follow()
    return failure
  }

  #keep(server: AnyServer, handle: ListenHandle): void {
    const { close, ref, unref, listen } = handle
    const held: Held = { server, handle, listen: () => 0, isReferenced: true }
    handle.listen = (backlog) => {
      held.listen = () => listen.call(handle, backlog)
      return 0
    }
    handle.close = (...args) => {
      this.#held.delete(held)
      this.#follow()
      return close.apply(handle, args)
    }
    const refer = (isReferenced: boolean, change: () => void) => () => {
      held.isReferenced = isReferenced
      this.#follow()
      change.call(handle)
    }
    handle.ref = refer(true, ref)
    handle.unref = refer(false, unref)
    this.#held.add(held)
    this.#follow()
  }

  #follow(): void {
    if ([...this.#held].some(({ isReferenced }) => isReferenced)) this.#keepAlive.ref()
    else this.#keepAlive.unref()
  }
}
