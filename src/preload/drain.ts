import { announceEnd, closeIdle } from './http-drain.ts'
import type { AnyServer, ListenHandle } from './node-internals.ts'
import type { Servers } from './servers.ts'

const LOOK_MS = 100
/** A session of HTTP/2 closes at this look: its clients have been told by then, and begin nothing new on it. */
const SESSION_LOOKS = 10
/** By then the primary of node:cluster, which was asked at the same time, hands its workers nothing more. */
const CLUSTER_MS = 100
/** From the word that the stop signal follows until it has come for certain. */
const RELEASE_MS = 1000
/** The largest stream id: all that is under way when the notice arrives is served (RFC 9113, 6.8). */
const ANY_STREAM = 2 ** 31 - 1

type Tell = (line: string) => void

/**
 * Ends what the servers of this process do without losing anything: nothing new is accepted, what has begun is finished,
 * and clients that could go on with a connection learn that it ends. What does not end by itself (WebSockets, streams of
 * events, plain TCP) goes on until eco does not wait any longer.
 *
 * Only the listening sockets are closed, not the servers: to the app they still listen, and its own close() works.
 */
export class Drain {
  readonly #servers: Servers
  readonly #tellers = new Set<Tell>()
  readonly #prepared = new WeakSet<AnyServer>()
  #timer: NodeJS.Timeout | null = null
  #isAccepting = true
  #looks = 0
  #told = ''

  constructor(servers: Servers) {
    this.#servers = servers
  }

  /**
   * Begins it, or listens to the one that goes on.
   *
   * @param tell told `left 3`, whenever it changes, and `drained`
   * @param signals by which the app will be asked to stop
   */
  begin(tell: Tell, signals: readonly string[]): void {
    this.#tellers.add(tell)
    if (this.#timer !== null) return tell(this.#told)
    // Ready for the stop signal, the loop must not end before it has come: that would be another exit than the app's own.
    this.#timer = setInterval(() => setImmediate(() => this.#look()), LOOK_MS)
    releaseBySignal(this.#timer, signals as readonly NodeJS.Signals[])
    if (isClusterWorker()) setTimeout(() => this.#stopAccepting(), CLUSTER_MS)
    else this.#stopAccepting()
    for (const session of this.#servers.sessions) if (!session.destroyed) session.goaway(0, ANY_STREAM)
    this.#look()
  }

  forget(tell: Tell): void {
    this.#tellers.delete(tell)
  }

  /** Whatever asks the app to stop comes now, by a way that cannot be seen here. */
  release(): void {
    setTimeout(() => this.#timer?.unref(), RELEASE_MS).unref()
  }

  #stopAccepting(): void {
    this.#isAccepting = false
    for (const handle of this.#servers.handles) closeQuietly(handle)
  }

  /** After all that has come is read: what is idle now is so indeed. */
  #look(): void {
    this.#looks++
    for (const server of this.#servers.all()) {
      if (!this.#prepared.has(server)) {
        this.#prepared.add(server)
        announceEnd(server)
        // One that was told to listen meanwhile.
        if (!this.#isAccepting && server._handle) closeQuietly(server._handle)
      }
      closeIdle(server)
    }
    if (this.#looks > SESSION_LOOKS) for (const session of this.#servers.sessions) session.close()
    const { connections } = this.#servers
    const line = connections === 0 && !this.#isAccepting ? 'drained' : `left ${connections}`
    if (line === this.#told) return
    this.#told = line
    for (const tell of this.#tellers) tell(line)
  }
}

/** Beside the app's own listeners only: without one, the signal ends the process. */
function releaseBySignal(timer: NodeJS.Timeout, signals: readonly NodeJS.Signals[]): void {
  for (const signal of signals) {
    if (process.listenerCount(signal) === 0) continue
    // First, and gone by then: libraries count the listeners to see whether somebody else ends the process.
    process.prependOnceListener(signal, () => {
      timer.unref()
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
    })
  }
}

function closeQuietly(handle: ListenHandle): void {
  const { getsockname } = handle
  if (getsockname) {
    // The app may still ask its server for the address.
    const at = {}
    const error = getsockname.call(handle, at)
    handle.getsockname = (out) => (Object.assign(out, at), error)
  }
  handle.close()
}

function isClusterWorker(): boolean {
  return (require('node:cluster') as typeof import('node:cluster').default).isWorker
}
