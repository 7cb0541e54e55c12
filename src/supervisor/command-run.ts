import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import type { RunLogs } from '../logs/run-logs.ts'
import type { Hook, ProcessAttributes } from '../model/spec.ts'
import { spawnMessage } from './child.ts'
import { launchBeside } from './launch.ts'
import type { Outputs } from './outputs.ts'

/** A command that runs on the app's behalf: a hook, or the command that asks it to stop. */
export interface CommandRun {
  /** Ends it, with all it started; `ended` still comes. */
  cancel(): void
}

export interface CommandContext {
  readonly cwd: string
  readonly env: Record<string, string>
  /** As whom it runs, and with which limits: like the app itself. */
  readonly attributes: ProcessAttributes
  /** Where its output goes: the log of the instance, so that nobody has to look in another place; null: nowhere. */
  readonly log: string | null
  readonly outputs: Outputs
  readonly logs: RunLogs
}

const OUTPUT_LINES = 5
/** Characters of one of them, in a reason. */
const MAX_SAID = 500

/**
 * Runs a command of the user to its end, or until its time is over.
 *
 * @param ended called once: null, or why it did not succeed, with the last lines it wrote
 */
export function runCommand(
  { command, timeoutMs }: Hook,
  { cwd, env, attributes, log, outputs, logs }: CommandContext,
  ended: (failure: string | null) => void,
): CommandRun {
  const from = log === null ? null : logs.endOf(log)
  let verdict: string | null = null
  let isOver = false
  const end = (failure: string | null): void => {
    if (isOver) return
    isOver = true
    clearTimeout(timer)
    if (failure === null) return ended(null)
    const said = from === null ? [] : logs.lastLines(from, OUTPUT_LINES)
    ended([failure, ...said.map((line) => (line.length > MAX_SAID ? `${line.slice(0, MAX_SAID)}…` : line))].join('\n'))
  }
  let child: ChildProcess | null = null
  const kill = (reason: string): void => {
    verdict ??= reason
    try {
      // Its whole group: a shell does not pass signals on.
      if (child?.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // Gone already: its exit is on the way.
    }
  }
  const timer = setTimeout(() => kill(`did not end within ${timeoutMs / 1000}s`), timeoutMs)
  try {
    const out = log === null ? 'ignore' : outputs.open(log)
    try {
      const { command: whole, uid, gid } = launchBeside(command, attributes)
      const [file = '', ...args] = whole
      child = spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', out, out], uid, gid })
    } finally {
      if (out !== 'ignore') closeSync(out)
    }
    child.once('error', (error: NodeJS.ErrnoException) =>
      end(`could not be started: ${spawnMessage(error, { command, cwd })}`),
    )
    child.once('exit', (code, signal) => {
      if (log !== null) outputs.settle(log)
      if (verdict === null && code === 0) return end(null)
      end(verdict ?? (signal === null ? `exited with code ${code}` : `was killed by ${signal}`))
    })
  } catch (error) {
    const { message } = error as Error
    setImmediate(() => end(`could not be started: ${message}`))
  }
  return { cancel: () => kill('was cancelled') }
}
