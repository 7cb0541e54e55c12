import { spawn } from 'node:child_process'
import { unreachable } from '../errors.ts'
import { readNewLines, type TailPosition } from '../logs/tail.ts'
import type { Ready, ReadyCheck } from '../model/spec.ts'
import { attemptConnection, type AttemptResult } from './probe-connection.ts'
import { SettleWatch } from './settle.ts'

export interface ReadySubject {
  readonly pid: number
  readonly cwd: string
  readonly env: Record<string, string>
  /** Log files, with their sizes when this incarnation was started: only what it wrote itself counts. */
  readonly logs: readonly { readonly path: string; readonly offset: number }[]
}

export interface ReadyEvents {
  ready(): void
  /** The latest reason why it is not ready yet. */
  waiting(reason: string): void
}

/** Attempts of one check follow each other; each may take this long at most. Milliseconds. */
const ATTEMPT_TIMEOUT_MS = 5000
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
    case 'notify':
      events.waiting('waiting for its ready signal')
      return () => {} // the pipe of the child reports it
    case 'delay':
      return after(check.ms, events)
    case 'settled':
      return process.platform === 'linux' ? watchSettle(subject.pid, events) : after(1000, events)
    case 'log':
      return watchLog(check, subject, events)
    case 'tcp':
    case 'http':
      return repeat(ready.intervalMs, events, () => attemptConnection(check, subject.pid, ATTEMPT_TIMEOUT_MS))
    case 'exec':
      return repeat(ready.intervalMs, events, () => attemptExec(check.command, subject))
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
function repeat(intervalMs: number, events: ReadyEvents, attempt: () => Promise<AttemptResult>): () => void {
  let ended = false
  let timer: NodeJS.Timeout | undefined
  const next = (): void => {
    attempt().then(
      (failure) => {
        if (ended) return
        if (failure === null) return events.ready()
        events.waiting(failure)
        timer = setTimeout(next, intervalMs)
      },
      (error: Error) => {
        if (ended) return
        events.waiting(error.message)
        timer = setTimeout(next, intervalMs)
      },
    )
  }
  next()
  return () => {
    ended = true
    clearTimeout(timer)
  }
}

function attemptExec(command: readonly string[], subject: ReadySubject): Promise<AttemptResult> {
  const [file, ...args] = command
  return new Promise((resolve) => {
    const child = spawn(file ?? '', args, {
      cwd: subject.cwd,
      env: subject.env,
      stdio: 'ignore',
      detached: true,
    })
    // Whatever it started goes with it.
    const timer = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    }, ATTEMPT_TIMEOUT_MS)
    child.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      resolve(`exec ${file}: ${error.code ?? error.message}`)
    })
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      if (code === 0) resolve(null)
      else resolve(`exec ${file}: ${signal === null ? `exit code ${code}` : `ended by ${signal}`}`)
    })
  })
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
