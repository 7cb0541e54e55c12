/**
 * Load on a port, and what came of it. Strict, as bench/load/ is: a request has failed when its connection ends before the
 * whole answer is there, also when it went out on a kept connection just as the server closed that one.
 */

import { createHash, randomBytes } from 'node:crypto'
import http from 'node:http'
import net from 'node:net'
import { eventually } from './eventually.ts'

const TIMEOUT_MS = 5000
/** After a failure: a dead port must not make a storm. */
const PAUSE_MS = 20

export interface Load {
  /** What the answers said, and how often. */
  readonly answers: ReadonlyMap<string, number>
  readonly count: () => number
  /** Goes on until this holds, then waits for the requests under way. @returns why requests failed: none, if all is well */
  readonly finish: (enough: () => boolean) => Promise<readonly string[]>
}

/** So many clients that keep their connection, and so many that open one for each request; each asks again at once. */
export async function startLoad(port: number, clients: { keepAlive: number; perRequest: number }): Promise<Load> {
  const answers = new Map<string, number>()
  const failures: string[] = []
  let wanted = true
  const client = async (keepAlive: boolean): Promise<void> => {
    const agent = new http.Agent({ keepAlive, maxSockets: 1 })
    while (wanted) {
      try {
        const body = await ask(port, agent)
        answers.set(body, (answers.get(body) ?? 0) + 1)
      } catch (error) {
        failures.push(`${keepAlive ? 'keep-alive' : 'new connection'}: ${(error as Error).message}`)
        await new Promise((done) => setTimeout(done, PAUSE_MS))
      }
    }
    agent.destroy()
  }
  const running = [
    ...Array.from({ length: clients.keepAlive }, () => client(true)),
    ...Array.from({ length: clients.perRequest }, () => client(false)),
  ]
  const count = (): number => [...answers.values()].reduce((sum, n) => sum + n, failures.length)
  await eventually(() => count() > 100)
  return {
    answers,
    count,
    finish: async (enough) => {
      try {
        await eventually(enough, 20_000)
      } finally {
        wanted = false
        await Promise.all(running)
      }
      return failures
    },
  }
}

function ask(port: number, agent: http.Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, agent, timeout: TIMEOUT_MS }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (body += chunk))
      response.on('error', (error) => reject(new Error(`${error.message} within an answer`)))
      response.on('end', () => {
        if (response.statusCode === 200) resolve(body)
        else reject(new Error(`status ${response.statusCode}`))
      })
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    request.on('error', (error) => reject(new Error(`${error.message}${request.reusedSocket ? ', reused' : ''}`)))
  })
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** A text, masked with zeros, which leaves it as it is; and its echo. */
const HELLO = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
const ECHO = Buffer.from([0x81, 0x02, 0x68, 0x69])

export interface OpenWebSocket {
  /** Says something and waits for its echo. */
  readonly echo: () => Promise<void>
  /** When it was closed, on the clock of performance.now(). */
  readonly closed: Promise<number>
}

/** A WebSocket by hand, for short texts. */
export async function openWebSocket(port: number): Promise<OpenWebSocket> {
  const key = randomBytes(16).toString('base64')
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64')
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  let received = Buffer.alloc(0)
  let arrived = (): void => {}
  let gone = false
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    arrived()
  })
  const closed = new Promise<number>((resolve) => {
    const end = (): void => {
      gone = true
      arrived()
      socket.destroy()
      resolve(performance.now())
    }
    socket.on('end', end).on('error', end).on('close', end)
  })
  const take = async (upTo: () => number): Promise<Buffer> => {
    while (upTo() < 0) {
      if (gone) throw new Error('the WebSocket was closed')
      await new Promise<void>((resolve) => (arrived = resolve))
    }
    const taken = received.subarray(0, upTo())
    received = received.subarray(taken.length)
    return taken
  }
  socket.write(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  )
  const head = (await take(() => (received.includes('\r\n\r\n') ? received.indexOf('\r\n\r\n') + 4 : -1))).toString()
  if (!head.startsWith('HTTP/1.1 101') || !head.includes(accept)) throw new Error(`no WebSocket: ${head}`)
  return {
    closed,
    echo: async () => {
      socket.write(HELLO)
      const answer = await take(() => (received.length >= ECHO.length ? ECHO.length : -1))
      if (!answer.equals(ECHO)) throw new Error(`not an echo: ${answer.toString('hex')}`)
    },
  }
}
