import net from 'node:net'
import { EcoError } from '../errors.ts'
import { Client, Clients } from './clients.ts'
import { admit } from './door.ts'
import type { MethodName, Methods, Reply, StreamEvent, WireError } from './protocol.ts'

/** Answers one request; `emit` sends events to the client while it works. */
export type Handlers = {
  readonly [M in MethodName]: (
    params: Methods[M]['params'],
    emit: (event: StreamEvent) => void,
    client: Client,
  ) => Methods[M]['result'] | Promise<Methods[M]['result']>
}

/** A request larger than this is not one of ours: 10,000 apps fit well. */
const MAX_REQUEST_BYTES = 64 * 1024 * 1024

/** Serves the protocol on connections; a client that goes away changes nothing about the work it asked for. */
export function createServer(version: string, handlers: Handlers, clients = new Clients()): net.Server {
  return net.createServer((socket) => {
    clients.connected(socket)
    const chunks: Buffer[] = []
    let size = 0
    let answered = false
    socket.on('error', () => socket.destroy()) // the client left
    socket.on('data', (chunk: Buffer) => {
      if (answered) return
      chunks.push(chunk)
      size += chunk.length
      if (size > MAX_REQUEST_BYTES) {
        answered = true
        finish(socket, { error: wireError(new EcoError('USAGE', 'The request is too large.')) })
        return
      }
      if (!chunk.includes(10)) return
      answered = true
      clients.asked(socket)
      void answer(Buffer.concat(chunks).toString('utf8'), socket, version, handlers)
    })
  })
}

type Handler = (params: unknown, emit: (event: StreamEvent) => void, client: Client) => unknown

async function answer(line: string, socket: net.Socket, version: string, handlers: Handlers): Promise<void> {
  const emit = (event: StreamEvent): void => {
    if (socket.writable) socket.write(`${JSON.stringify({ event } satisfies Reply)}\n`)
  }
  try {
    const { method, params } = admit(line, version)
    const handler = handlers[method] as Handler
    finish(socket, { result: await handler(params, emit, new Client(socket)) })
  } catch (error) {
    if (!(error instanceof EcoError)) console.error(error)
    finish(socket, { error: wireError(error as Error) })
  }
}

function finish(socket: net.Socket, reply: Reply): void {
  if (socket.writable) socket.end(`${JSON.stringify(reply)}\n`)
}

export function wireError(error: Error): WireError {
  if (error instanceof EcoError) {
    const { code, message, hint, details } = error
    return { code, message, hint, details }
  }
  const { message, stack } = error
  return { code: 'INTERNAL', message, hint: null, details: stack?.split('\n').slice(1, 6) ?? [] }
}
