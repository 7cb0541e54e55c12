import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { call, NoDaemon, SilentDaemon } from '../../daemon/client.ts'
import type { Hello, Listing } from '../../daemon/protocol.ts'
import { EcoError } from '../../errors.ts'
import { socketPath } from '../../state/paths.ts'
import { pageBytes, readStat } from '../../supervisor/proc.ts'
import type { Listener } from './listeners.ts'

/** How long the daemon may take for what needs no work. */
const SILENCE_MS = 2000
const LISTING_MS = 5000

export type Contact =
  | { readonly type: 'absent' }
  /** A socket file that nobody listens on. */
  | { readonly type: 'left' }
  | { readonly type: 'silent' }
  | { readonly type: 'answers'; readonly hello: Hello }
  /** It cannot be talked to: another version, another user's, no eco at all. */
  | { readonly type: 'refuses'; readonly message: string; readonly hint: string | null }

/** What the system tells of a process that is, or may be, the daemon. */
export interface DaemonProcess {
  readonly pid: number
  readonly uid: number
  /** T: stopped by a signal. */
  readonly state: string
  readonly rssBytes: number
  /** The Node it runs on; null: not to be seen. */
  readonly node: string | null
  /** Its Node was removed, or replaced, since. */
  readonly isNodeGone: boolean
  /** Its own code. */
  readonly entry: string | null
  readonly isEntryGone: boolean
  readonly openFiles: number | null
}

export interface DaemonFacts {
  readonly socket: string
  readonly contact: Contact
  readonly process: DaemonProcess | null
  /** `eco ls`; null: nobody could be asked. */
  readonly listing: Listing | null
}

export async function lookAtDaemon(home: string, listeners: readonly Listener[]): Promise<DaemonFacts> {
  const socket = socketPath(home)
  const contact = await contactAt(home, socket)
  const pid = contact.type === 'answers' ? contact.hello.pid : pidBehind(home, contact, listeners)
  const process = pid === null ? null : processOf(pid)
  return { socket, contact, process, listing: contact.type === 'answers' ? await listingOf(home) : null }
}

async function contactAt(home: string, socket: string): Promise<Contact> {
  try {
    return { type: 'answers', hello: await call('hello', {}, { home, silenceMs: SILENCE_MS }) }
  } catch (error) {
    if (error instanceof NoDaemon) return { type: existsSync(socket) ? 'left' : 'absent' }
    if (error instanceof SilentDaemon) return { type: 'silent' }
    if (error instanceof EcoError) return { type: 'refuses', message: error.message, hint: error.hint }
    throw error
  }
}

/** A daemon binds `.sock.PID`, and links it to eco.sock: by that name the kernel knows its socket. */
function pidBehind(home: string, { type }: Contact, listeners: readonly Listener[]): number | null {
  if (type === 'absent' || type === 'left') return null
  const own = listeners.filter(({ path }) => path.startsWith(join(home, '.sock.')) || path === socketPath(home))
  return own.flatMap(({ pids }) => pids)[0] ?? null
}

async function listingOf(home: string): Promise<Listing | null> {
  try {
    const all = { selectors: [], project: null, environment: null }
    return await call('ls', all, { home, silenceMs: LISTING_MS })
  } catch {
    return null // it has ended, or hangs: the next look tells
  }
}

function processOf(pid: number): DaemonProcess | null {
  const stat = readStat(pid)
  if (stat === null) return null
  const exe = orNull(() => readlinkSync(`/proc/${pid}/exe`))
  const argv = (orNull(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? '').split('\0')
  const entry = argv.find((word) => word.endsWith('.cjs')) ?? null
  const REMOVED = ' (deleted)'
  return {
    pid,
    uid: orNull(() => statSync(`/proc/${pid}`).uid) ?? 0,
    state: stat.state,
    rssBytes: stat.rssPages * pageBytes(),
    node: exe?.replace(REMOVED, '') ?? null,
    isNodeGone: exe?.endsWith(REMOVED) ?? false,
    entry,
    isEntryGone: entry !== null && !existsSync(entry),
    openFiles: orNull(() => readdirSync(`/proc/${pid}/fd`).length),
  }
}

function orNull<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}
