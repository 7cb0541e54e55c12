/** The CLI's end of the protocol. Kept small: every command loads it. */

import net from 'node:net'
import { EcoError, errorCode } from '../errors.ts'
import { socketPath } from '../state/paths.ts'
import type { MethodName, Methods, Reply, StreamEvent, WireError } from './protocol.ts'
import { VERSION } from '../version.ts'
import { MIN_PROTOCOL, PROTOCOL } from './protocol.ts'

/** The longest path of a unix socket. */
const MAX_SOCKET_PATH = 107

export interface CallOptions {
  readonly home: string
  readonly onEvent?: (event: StreamEvent) => void
  /** Tells another version; tests use it. */
  readonly protocol?: number
  /** How long to wait for what needs no work; a daemon that is silent for longer hangs. */
  readonly silenceMs?: number
}

/**
 * Asks the daemon.
 *
 * @throws EcoError as the daemon answered; NoDaemon when none is there
 */
export function call<M extends MethodName>(
  method: M,
  params: Methods[M]['params'],
  { home, onEvent, protocol = PROTOCOL, silenceMs = SILENCE_MS }: CallOptions,
): Promise<Methods[M]['result']> {
  const path = checkedPath(home)
  return new Promise((resolve, reject) => {
    const socket = net.connect(path)
    let text = ''
    let done = false
    socket.setEncoding('utf8')
    if (ANSWERED_AT_ONCE.has(method)) {
      socket.setTimeout(silenceMs, () => {
        socket.destroy()
        done = true
        reject(new SilentDaemon(path))
      })
    }
    const request = { protocol, min_protocol: MIN_PROTOCOL, version: VERSION, method, params }
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on('data', (chunk: string) => {
      text += chunk
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const reply = parseReply(text.slice(0, end))
        text = text.slice(end + 1)
        if (reply === null) {
          done = true
          socket.destroy()
          reject(stranger(path))
          return
        }
        if ('event' in reply) onEvent?.(reply.event)
        else {
          done = true
          socket.end()
          if ('error' in reply) reject(fromWire(reply.error))
          else resolve(reply.result as Methods[M]['result'])
        }
      }
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (done) return
      const { code = '' } = error
      if (code === 'ENOENT' || code === 'ECONNREFUSED') reject(new NoDaemon())
      else reject(code === 'ECONNRESET' || code === 'EPIPE' ? new DaemonEnded() : unreachable(path, error))
    })
    socket.on('close', () => {
      if (!done) reject(new DaemonEnded())
    })
  })
}

/** These need no work; a daemon that is silent for this long hangs, or is none. */
const ANSWERED_AT_ONCE: ReadonlySet<MethodName> = new Set<MethodName>(['hello', 'ls', 'lsText', 'describe', 'logs'])
const SILENCE_MS = 10_000

/** Somebody listens on the socket, and says nothing. */
export class SilentDaemon extends EcoError {
  constructor(path: string) {
    super('DAEMON_UNREACHABLE', `The daemon at ${path} does not answer.`, {
      hint: 'see "eco daemon logs"; kill the process that listens there, your apps go on and the next command takes them over',
    })
  }
}

/** Nobody listens on the socket. */
export class NoDaemon extends EcoError {
  constructor() {
    super('DAEMON_UNREACHABLE', 'No eco daemon is running.', { hint: 'eco daemon start' })
  }
}

/** It had the request, or was about to; how far it came with it is not known. */
export class DaemonEnded extends EcoError {
  constructor() {
    super('DAEMON_ENDED', 'The daemon ended before it answered.', {
      hint: '"eco ls" starts the next one and shows what there is, "eco events" what it makes of this; then say it again',
    })
  }
}

/** @returns where the daemon answers. @throws EcoError USAGE where none can */
export function checkedPath(home: string): string {
  const path = socketPath(home)
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH) return path
  throw new EcoError(
    'USAGE',
    `ECO_HOME is too long: ${path} would be a socket path of more than ${MAX_SOCKET_PATH} bytes.`,
    {
      hint: 'set ECO_HOME to a shorter path',
    },
  )
}

function parseReply(line: string): Reply | null {
  try {
    return JSON.parse(line) as Reply
  } catch {
    return null
  }
}

function stranger(path: string): EcoError {
  return new EcoError('DAEMON_UNREACHABLE', `What answers at ${path} is not an eco daemon.`, {
    hint: 'end that program, or set ECO_HOME to another folder',
  })
}

function unreachable(path: string, error: NodeJS.ErrnoException): EcoError {
  return new EcoError('DAEMON_UNREACHABLE', `Cannot reach the eco daemon at ${path}: ${error.code ?? error.message}.`, {
    hint:
      error.code === 'EACCES'
        ? 'the socket belongs to another user: run eco as that user, or set ECO_HOME'
        : 'eco daemon logs',
    cause: error,
  })
}

function fromWire({ code, message, hint, details }: WireError): EcoError {
  return new EcoError(errorCode(code), message, { hint: hint ?? undefined, details })
}
