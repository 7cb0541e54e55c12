import { unreachable } from '../errors.ts'
import type { LogTail } from '../logs/run-logs.ts'
import { messageOf } from '../logs/line-format.ts'
import type { Output, ProbeCheck, Ready, ReadyCheck } from '../model/spec.ts'
import { attempt, type ProbeSubject } from './probes/attempt.ts'
import { matches } from './probes/matching.ts'
import { SettleWatch } from './settle.ts'

export interface ReadySubject extends ProbeSubject {
  /** Its log files, from where they ended when it was started: only what it wrote itself counts. */
  readonly logs: readonly LogTail[]
  /** How they are written; a pattern is about what the app wrote. */
  readonly format: Output['format']
}

export interface ReadyEvents {
  ready(): void
  /** The latest reason why it is not ready yet. */
  waiting(reason: string): void
}

const LOG_POLL_MS = 50
/** Of a torrent, so much is read at a time: some MiB, in a few milliseconds. */
const READS_AT_ONCE = 256
/** After a pattern has run away: it must not hold up the daemon again and again. */
const SLOW_POLL_MS = 2000
/** A pattern sees this much of a line. */
const MAX_LINE = 8 * 1024

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
  const watch = new SettleWatch(pid, performance.now())
  let timer: NodeJS.Timeout
  const look = (): void => {
    const found = watch.poll(performance.now())
    if (found === 'over') return events.ready()
    if (found === 'stopped') {
      events.waiting(`it is stopped, by SIGSTOP or a debugger; kill -CONT ${pid} lets it go on`)
    }
    timer = setTimeout(look, watch.pauseMs)
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
  const what = `a log line like /${check.pattern}/${check.flags}`
  events.waiting(`waiting for ${what}`)
  const look = (): void => {
    let pauseMs = LOG_POLL_MS
    for (const tail of subject.logs) {
      const lines = readAll(tail)
      if (lines.length === 0) continue
      // The last line counts before its newline comes: prompts have none.
      const found = matches(
        check,
        lines.map((line) => messageOf(line, subject.format).slice(0, MAX_LINE)),
      )
      if (found === true) return events.ready()
      if (found === false) continue
      events.waiting(`waiting for ${what}, which takes too long to match with what it logs`)
      pauseMs = SLOW_POLL_MS
    }
    timer = setTimeout(look, pauseMs)
  }
  let timer = setTimeout(look, LOG_POLL_MS)
  return () => clearTimeout(timer)
}

/** Each read takes 32 KiB at most. */
function readAll(tail: LogTail): string[] {
  const found: string[] = []
  for (let reads = 0; reads < READS_AT_ONCE; reads++) {
    const lines = tail.read()
    if (lines === null) break
    // The last one may go on: it comes again.
    if (found.length > 0) found.pop()
    found.push(...lines)
  }
  return found
}
