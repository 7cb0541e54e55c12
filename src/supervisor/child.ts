import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, constants, mkdirSync, openSync, statSync } from 'node:fs'
import type { Socket } from 'node:net'
import { dirname } from 'node:path'
import type { Exit } from '../model/observed.ts'
import { FIRST_LISTEN_FD, SYSTEMD_FIRST_FD } from './environment.ts'

export interface SpawnRequest {
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Record<string, string>
  readonly stdout: string
  readonly stderr: string
  readonly listenFds: readonly number[]
  /** Also hand the sockets over from descriptor 3 on (systemd's protocol). */
  readonly systemdFds: boolean
  /** Open a pipe at this descriptor and report the line `ready` on it; null: none. */
  readonly readyFd: number | null
}

export interface ChildEvents {
  exited(exit: Exit): void
  ready(): void
}

/**
 * Starts one instance as the leader of a session of its own (so that signals reach its whole group), its output going
 * straight into files: a pipe through the daemon would kill the app with EPIPE when the daemon dies.
 *
 * @returns the pid, or null when it could not be started; then `exited` follows with the reason
 */
export function spawnInstance(request: SpawnRequest, events: ChildEvents): number | null {
  const [file, ...args] = request.command
  if (file === undefined) throw new Error('Internal error: empty command')
  const opened: number[] = []
  let child: ChildProcess
  try {
    const out = openLog(request.stdout)
    opened.push(out)
    const err = request.stderr === request.stdout ? out : openLog(request.stderr)
    opened.push(err)
    child = spawn(file, args, {
      cwd: request.cwd,
      env: request.env,
      detached: true,
      stdio: stdioOf(request, out, err),
    })
  } catch (error) {
    const message = (error as Error).message
    setImmediate(() => events.exited({ kind: 'spawn-error', message, at: Date.now() }))
    return null
  } finally {
    for (const fd of new Set(opened)) closeSync(fd)
  }
  child.once('error', (error: NodeJS.ErrnoException) => {
    if (child.pid !== undefined) return // a signal that failed; the process itself goes on
    events.exited({ kind: 'spawn-error', message: spawnMessage(error, request), at: Date.now() })
  })
  child.once('exit', (code, signal) => {
    const at = Date.now()
    events.exited(signal === null ? { kind: 'code', code: code ?? 0, at } : { kind: 'signal', signal, at })
  })
  if (request.readyFd !== null && child.pid !== undefined) watchReadyPipe(child, request.readyFd, events)
  return child.pid ?? null
}

type Stdio = 'ignore' | 'pipe' | number

function stdioOf(request: SpawnRequest, out: number, err: number): Stdio[] {
  const stdio: Stdio[] = ['ignore', out, err]
  request.listenFds.forEach((fd, i) => {
    if (request.systemdFds) stdio[SYSTEMD_FIRST_FD + i] = fd
    stdio[FIRST_LISTEN_FD + i] = fd
  })
  if (request.readyFd !== null) stdio[request.readyFd] = 'pipe'
  return Array.from(stdio, (entry) => entry ?? 'ignore')
}

/** Never follows a symlink: a log path must not become a way to write elsewhere. */
export function openLog(path: string): number {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants
  const flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW
  try {
    return openSync(path, flags, 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    return openSync(path, flags, 0o600)
  }
}

/** spawn reports ENOENT for a missing program and for a missing working directory alike. */
export function spawnMessage(error: NodeJS.ErrnoException, request: Pick<SpawnRequest, 'command' | 'cwd'>): string {
  const program = request.command[0] ?? ''
  if (error.code === 'ENOENT') {
    if (!isDirectory(request.cwd)) return `its working directory ${request.cwd} does not exist`
    return program.includes('/') ? `${program} does not exist` : `${program} was not found on PATH`
  }
  if (error.code === 'EACCES') return `${program} may not be executed (EACCES)`
  return `${program}: ${error.code ?? error.message}`
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

function watchReadyPipe(child: ChildProcess, fd: number, events: ChildEvents): void {
  const pipe = child.stdio[fd as 3] as unknown as Socket | null
  if (!pipe) return
  let text = ''
  pipe.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString('utf8')).slice(-64)
    if (!/(^|\n)ready\r?\n/.test(text)) return
    pipe.destroy()
    events.ready()
  })
  pipe.on('error', () => pipe.destroy())
}
