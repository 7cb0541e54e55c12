import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import net, { type LookupFunction } from 'node:net'
import { endpointOf } from '../../model/ports.ts'
import type { Endpoint, HttpCheck, TcpCheck } from '../../model/spec.ts'
import { type Acceptor, type AcceptorWatch, isOnlyListener, watchAcceptor } from './acceptor.ts'
import type { AttemptResult, ProbeSubject } from './attempt.ts'
import { askHttp, type HttpRequest } from './ask-http.ts'
import { isLate, onDeadline } from './deadline.ts'
import { portsHeld } from './listeners.ts'
import { listenServing, privatePath } from './private-path.ts'
import { connectionError, inconclusiveCode, seconds } from './words.ts'

/** With a shared socket the kernel picks who accepts. Asked again at once, this often within one attempt. */
const MAX_TRIES = 32
/** Pauses between two looks at who accepted: short at first. Milliseconds. */
const LOOK_MS = { first: 1, factor: 2, max: 50 }
/** A server that waits for data before it accepts gets its request after this long. */
const SILENT_MS = 30

/**
 * One attempt by tcp or http, of all its tries together no longer than `timeoutMs`. By the private socket of the instance
 * where it has one; else by the address, where others may accept too: an answer counts only when the
 * instance's own process tree accepted the connection (acceptor.ts); that is looked at before anything is sent, so that
 * others on the same port see a connection that closes, and no request.
 */
export async function attemptConnection(
  check: HttpCheck | TcpCheck,
  subject: ProbeSubject,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<AttemptResult> {
  const endpoint = endpointOf(check.endpoint, subject.slot)
  const path = privatePath(endpoint, subject)
  if (path !== null) {
    const outcome = await tryOnce(check, endpoint, subject, {
      path,
      leftMs: timeoutMs,
      timeoutMs,
      isLast: true,
      signal,
    })
    if (outcome.type === 'unaccepted') {
      return {
        type: 'failure',
        reason: outcome.reason + (subject.isStarting ? ': it has the socket, but accepts nothing' : ''),
      }
    }
    if (outcome.type !== 'closed' && outcome.type !== 'shared') return outcome
  }
  if (path !== null || !subject.isStarting || subject.privateFolder === null) {
    return attemptShared(check, subject, timeoutMs, signal)
  }
  // It may accept nothing by the address before it is ready: once it has a socket of its own, that is asked.
  const opened = new AbortController()
  const timer = setInterval(() => privatePath(endpoint, subject) !== null && opened.abort(), LOOK_MS.max)
  const either = AbortSignal.any([signal, opened.signal])
  const result = await attemptShared(check, subject, timeoutMs, either)
  clearInterval(timer)
  const isTurned = opened.signal.aborted && !signal.aborted && result.type !== 'success'
  return isTurned ? attemptConnection(check, subject, timeoutMs, signal) : result
}

/** By the address, where others may accept too. */
async function attemptShared(
  check: HttpCheck | TcpCheck,
  subject: ProbeSubject,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<AttemptResult> {
  const startedAt = performance.now()
  const endpoint = endpointOf(check.endpoint, subject.slot)
  let others: string | null = null
  for (let tries = 1; ; tries++) {
    const spentMs = performance.now() - startedAt
    // The last try gets what is left, and that must be enough for an answer.
    const isLast = tries === MAX_TRIES || spentMs > timeoutMs / 2
    const leftMs = Math.max(1, timeoutMs - spentMs)
    const outcome = await tryOnce(check, endpoint, subject, { path: null, leftMs, timeoutMs, isLast, signal })
    if (outcome.type === 'shared') others = outcome.by ?? others
    else if (outcome.type !== 'unaccepted' && outcome.type !== 'closed') return outcome
    // Where nobody at all accepts, the instance does not either. Where others do, its turn may just not have come.
    else if (others === null) return { type: 'failure', reason: unserved(endpoint, subject, outcome.reason) }
    if (outcome.type === 'shared' && !isLast && !signal.aborted) continue
    const last = others === null ? '' : `, last by ${others}`
    const reason = `${describe(check, endpoint)}: accepted ${tries} times by others who listen there too${last}`
    return { type: 'inconclusive', reason: unserved(endpoint, subject, reason) }
  }
}

/** Of an address that the app declares: that its new instance has not begun to serve it, and what it serves instead. */
function unserved(endpoint: Endpoint, { isStarting, listen, pid }: ProbeSubject, reason: string): string {
  if (!isStarting || listenServing(endpoint, listen) === -1) return reason
  const where = endpoint.type === 'unix' ? endpoint.path : String(endpoint.port)
  const declared = new Set(listen.map((one) => (one.type === 'tcp' ? one.port : null)))
  const ports = process.platform === 'linux' ? portsHeld(pid).filter((port) => !declared.has(port)) : []
  const instead = ports.length === 0 ? '' : `, it listens on ${ports.join(', ')}`
  return `nothing in the new instance accepts on ${where}${instead}; ${reason}`
}

/** Errors by which nobody listens at the address. */
const NOBODY: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ENOENT'])

interface TryOptions {
  /** Of the instance's private socket; null: by the address. */
  readonly path: string | null
  readonly leftMs: number
  /** Of the whole attempt, for the reason. */
  readonly timeoutMs: number
  readonly isLast: boolean
  readonly signal: AbortSignal
}

/**
 * `shared`: somebody else took the connection, on a port the instance listens on too. `unaccepted`: its time was over
 * before anybody was seen to take it. `closed`: nobody listens there.
 */
type Try =
  | AttemptResult
  | { readonly type: 'shared'; readonly by: string | null }
  | { readonly type: 'unaccepted'; readonly reason: string }
  | { readonly type: 'closed'; readonly reason: string }

function tryOnce(
  check: HttpCheck | TcpCheck,
  endpoint: Endpoint,
  subject: ProbeSubject,
  { path, leftMs, timeoutMs, isLast, signal }: TryOptions,
): Promise<Try> {
  const what = describe(check, endpoint)
  return new Promise((resolve) => {
    const way: Endpoint = path === null ? endpoint : { type: 'unix', path }
    // Who answers on the private socket is known. That it accepted is to be seen only where no answer is to come.
    const acceptorOf: AcceptorWatch =
      path !== null && check.type === 'http' ? () => ({ type: 'own' }) : watchAcceptor(way, subject)
    const socket = net.connect(
      way.type === 'unix'
        ? { path: way.path }
        : { host: way.host.replace(/^\[|\]$/g, ''), port: way.port, lookup: sharedLookup },
    )
    let isOver = false
    let isConnected = false
    /** Whether the instance was seen to have accepted it. */
    let isVerified = false
    let timer: NodeJS.Timeout | undefined
    let request: HttpRequest | undefined
    const finish = (outcome: Try): void => {
      if (isOver) return
      isOver = true
      stopClock()
      clearTimeout(timer)
      signal.removeEventListener('abort', aborted)
      request?.end()
      socket.destroy()
      resolve(outcome)
    }
    const fail = (why: string): void => finish({ type: 'failure', reason: `${what}${why}` })
    const broke = (error: NodeJS.ErrnoException): void => {
      const reason = `${what}: ${connectionError(error)}`
      if (path !== null && !isConnected) {
        if (error.code === 'EAGAIN') return fail(': it has left so many connections waiting that no more fit')
        if (!inconclusiveCode(error.code)) return finish({ type: 'closed', reason })
      }
      if (!isConnected && NOBODY.has(error.code)) return finish({ type: 'closed', reason })
      finish({ type: inconclusiveCode(error.code) ? 'inconclusive' : 'failure', reason })
    }
    const aborted = (): void => finish({ type: 'inconclusive', reason: `${what} was ended` })
    const stopClock = onDeadline(leftMs, (lateMs) => {
      const late = isLate(lateMs)
      if (late) return finish(late)
      if (socket.connecting) return fail(`: no connection within ${seconds(timeoutMs)}`)
      if (request?.judgeNow()) return
      const reason = `${what} gave no answer within ${seconds(timeoutMs)}`
      finish({ type: isVerified ? 'failure' : 'unaccepted', reason })
    })
    signal.addEventListener('abort', aborted)
    socket.on('error', broke) // stays: an error may come after the end

    /** Whether it was accepted by the instance; ends the try when by somebody else. */
    const isOwn = (): boolean => {
      const acceptor = acceptorOf(socket, isLast)
      if (acceptor.type === 'shared' || acceptor.type === 'stranger') finish(foreign(what, acceptor))
      isVerified = acceptor.type === 'own'
      return isVerified
    }
    const ask = (): void => {
      if (check.type === 'tcp') return finish({ type: 'success' })
      request = askHttp(check, endpoint, socket, {
        // The head of the answer is there: the last moment to see who sends it.
        answered: () => {
          if (isVerified || isOver) return
          if (isOwn() || isOver) return
          if (isOnlyListener(way, subject)) return
          finish({ type: 'inconclusive', reason: `${what} was answered, but it cannot be told by whom` })
        },
        judged: (failure) => (failure === null ? finish({ type: 'success' }) : fail(failure)),
        broke,
      })
    }
    socket.once('connect', () => {
      isConnected = true
      const connectedAt = performance.now()
      let pauseMs = LOOK_MS.first
      const look = (): void => {
        if (isOver) return
        if (isOwn()) return ask()
        if (isOver) return
        if (check.type === 'http' && performance.now() - connectedAt >= SILENT_MS) return ask()
        timer = setTimeout(look, pauseMs)
        pauseMs = Math.min(pauseMs * LOOK_MS.factor, LOOK_MS.max)
      }
      look()
    })
  })
}

function foreign(what: string, { type, by }: Extract<Acceptor, { by: string | null }>): Try {
  if (type === 'shared') return { type, by }
  return { type: 'failure', reason: `${what} is answered by ${by}, which is not this instance` }
}

/** `http 127.0.0.1:3000/healthz`, `tcp unix:/run/app.sock`. A query may hold a token, and is left out. */
function describe(check: HttpCheck | TcpCheck, endpoint: Endpoint): string {
  const where = endpoint.type === 'unix' ? `unix:${endpoint.path}` : `${endpoint.host}:${endpoint.port}`
  if (check.type === 'tcp') return `tcp ${where}`
  const path = check.path.replace(/\?.*$/s, '')
  return `${check.tls ? 'https' : 'http'} ${where}${endpoint.type === 'unix' ? ':' : ''}${path}`
}

const lookups = new Map<string, ((error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void)[]>()

/** One look-up at a time for each name: while a name server does not answer, each one occupies a thread of the daemon. */
const sharedLookup: LookupFunction = (host, options, callback) => {
  const deliver = (error: NodeJS.ErrnoException | null, found: LookupAddress[]): void => {
    const [first] = found
    if (options.all || !first) callback(error, found)
    else callback(error, first.address, first.family)
  }
  const waiting = lookups.get(host)
  if (waiting) return void waiting.push(deliver)
  const all = [deliver]
  lookups.set(host, all)
  systemLookup(host, { all: true }, (error, found) => {
    lookups.delete(host)
    for (const one of all) one(error, found ?? [])
  })
}
