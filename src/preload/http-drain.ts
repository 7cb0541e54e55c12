/** How clients of HTTP/1 are sent away without losing a request. */

import type { AnyResponse, AnyServer, AnySocket } from './node-internals.ts'

/**
 * Looks in a row at which a connection must be idle. A client that got a response with keep-alive just before may be
 * sending its next request already: it has this long to use the connection, and learns by the answer that it ends.
 */
const IDLE_LOOKS = 10

interface Parser {
  readonly socket: AnySocket | null
}

/** Kept by servers of HTTP/1 for their own timeouts, since Node 18. */
interface ConnectionsList {
  all(): Parser[]
  /** Those on which no request is being received; a new one counts as receiving. */
  idle(): Parser[]
}

const LIST = 'http.server.connections'

/** From now on each response says that it is the last one of its connection. */
export function announceEnd(server: AnyServer): void {
  // A listener of 'checkContinue' changes what a server does: only beside one of the app's own.
  const names = ['checkContinue', 'checkExpectation'].filter((name) => server.listenerCount(name) > 0)
  for (const name of ['request', ...names]) {
    server.prependListener(name, (_: unknown, response: AnyResponse) => closeAfter(response))
  }
  for (const { socket } of connectionsOf(server)?.all() ?? []) {
    if (socket?._httpMessage && !socket._httpMessage.headersSent) closeAfter(socket._httpMessage)
  }
}

const idleLooks = new WeakMap<AnySocket, number>()

/** One look: closes those that were idle at the last ones too. To be called when all that has come is read. */
export function closeIdle(server: AnyServer): void {
  const list = connectionsOf(server)
  if (list === null) return
  const idle = new Set(list.idle().map(({ socket }) => socket))
  for (const { socket } of list.all()) {
    if (!socket || socket.destroyed) continue
    const isIdle = !socket._httpMessage && (idle.has(socket) || socket.bytesRead === 0)
    const looks = isIdle ? (idleLooks.get(socket) ?? 0) + 1 : 0
    idleLooks.set(socket, looks)
    if (looks > IDLE_LOOKS) socket.destroySoon()
  }
}

function closeAfter(response: AnyResponse): void {
  response.shouldKeepAlive = false
  const { _storeHeader } = response
  if (!_storeHeader) return // of HTTP/2
  // Proxies pass on `Connection: keep-alive` as a header of their own, which would win.
  response._storeHeader = function (this: AnyResponse, ...args: unknown[]) {
    _storeHeader.apply(this, args)
    const kept = /\r\nconnection: *keep-alive *(?=\r\n)/i
    if (!this._header || !kept.test(this._header)) return
    this._header = this._header.replace(kept, '\r\nConnection: close').replace(/\r\nkeep-alive:[^\r\n]*/i, '')
    this.shouldKeepAlive = false
    this._last = true
  }
}

function connectionsOf(server: AnyServer): ConnectionsList | null {
  const symbol = Object.getOwnPropertySymbols(server).find(({ description }) => description === LIST)
  return symbol === undefined ? null : (server as unknown as Record<symbol, ConnectionsList>)[symbol]!
}
