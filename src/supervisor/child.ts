import { type ChildProcess, type SendHandle, spawn } from 'node:child_process'
import { closeSync, fchownSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Exit } from '../model/observed.ts'
import type { ProcessAttributes } from '../model/spec.ts'
import type { BoundHandle } from './bind-socket.ts'
import { FIRST_LISTEN_FD, SYSTEMD_FIRST_FD } from './environment.ts'
import { closedTo, findProgram, isDirectory } from './find-program.ts'
import { isPlain, type Launch, launchOf } from './launch.ts'
import { launchNotes } from './launch-notes.ts'
import { outputIdentity } from './output-identity.ts'
import type { Outputs } from './outputs.ts'

const CHANNEL_FD = 3

export interface SpawnRequest {
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Record<string, string>
  readonly attributes: ProcessAttributes
  /** What Node is told to load first; null: nothing. */
  readonly preload: string | null
  /** Log files; null: discarded. */
  readonly stdout: string | null
  readonly stderr: string | null
  readonly outputs: Outputs
  readonly listenFds: readonly number[]
  /** Also hand the sockets over from descriptor 3 on (systemd's protocol). */
  readonly systemdFds: boolean
  /** Give Node a channel by which it asks for the sockets of ports. */
  readonly hasChannel: boolean
  /** Open a pipe at this descriptor and report the line `ready` on it; null: none. */
  readonly readyFd: number | null
}

export interface GivenSocket {
  readonly handle: BoundHandle
  readonly index: number
}

export interface ChildEvents {
  exited(exit: Exit): void
  /** It asks for the socket of a port. @param asked whatever it sent */
  asked(asked: { readonly port?: unknown; readonly host?: unknown }): GivenSocket | null
  ready(): void
  /** What is not as its attributes ask for, each a sentence; only when there is something to say. */
  noted(notes: readonly string[]): void
}

/**
 * Starts one instance as the leader of a session of its own (so that signals reach its whole group), its output going
 * straight into files: a pipe through the daemon would kill the app with EPIPE when the daemon dies.
 *
 * @returns the pid, or null when it could not be started; then `exited` follows with the reason
 */
export function spawnInstance(request: SpawnRequest, events: ChildEvents): number | null {
  const opened: number[] = []
  const reportFd = reportFdOf(request)
  let launch: Launch
  let child: ChildProcess
  try {
    launch = launchFor(request, reportFd)
    const [file, ...args] = launch.command
    if (file === undefined) throw new Error('Internal error: empty command')
    const open = (log: string): number => {
      const fd = request.outputs.open(log)
      opened.push(fd)
      return fd
    }
    const out = request.stdout === null ? 'ignore' : open(request.stdout)
    const isMerged = request.stderr === request.stdout
    const err = request.stderr === null ? 'ignore' : isMerged ? out : open(request.stderr)
    for (const fd of opened) giveLog(fd, launch.owner)
    const stdio = stdioOf(request, out, err)
    if (launch.reports && reportFd !== null) stdio[reportFd] = 'pipe'
    const { uid, gid } = launch
    const env = request.preload === null ? request.env : { ...request.env, ...outputIdentity(opened) }
    child = spawn(file, args, { cwd: request.cwd, env, detached: true, stdio, uid, gid })
  } catch (error) {
    const message = (error as Error).message
    setImmediate(() => events.exited({ kind: 'spawn-error', message, at: Date.now() }))
    return null
  } finally {
    for (const fd of opened) closeSync(fd)
  }
  child.once('error', (error: NodeJS.ErrnoException) => {
    if (child.pid !== undefined) return // a signal that failed; the process itself goes on
    events.exited({ kind: 'spawn-error', message: spawnMessage(error, request), at: Date.now() })
  })
  child.once('exit', (code, signal) => {
    const at = Date.now()
    for (const log of [request.stdout, request.stderr]) if (log !== null) request.outputs.settle(log)
    events.exited(signal === null ? { kind: 'code', code: code ?? 0, at } : { kind: 'signal', signal, at })
  })
  if (child.pid === undefined) return null
  if (request.readyFd !== null) watchReadyPipe(child, request.readyFd, events)
  if (request.hasChannel) answerChannel(child, events)
  if (launch.reports) watchReport(child, reportFd, request.attributes, launch.notes, events)
  else if (launch.notes.length > 0) setImmediate(() => events.noted(launch.notes))
  return child.pid
}

/**
 * The spawn, and what makes of it the process that is asked for.
 *
 * @throws Error with a reason for people
 */
function launchFor(request: SpawnRequest, reportFd: number | null): Launch {
  const { command, attributes, systemdFds } = request
  const asked = { attributes, listenPid: systemdFds }
  if (isPlain(asked)) return { command, owner: null, reports: false, notes: [] }
  const launch = launchOf({ ...asked, command, reportFd })
  // A shell stands between: of a missing program it would only say "exited with code 127".
  if (launch.command !== command || launch.owner !== null) refuseMissing(request, launch.owner)
  return launch
}

/** The first descriptor of one digit that is free: a POSIX shell knows no larger one. */
function reportFdOf({ listenFds, systemdFds, readyFd, hasChannel }: SpawnRequest): number | null {
  const first = SYSTEMD_FIRST_FD + (systemdFds ? listenFds.length : 0) + (hasChannel ? 1 : 0)
  const fd = first === readyFd ? first + 1 : first
  return fd <= 9 ? fd : null
}

type Stdio = 'ignore' | 'pipe' | 'ipc' | number

function stdioOf(request: SpawnRequest, out: number | 'ignore', err: number | 'ignore'): Stdio[] {
  const stdio: Stdio[] = ['ignore', out, err]
  request.listenFds.forEach((fd, i) => {
    if (request.systemdFds) stdio[SYSTEMD_FIRST_FD + i] = fd
    stdio[FIRST_LISTEN_FD + i] = fd
  })
  if (request.readyFd !== null) stdio[request.readyFd] = 'pipe'
  // As low as it goes: Node keeps it from what the app starts.
  if (request.hasChannel) stdio[CHANNEL_FD] = 'ipc'
  return Array.from(stdio, (entry) => entry ?? 'ignore')
}

/** So that an app which opens /dev/stdout or /dev/stderr once more may do so; eco as root reads it all the same. */
function giveLog(fd: number, owner: number | null): void {
  if (owner === null) return
  try {
    fchownSync(fd, owner, process.getegid?.() ?? 0)
  } catch {
    // The descriptor it inherits is good either way.
  }
}

/** @throws Error when the program is not there, or not for the user that is to run it */
function refuseMissing(request: SpawnRequest, owner: number | null): void {
  const found = findProgram(request)
  if ('code' in found) throw new Error(spawnMessage({ name: '', message: '', code: found.code }, request))
  if (owner === null) return
  const { user } = request.attributes
  const program = closedTo(owner, found.path, 1)
  if (program !== null) {
    const where = program === found.path ? 'it' : program
    throw new Error(`user ${user} may not execute ${found.path}: ${where} is closed to it`)
  }
  if (request.preload === null) return
  const preload = closedTo(owner, request.preload, 4)
  if (preload === null) return
  throw new Error(
    `user ${user} cannot read eco's ${request.preload}: ${preload} is closed to it; install eco where all users can read it`,
  )
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

/** Messages by a name that begins so are not told to the world: `internalMessage`. */
const ASK = 'NODE_ECO_LISTEN'

function answerChannel(child: ChildProcess, events: ChildEvents): void {
  child.on('error', () => {}) // a process that is gone gets no answer
  const internal = child as unknown as { on(event: 'internalMessage', told: (message: unknown) => void): void }
  internal.on('internalMessage', (message) => {
    if (typeof message !== 'object' || message === null || !child.connected) return
    const { cmd, id, ...asked } = message as { cmd?: unknown; id?: unknown; port?: unknown; host?: unknown }
    if (cmd !== ASK || typeof id !== 'number') return
    const given = events.asked(asked)
    const reply = given === null ? { cmd: ASK, id } : { cmd: ASK, id, index: given.index }
    child.send(reply, given?.handle as SendHandle | undefined, () => {})
  })
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

/** The pipe ends when the process turns into its program, some milliseconds after the start. */
function watchReport(
  child: ChildProcess,
  fd: number | null,
  attributes: ProcessAttributes,
  known: readonly string[],
  events: ChildEvents,
): void {
  const pipe = child.stdio[fd as 3] as unknown as Socket | null
  if (!pipe) return
  let text = ''
  pipe.setEncoding('utf8')
  pipe.on('data', (chunk: string) => {
    text += chunk
  })
  pipe.on('error', () => pipe.destroy())
  pipe.on('close', () => {
    const notes = [...known, ...launchNotes(text, attributes)]
    if (notes.length > 0) events.noted(notes)
  })
}
