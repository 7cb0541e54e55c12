import net from 'node:net'
import type { ListenHandle } from './node-internals.ts'

/** The type of a pipe that carries descriptors beside its bytes. */
const IPC = 2

interface WriteRequest {
  handle?: unknown
}

interface PipeHandle {
  writeUtf8String: (this: PipeHandle, request: WriteRequest | null, text: string, socket?: ListenHandle) => unknown
}

export type PipeClass = (new (type: number) => PipeHandle) & { readonly prototype: object }

export interface GivenSocket {
  readonly handle: ListenHandle
  /** Of a unix socket; empty when it has none, or that is not known. */
  readonly path: string
}

/**
 * Sends listening sockets to the daemon, which waits for them at a unix socket: it is a new one, and lost the sockets that
 * the one before had bound. This process keeps them. Node can send descriptors between parent and child only; what it
 * does that with can connect to anybody.
 *
 * @param sent told how many went out
 */
export function giveSockets(
  path: string,
  Pipe: PipeClass,
  sockets: readonly GivenSocket[],
  sent: (count: number) => void,
): void {
  const rest = sockets.filter(({ handle }) => isReal(handle, Pipe))
  const count = rest.length
  const pipe = new Pipe(IPC)
  const { writeUtf8String } = pipe
  let given: ListenHandle | undefined
  pipe.writeUtf8String = (request, text) => {
    const handle = request?.handle
    const result = writeUtf8String.call(pipe, request, text, given)
    // Node has put the sent one in its place, and would look for the socket of the write in it. Node 26 has no request.
    if (request) request.handle = handle
    return result
  }
  const socket = new net.Socket({ handle: pipe, manualStart: true } as net.SocketConstructorOpts)
  socket.unref()
  socket.on('error', () => {})
  const next = (): void => {
    const one = rest.shift()
    if (one === undefined) {
      sent(count)
      return void socket.end()
    }
    given = one.handle
    try {
      socket.write(`${one.path}\n`, next)
    } catch {
      socket.destroy() // another Node than those we know: nothing an app should die of
    }
  }
  socket.connect({ path }, next)
}

/** What a worker of node:cluster listens with is a plain object, and sending that ends the process. A closed one has no descriptor. */
function isReal(handle: ListenHandle, Pipe: PipeClass): boolean {
  const stream = Object.getPrototypeOf(Pipe.prototype) as object
  const { fd } = handle as { fd?: unknown }
  return Object.prototype.isPrototypeOf.call(stream, handle) && typeof fd === 'number' && fd >= 0
}
