/**
 * One tcp or http attempt against an instance. An answer counts only when the process that accepted the connection
 * belongs to the instance's own process tree: during a replacement the old instance still answers on the same port.
 */

import type { ClientRequest, IncomingMessage } from 'node:http'
import net from 'node:net'
import type { Endpoint, HttpCheck, StatusRange, TcpCheck } from '../model/spec.ts'
import { acceptedInode, commandOf, inTree, socketHolders } from './proc.ts'

/** `null`: passed. Otherwise why not, for people. */
export type AttemptResult = string | null

/** A foreign answer is asked again at once, this many times: with a shared socket the kernel picks who accepts. */
const FOREIGN_RETRIES = 24

export async function attemptConnection(
  check: HttpCheck | TcpCheck,
  instancePid: number,
  timeoutMs: number,
): Promise<AttemptResult> {
  let result: AttemptResult = null
  for (let i = 0; i < FOREIGN_RETRIES; i++) {
    const attempt =
      check.type === 'tcp'
        ? await attemptTcp(check, instancePid, timeoutMs)
        : await attemptHttp(check, instancePid, timeoutMs)
    if (!attempt.foreign) return attempt.result
    result = attempt.result
  }
  return result
}

interface Attempt {
  readonly result: AttemptResult
  readonly foreign: boolean
}

const ACCEPT_POLL_MS = 2

function attemptTcp({ endpoint }: TcpCheck, pid: number, timeoutMs: number): Promise<Attempt> {
  const { host, port } = tcpOnly(endpoint)
  const what = `tcp ${host}:${port}`
  return new Promise((resolve) => {
    const socket = net.connect({ host, port })
    const finish = (result: AttemptResult, foreign = false): void => {
      clearTimeout(timer)
      clearInterval(poll)
      socket.destroy()
      resolve({ result, foreign })
    }
    const timer = setTimeout(() => finish(`${what}: nothing accepted within ${timeoutMs} ms`), timeoutMs)
    let poll: NodeJS.Timeout | undefined
    socket.on('error', (error: NodeJS.ErrnoException) => finish(`${what}: ${error.code ?? error.message}`))
    socket.on('connect', () => {
      const verify = (): void => {
        const owner = ownership(port, socket.localPort, pid)
        if (owner === 'unknown') return // still in the accept queue
        if (owner === 'own') finish(null)
        else finish(`${what}: ${owner.foreign}`, true)
      }
      poll = setInterval(verify, ACCEPT_POLL_MS)
      verify()
    })
  })
}

async function attemptHttp(check: HttpCheck, pid: number, timeoutMs: number): Promise<Attempt> {
  const { host, port } = tcpOnly(check.endpoint)
  const what = `http ${host}:${port}${check.path}`
  const http = await import('node:http')
  return new Promise((resolve) => {
    let request: ClientRequest | undefined
    const finish = (result: AttemptResult, foreign = false): void => {
      clearTimeout(timer)
      request?.destroy()
      resolve({ result, foreign })
    }
    const timer = setTimeout(() => finish(`${what}: no answer within ${timeoutMs} ms`), timeoutMs)
    const headers = { connection: 'keep-alive', 'user-agent': 'eco-probe' }
    request = http.get({ host, port, path: check.path, headers, agent: false }, (response: IncomingMessage) => {
      const owner = ownership(port, response.socket.localPort, pid)
      const status = response.statusCode ?? 0
      if (owner !== 'own' && owner !== 'unknown') finish(`${what}: ${owner.foreign}`, true)
      else finish(accepts(check.status, status) ? null : `${what}: answered ${status}`)
    })
    request.on('error', (error: NodeJS.ErrnoException) => finish(`${what}: ${error.code ?? error.message}`))
  })
}

function tcpOnly(endpoint: Endpoint): Extract<Endpoint, { type: 'tcp' }> {
  if (endpoint.type === 'unix') throw new Error('Internal error: probes of unix sockets are not there yet')
  return endpoint
}

function accepts(ranges: readonly StatusRange[], status: number): boolean {
  return ranges.some((range) => status >= range.from && status <= range.to)
}

type Ownership = 'own' | 'unknown' | { readonly foreign: string }

/** Whose process accepted the connection. Unknown: nobody yet, or the system does not say (no /proc). */
function ownership(serverPort: number, clientPort: number | undefined, instancePid: number): Ownership {
  if (clientPort === undefined) return 'unknown'
  const inode = acceptedInode(serverPort, clientPort)
  if (inode === null) return process.platform === 'linux' ? 'unknown' : 'own'
  const holders = socketHolders(inode)
  if (holders.length === 0) return 'unknown'
  if (holders.some((holder) => inTree(holder, instancePid))) return 'own'
  const holder = holders[0] ?? 0
  return { foreign: `answered by pid ${holder} (${commandOf(holder) ?? 'unknown'}), which is not this instance` }
}
