import net from 'node:net'
import { EcoError } from '../errors.ts'
import { Client, Clients } from './clients.ts'
import type { MethodName, Methods, Reply, StreamEvent, WireError } from './protocol.ts'
import { PROTOCOL } from './protocol.ts'

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
    const { method, params } = parseRequest(line, version)
    const handler = handlers[method] as Handler
    finish(socket, { result: await handler(params, emit, new Client(socket)) })
  } catch (error) {
    if (!(error instanceof EcoError)) console.error(error)
    finish(socket, { error: wireError(error as Error) })
  }
}

function parseRequest(line: string, version: string): { method: MethodName; params: unknown } {
  let request: { protocol?: unknown; method?: unknown; params?: unknown }
  try {
    request = (JSON.parse(line) as typeof request | null) ?? {}
  } catch (cause) {
    throw new EcoError('USAGE', 'The request is not JSON.', { cause })
  }
  const method = String(request.method)
  // These two keep their form for ever: any CLI can ask who is there, and replace it.
  if (request.protocol !== PROTOCOL && method !== 'hello' && method !== 'shutdown') {
    throw new EcoError(
      'DAEMON_VERSION',
      `The daemon (eco ${version}) speaks protocol ${PROTOCOL}, this command speaks ${String(request.protocol)}.`,
      {
        hint: 'replace the daemon, your apps keep running: eco daemon stop && eco daemon start',
      },
    )
  }
  if (!METHODS.has(method))
    throw new EcoError('DAEMON_VERSION', `The daemon (eco ${version}) does not know "${method}".`, {
      hint: 'replace the daemon, your apps keep running: eco daemon stop && eco daemon start',
    })
  return { method: method as MethodName, params: request.params ?? {} }
}

const METHODS: ReadonlySet<string> = new Set<MethodName>([
  'hello',
  'shutdown',
  'upgrade',
  'resume',
  'plan',
  'apply',
  'rollbackPlan',
  'rollback',
  'verb',
  'verbPlan',
  'ls',
  'lsText',
  'describe',
  'reset',
  'rollout',
  'logs',
])

function finish(socket: net.Socket, reply: Reply): void {
  if (socket.writable) socket.end(`${JSON.stringify(reply)}\n`)
}

function wireError(error: Error): WireError {
  if (error instanceof EcoError) {
    const { code, message, hint, details } = error
    return { code, message, hint, details }
  }
  const { message, stack } = error
  return { code: 'INTERNAL', message, hint: null, details: stack?.split('\n').slice(1, 6) ?? [] }
}
