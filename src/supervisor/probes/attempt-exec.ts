import { type ChildProcess, spawn } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'
import type { ExecCheck } from '../../model/spec.ts'
import { descendants, type ProcIdentity, identify, isAlive, sessionMembers } from '../proc.ts'
import { launchBeside } from '../launch.ts'
import type { AttemptResult, ProbeSubject } from './attempt.ts'
import { isLate, onDeadline } from './deadline.ts'
import { inconclusiveCode, seconds } from './words.ts'

/** Of what it prints, the end is kept for the reason. */
const KEPT_OUTPUT = 2048
/** A command that prints more than this is no probe: its pipes are closed, and that ends it. */
const MAX_OUTPUT_BYTES = 1 << 20
/** How long what it printed last may take to arrive once it has ended. */
const OUTPUT_GRACE_MS = 100

/**
 * Runs a command in the instance's folder and environment; exit code 0 passes. At the timeout it is killed with all that
 * it started, and what it left behind when it ended by itself is killed too: a probe that runs every ten seconds must
 * not fill the machine.
 */
export function attemptExec(
  { command }: ExecCheck,
  subject: ProbeSubject,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<AttemptResult> {
  const [file] = command
  const what = `exec ${file}`
  return new Promise((resolve) => {
    let child: ChildProcess
    try {
      const { command: whole, uid, gid } = launchBeside(command, subject.attributes)
      const [program = '', ...args] = whole
      const options = { cwd: subject.cwd, env: subject.environment(), detached: true, uid, gid }
      child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    } catch (error) {
      return resolve(spawnFailure(what, error as NodeJS.ErrnoException))
    }
    const output = collectOutput(child)
    let late: AttemptResult | null = null

    const end = (result: AttemptResult): void => {
      stopClock()
      signal.removeEventListener('abort', aborted)
      child.stdout?.destroy()
      child.stderr?.destroy()
      resolve(result)
    }
    const aborted = (): void => {
      late ??= { type: 'inconclusive', reason: `${what} was ended` }
      killTree(child)
    }
    const stopClock = onDeadline(timeoutMs, (lateMs) => {
      late ??= isLate(lateMs) ?? {
        type: 'failure',
        reason: withOutput(`${what} did not end within ${seconds(timeoutMs)}`, output()),
      }
      killTree(child)
    })
    signal.addEventListener('abort', aborted)

    child.once('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) end(spawnFailure(what, error))
    })
    child.once('exit', (code, by) => {
      if (child.pid !== undefined && sessionMembers(child.pid, true).length > 0) killGroup(child.pid)
      const judge = (): void => {
        clearTimeout(grace)
        if (late) return end(late)
        if (code === 0) return end({ type: 'success' })
        const how = by === null ? `ended with exit code ${code}` : `was ended by ${by}`
        end({ type: 'failure', reason: withOutput(`${what} ${how}`, output()) })
      }
      // Its pipes end with it, unless somebody who left its session holds them.
      const grace = setTimeout(judge, OUTPUT_GRACE_MS)
      child.once('close', judge)
    })
  })
}

/** Collects the end of what it prints. @returns the last line so far, '' when there is none */
function collectOutput(child: ChildProcess): () => string {
  let text = ''
  let bytes = 0
  for (const pipe of [child.stdout, child.stderr]) {
    pipe?.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      text = (text + chunk.subarray(-KEPT_OUTPUT).toString('utf8')).slice(-KEPT_OUTPUT)
      if (bytes <= MAX_OUTPUT_BYTES) return
      child.stdout?.destroy()
      child.stderr?.destroy()
    })
    pipe?.on('error', () => {})
  }
  return () => lastLine(text)
}

function lastLine(text: string): string {
  const line = stripVTControlCharacters(text)
    .split(/[\r\n]+/)
    .findLast((it) => it.trim() !== '')
  const plain = (line ?? '').replace(/\p{Cc}/gu, ' ').trim()
  return plain.length > 200 ? `${plain.slice(0, 199)}…` : plain
}

function withOutput(what: string, line: string): string {
  return line === '' ? what : `${what}: ${line}`
}

/** A command that cannot be run has failed; that eco lacks descriptors or processes says nothing about the instance. */
function spawnFailure(what: string, error: NodeJS.ErrnoException): AttemptResult {
  if (inconclusiveCode(error.code)) return { type: 'inconclusive', reason: `${what} could not be run: ${error.code}` }
  const why =
    error.code === 'ENOENT' ? 'no such program, or its working directory is gone' : (error.code ?? error.message)
  return { type: 'failure', reason: `${what} could not be run: ${why}` }
}

/** Its group, and those of its descendants that left it. */
function killTree(child: ChildProcess): void {
  const { pid } = child
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const others = descendants(pid).map(identify)
  killGroup(pid)
  for (const other of others) if (other && isAlive(other)) killOne(other)
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // it has ended already
  }
}

function killOne({ pid }: ProcIdentity): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it has ended already
  }
}
