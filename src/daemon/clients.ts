import type net from 'node:net'
import { writeSync } from 'node:fs'
import type { Reply } from './protocol.ts'

/** One that has said nothing for this long may be left alone when the daemon ends. */
const SAYS_NOTHING_MS = 1000

interface State {
  readonly since: number
  /** Its request is being worked on. */
  asked: boolean
}

/** Who is connected to the daemon, and whether it waits for an answer. */
export class Clients {
  readonly #clients = new Map<net.Socket, State>()

  connected(socket: net.Socket): void {
    this.#clients.set(socket, { since: performance.now(), asked: false })
    socket.once('close', () => this.#clients.delete(socket))
  }

  asked(socket: net.Socket): void {
    const state = this.#clients.get(socket)
    if (state) state.asked = true
  }

  /** Whoever still waits for an answer gets this one. */
  answerAll(reply: Reply): void {
    for (const [socket, { asked }] of this.#clients) {
      if (asked && socket.writable) socket.end(`${JSON.stringify(reply)}\n`)
    }
  }

  /** How many others wait for something that this process would not give them any more if it ended now. */
  waitingBeside(client: Client): number {
    const now = performance.now()
    return [...this.#clients].filter(
      ([socket, { since, asked }]) => !client.is(socket) && (asked || now - since < SAYS_NOTHING_MS),
    ).length
  }
}

/** Who asked, for a handler to which it matters. */
export class Client {
  readonly #socket: net.Socket

  constructor(socket: net.Socket) {
    this.#socket = socket
  }

  is(socket: net.Socket): boolean {
    return this.#socket === socket
  }

  get isThere(): boolean {
    return !this.#socket.destroyed && this.#socket.writable
  }

  /** Answers without the event loop: it does not turn any more. */
  answerLast(reply: object): void {
    const { fd } = (this.#socket as unknown as { readonly _handle: { readonly fd: number } | null })._handle ?? {
      fd: -1,
    }
    try {
      writeSync(fd, `${JSON.stringify(reply)}\n`)
    } catch {
      // It left.
    }
  }
}
