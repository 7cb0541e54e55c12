import { unreachable } from '../errors.ts'
import { readNewLines, type TailPosition } from '../logs/tail.ts'
import type { ProbeCheck, Ready, ReadyCheck } from '../model/spec.ts'
import { attempt, type ProbeSubject } from './probes/attempt.ts'
import { SettleWatch } from './settle.ts'

export interface ReadySubject extends ProbeSubject {
  /** Log files, with their sizes when this incarnation was started: only what it wrote itself counts. */
  readonly logs: readonly { readonly path: string; readonly offset: number }[]
}

export interface ReadyEvents {
  ready(): void
  /** The latest reason why it is not ready yet. */
  waiting(reason: string): void
}

const LOG_POLL_MS = 50

/**
 * Watches one incarnation of an instance until it is ready.
 *
 * @returns a function that ends the watch; nothing is reported after it was called
 */
export function watchReady(ready: Ready, subject: ReadySubject, events: ReadyEvents): () => void {
  const { check } = ready
  switch (check.type) {
    case 'signal':
      events.waiting('waiting for its ready signal')
      return () => {} // the pipe of the child reports it
    case 'notify':
      events.waiting('waiting for READY=1 on NOTIFY_SOCKET')
      return () => {} // notify-socket.ts reports it
    case 'delay':
      return after(check.ms, events)
    case 'settled':
      return process.platform === 'linux' ? watchSettle(subject.pid, events) : after(1000, events)
    case 'log':
      return watchLog(check, subject, events)
    case 'tcp':
    case 'http':
    case 'exec':
      return repeat(check, ready, subject, events)
    default:
      return unreachable(check)
  }
}

function after(ms: number, events: ReadyEvents): () => void {
  const timer = setTimeout(() => events.ready(), ms)
  return () => clearTimeout(timer)
}

function watchSettle(pid: number, events: ReadyEvents): () => void {
  const watch = new SettleWatch(pid, Date.now())
  let timer: NodeJS.Timeout
  const look = (): void => {
    if (watch.poll(Date.now())) events.ready()
    else timer = setTimeout(look, watch.pauseMs)
  }
  timer = setTimeout(look, watch.pauseMs)
  return () => clearTimeout(timer)
}

/** One attempt after the other, `intervalMs` apart, until one passes. */
function repeat(check: ProbeCheck, ready: Ready, subject: ProbeSubject, events: ReadyEvents): () => void {
  const ended = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const next = async (): Promise<void> => {
    let failure: string
    try {
      const result = await attempt(check, subject, ready.attemptTimeoutMs, ended.signal)
      if (ended.signal.aborted) return
      if (result.type === 'success') return events.ready()
      failure = result.reason
    } catch (error) {
      failure = (error as Error).message
    }
    if (ended.signal.aborted) return
    events.waiting(failure)
    timer = setTimeout(() => void next(), ready.intervalMs)
  }
  void next()
  return () => {
    ended.abort()
    clearTimeout(timer)
  }
}

function watchLog(check: Extract<ReadyCheck, { type: 'log' }>, subject: ReadySubject, events: ReadyEvents): () => void {
  const pattern = new RegExp(check.pattern, check.flags.replace(/[gy]/g, ''))
  const tails: TailPosition[] = subject.logs.map(({ path, offset }) => ({ path, offset, rest: '' }))
  events.waiting(`waiting for a log line like /${check.pattern}/`)
  const timer = setInterval(() => {
    for (const tail of tails) {
      const lines = readNewLines(tail)
      // The last line counts before its newline comes: prompts have none.
      if (![...lines, tail.rest].some((line) => pattern.test(line))) continue
      clearInterval(timer)
      return events.ready()
    }
  }, LOG_POLL_MS)
  return () => clearInterval(timer)
}
