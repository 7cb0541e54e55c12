/**
 * Exactly one daemon per ECO_HOME. Whoever answers on eco.sock is the daemon: the socket is the lock, not a pid file.
 *
 * A daemon binds a socket under a name of its own and then links it to eco.sock, which succeeds for one only. A socket
 * whose daemon died must be taken away first; that is done under a short-lived lock file, so that nobody takes away the
 * socket of the daemon that was quicker.
 */

import {
  linkSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { EcoError } from '../errors.ts'
import { removeFile } from '../state/atomic-file.ts'
import { socketPath } from '../state/paths.ts'
import { identify, isAlive, type ProcIdentity } from '../supervisor/proc.ts'

const RETRY_MS = 15
const GIVE_UP_MS = 10_000
/** A lock that says nobody's name for so long is nobody's. */
const UNNAMED_MS = 1000

/**
 * @param path of the socket, in `home`
 * @returns the listening server, or null when another process answers already
 */
export async function claimSocket(
  home: string,
  server: net.Server,
  path = socketPath(home),
): Promise<net.Server | null> {
  const own = join(home, `.sock.${process.pid}`)
  removeFile(own)
  await listen(server, own)
  try {
    const deadline = Date.now() + GIVE_UP_MS
    while (Date.now() < deadline) {
      if (tryLink(own, path)) return server
      if ((await presenceAt(path)) === 'answers') {
        server.close()
        return null
      }
      // Once more under the lock: a quicker daemon may have put its socket there since. Where none is, none is taken
      // away, for the next moment may bring one.
      await withTakeoverLock(home, async () => {
        if ((await presenceAt(path)) === 'refuses') takeAway(path)
      })
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
    throw new EcoError('DAEMON_UNREACHABLE', `Cannot claim ${path}: it could neither be reached nor replaced.`)
  } finally {
    removeFile(own)
  }
}

/** Goes on listening on the eco.sock of the daemon before this one: whoever has connected meanwhile is in its queue. */
export function inheritSocket(server: net.Server, fd: number): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ fd }, () => {
      server.off('error', reject)
      resolve(server)
    })
  })
}

/** Whether eco.sock is still this daemon's: somebody may have removed the folder, or the file. */
export function socketInode(home: string): number | null {
  try {
    return statSync(socketPath(home)).ino
  } catch {
    return null
  }
}

/** `answers`: a daemon is there; `refuses`: the socket is one that a daemon left; `absent`: there is none. */
export type Presence = 'answers' | 'refuses' | 'absent'

export function presenceAt(path: string): Promise<Presence> {
  return new Promise((resolve) => {
    const socket = net.connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve('answers')
    })
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      // EAGAIN: its queue is full, so it is a daemon, and a busy one.
      if (code === 'EAGAIN') resolve('answers')
      else resolve(code === 'ENOENT' ? 'absent' : 'refuses')
    })
  })
}

function listen(server: net.Server, path: string): Promise<void> {
  const before = process.umask(0o177) // the socket is created 0600; there is no moment in which others could connect
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  }).finally(() => process.umask(before))
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function takeAway(path: string): void {
  try {
    if (!lstatSync(path).isSocket()) {
      throw new EcoError('DAEMON_UNREACHABLE', `${path} is not a socket.`, {
        hint: `move it away: mv ${path} ${path}.old`,
      })
    }
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** Runs `work` if nobody else is at it. The lock of a process that died is broken. */
async function withTakeoverLock(home: string, work: () => Promise<void>): Promise<void> {
  const path = join(home, '.takeover')
  const own = `${path}.${process.pid}`
  writeName(own)
  const isMine = tryLink(own, path)
  removeFile(own)
  if (!isMine) return breakStaleLock(path)
  try {
    await work()
  } finally {
    removeFile(path)
  }
}

/** The lock comes into being with its holder's name in it; without one where the disk is full, which does for a moment. */
function writeName(path: string): void {
  try {
    writeFileSync(path, JSON.stringify(identify(process.pid)), { mode: 0o600 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error
  }
}

function breakStaleLock(path: string): void {
  let text: string
  let age: number
  try {
    age = Date.now() - statSync(path).mtimeMs
    text = readFileSync(path, 'utf8')
  } catch {
    return // it is gone
  }
  const holder = holderOf(text)
  // On a full disk it has no name.
  if (holder === null ? age < UNNAMED_MS : isAlive(holder)) return
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
    // Somebody else may have broken it, and a third have taken it, since it was read: it gets it back.
    if (readFileSync(aside, 'utf8') !== text) tryLink(aside, path)
  } catch {
    return
  }
  removeFile(aside)
}

function holderOf(text: string): ProcIdentity | null {
  try {
    return JSON.parse(text) as ProcIdentity | null
  } catch {
    return null
  }
}

/** Removes what daemons left that were killed while they claimed the socket. */
export function removeLeftClaims(home: string): void {
  for (const name of readdirSync(home)) {
    const pid = /^\.(?:sock|takeover)\.(\d+)$/.exec(name)?.[1]
    // Another daemon may be about to find out that it comes too late.
    if (pid !== undefined && Number(pid) !== process.pid && identify(Number(pid)) === null) removeFile(join(home, name))
  }
  breakStaleLock(join(home, '.takeover'))
}
