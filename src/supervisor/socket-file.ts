import { chmodSync, lchownSync, lstatSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { EcoError } from '../errors.ts'
import type { Listen } from '../model/spec.ts'
import { lookUpGroup, lookUpUser } from './account.ts'

/** What is made in a folder with this bit gets the folder's group. */
const SETGID = 0o2000

type UnixListen = Extract<Listen, { type: 'unix' }>

/** Whether two declarations of one path want another file of it. */
export function isSameFile(a: UnixListen, b: UnixListen): boolean {
  return a.mode === b.mode && a.user === b.user && a.group === b.group
}

/**
 * Gives the file of a bound unix socket the mode and the owner that are declared, and what it would have had by itself
 * where nothing is. Those who are connected stay so.
 *
 * @throws EcoError GUARD when there is no such account, or the system refuses
 */
export function fitSocketFile(listen: UnixListen): void {
  const { path } = listen
  const mode = listen.mode ?? 0o777 & ~process.umask()
  const uid = ownerOf(listen)
  const gid = groupOf(listen)
  try {
    const is = lstatSync(path)
    if (is.uid !== uid || is.gid !== gid) {
      // Meanwhile it is open to nobody who must not use it, neither before nor after.
      chmodSync(path, is.mode & mode & 0o777)
      lchownSync(path, uid, gid)
    }
    chmodSync(path, mode)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return // somebody removed it: nobody can connect, and those who are go on
    const wanted = `mode ${mode.toString(8)}, user ${listen.user ?? uid}, group ${listen.group ?? gid}`
    throw new EcoError('GUARD', `Cannot give the socket ${path} ${wanted}: ${code ?? message}.`, {
      hint: code === 'EPERM' ? 'run the daemon as root, or leave user and group out' : undefined,
    })
  }
}

function ownerOf({ user, path }: UnixListen): number {
  if (user === undefined) return process.geteuid?.() ?? 0
  const account = lookUpUser(user)
  if (account === null) throw missing(path, 'user', user)
  return account.uid
}

function groupOf({ group, path }: UnixListen): number {
  if (group === undefined) {
    const folder = statSync(dirname(path))
    return folder.mode & SETGID ? folder.gid : (process.getegid?.() ?? 0)
  }
  const gid = lookUpGroup(group)
  if (gid === null) throw missing(path, 'group', group)
  return gid
}

function missing(path: string, kind: 'user' | 'group', name: string): EcoError {
  return new EcoError('GUARD', `The socket ${path} is to belong to ${kind} ${name}, which does not exist here.`)
}
