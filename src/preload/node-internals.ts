/** What the preload looks at besides the documented parts of Node; all of it is there in Node 18 to 26. */

import net from 'node:net'

export type AnyFunction = (this: unknown, ...args: unknown[]) => unknown

export interface ListenOptions {
  readonly fd?: number
  readonly handle?: unknown
  readonly path?: string | null
  readonly port?: number | string | null
  readonly host?: string | null
  readonly backlog?: number
  readonly signal?: AbortSignal
  readonly exclusive?: boolean
  readonly ipv6Only?: boolean
  readonly reusePort?: boolean
}

/** A listening socket as libuv has it; what is set on it overrides what its prototype does. */
export interface ListenHandle {
  listen: (this: ListenHandle, backlog: number) => number
  close: (this: ListenHandle, ...args: unknown[]) => unknown
  ref: (this: ListenHandle) => void
  unref: (this: ListenHandle) => void
  getsockname?: (this: ListenHandle, out: object) => number
}

export interface AnyServer extends net.Server {
  _handle?: ListenHandle | null
  _pipeName?: string
  /** Another one after it was closed, or told to listen again. */
  readonly _listeningId?: number
  _listen2?: AnyFunction
  /** Connections that are open. */
  readonly _connections?: number
  readonly allowHalfOpen?: boolean
  readonly pauseOnConnect?: boolean
}

export interface AnySocket extends net.Socket {
  readonly _handle?: Record<'getsockname' | 'getpeername', (out: object) => number> | null
  /** The response that is under way on it. */
  readonly _httpMessage?: AnyResponse | null
  server?: net.Server
}

export interface AnyResponse {
  readonly headersSent: boolean
  shouldKeepAlive: boolean
  /** The head as it goes out, made by _storeHeader. */
  _header?: string | null
  /** The connection ends with this response. */
  _last?: boolean
  _storeHeader?: (...args: unknown[]) => void
}

export const internals = net as unknown as {
  /** What net.connect and listen use themselves since Node 8. */
  readonly _normalizeArgs: (args: unknown[]) => [ListenOptions, AnyFunction | null]
  /** @returns the number of an error instead, when there is one */
  readonly _createServerHandle: (address: null, port: null, type: null, fd: number) => ListenHandle | number
}
