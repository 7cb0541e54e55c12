import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Endpoint, HttpCheck } from '../../model/spec.ts'
import { matches } from './matching.ts'

/** What a body is matched on; the rest is not read. */
const BODY_BYTES = 64 * 1024

export interface HttpEvents {
  /** The head of the answer has come. */
  answered(): void
  /** null: passed; otherwise why not, to be put after what was asked. */
  judged(failure: string | null): void
  broke(error: NodeJS.ErrnoException): void
}

export interface HttpRequest {
  /** Judges the part of a body that has come so far. @returns false when no body has begun */
  judgeNow(): boolean
  end(): void
}

/**
 * Sends one GET over a connection and judges the answer by status and body. Redirects are not followed: a 3xx is a
 * status like any other. A body is read only when there is something to match. Node's http is loaded with the first
 * probe that needs it: the daemon is smaller without.
 */
export function askHttp(check: HttpCheck, endpoint: Endpoint, socket: Socket, events: HttpEvents): HttpRequest {
  let hasEnded = false
  let request: ClientRequest | undefined
  let stream: Duplex = socket
  let judgeBody: (() => void) | null = null
  const broke = (error: Error): void => events.broke(error)

  const answered = (response: IncomingMessage): void => {
    events.answered()
    if (hasEnded) return
    const status = response.statusCode ?? 0
    if (!check.status.some(({ from, to }) => status >= from && status <= to))
      return events.judged(` answered ${status}`)
    if (check.body === null) return events.judged(null)
    const { body } = check
    const chunks: Buffer[] = []
    let bytes = 0
    judgeBody = () => {
      const text = Buffer.concat(chunks).subarray(0, BODY_BYTES).toString('utf8')
      const found = matches(body, [text])
      if (found === true) return events.judged(null)
      const why = found === false ? 'does not match' : 'takes too long to match with'
      events.judged(` answered ${status}, but its body ${why} /${body.pattern}/${body.flags}`)
    }
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= BODY_BYTES) judgeBody?.()
    })
    response.on('end', judgeBody)
    response.on('error', broke)
  }

  const send = async (): Promise<void> => {
    const http = await import('node:http')
    const tls = check.tls ? await import('node:tls') : null
    if (hasEnded) return
    if (tls) {
      const host = endpoint.type === 'tcp' ? endpoint.host : ''
      const name = host === '' || isIP(host) !== 0 ? {} : { servername: host }
      stream = tls.connect({ socket, rejectUnauthorized: false, ...name }).on('error', broke)
    }
    request = http.request({ createConnection: () => stream, path: check.path, headers: headersOf(check, endpoint) })
    request.on('response', answered)
    request.on('upgrade', answered)
    request.on('error', broke)
    request.end()
  }
  send().catch(broke)

  return {
    judgeNow: () => {
      judgeBody?.()
      return judgeBody !== null
    },
    end: () => {
      hasEnded = true
      request?.destroy()
      stream.destroy()
    },
  }
}

/** Kept alive, so that the server does not close before it is known who it is; the connection is closed all the same. */
function headersOf(check: HttpCheck, endpoint: Endpoint): OutgoingHttpHeaders {
  const host = endpoint.type === 'unix' ? 'localhost' : `${endpoint.host}:${endpoint.port}`
  const headers: OutgoingHttpHeaders = { host, accept: '*/*', 'user-agent': 'eco-probe', connection: 'keep-alive' }
  for (const [name, value] of Object.entries(check.headers)) headers[name.toLowerCase()] = value
  return headers
}
