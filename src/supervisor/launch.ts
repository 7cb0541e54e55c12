import { accessSync, constants, realpathSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import type { ProcessAttributes } from '../model/spec.ts'
import { type Account, furtherGroups, lookUpGroup, lookUpUser } from './account.ts'
import { mayReport, type Preparation, prepared } from './launch-script.ts'

export interface LaunchRequest extends Omit<Preparation, 'attributes'> {
  readonly command: readonly string[]
  readonly attributes: ProcessAttributes
}

/** What to spawn so that the command runs with its attributes, under the pid of the process that is spawned. */
export interface Launch {
  readonly command: readonly string[]
  /** Set by the spawn itself, which then clears the supplementary groups. */
  readonly uid?: number
  readonly gid?: number
  /** Whom its log files must belong to; null: the daemon. */
  readonly owner: number | null
  /** Whether the script has anything to say on `reportFd`. */
  readonly reports: boolean
  /** What is not as it was asked for, and known before the start. */
  readonly notes: readonly string[]
}

/**
 * @returns the plain command, at no cost, when nothing is asked for
 * @throws Error with the reason when it could not run as the user that is asked for: never as another one
 */
export function launchOf(request: LaunchRequest): Launch {
  const { command, attributes } = request
  const identity = identityOf(attributes)
  const reports = mayReport(attributes) && request.reportFd !== null
  if (identity === null) return { command: prepared(command, request), owner: null, reports, notes: [] }
  const { account, gid } = identity
  const owner = account?.uid ?? null
  const setpriv = findSetpriv()
  if (setpriv !== null) {
    const dropping = [setpriv, ...setprivFlags(account, gid), '--', ...command]
    return { command: prepared(dropping, request), owner, reports, notes: [] }
  }
  const groups = account?.name ? furtherGroups(account.name) : []
  const note = `it runs without the supplementary groups of ${account?.name} (${groups.join(', ')}): setting them needs setpriv of util-linux, which is not installed`
  const ids = account === null ? { gid } : { uid: account.uid, gid }
  return { command: prepared(command, request), ...ids, owner, reports, notes: groups.length > 0 ? [note] : [] }
}

/**
 * For a command that runs beside an app (a hook, a check): as the same user, with the same attributes. What the system
 * refuses is told by the app's own start.
 *
 * @throws Error like launchOf
 */
export function launchBeside(command: readonly string[], attributes: ProcessAttributes): Launch {
  const asked = { attributes, listenPid: false }
  if (isPlain(asked)) return { command, owner: null, reports: false, notes: [] }
  return launchOf({ ...asked, command, reportFd: null })
}

/** HOME and the like of the user an app runs as; none when that is the daemon's own. */
export function loginVariables({ user }: ProcessAttributes): Record<string, string> {
  const account = user === null ? null : lookUpUser(user)
  if (account === null) return {}
  const name = account.name ?? String(account.uid)
  return { HOME: account.home ?? '/', USER: name, LOGNAME: name, SHELL: account.shell ?? '/bin/sh' }
}

interface Identity {
  /** null: the daemon's own user, with another group. */
  readonly account: Account | null
  readonly gid: number
}

/** Whom the process must become; null: it stays who the daemon is. */
function identityOf({ user, group }: ProcessAttributes): Identity | null {
  if (user === null && group === null) return null
  const account = user === null ? null : lookUpUser(user)
  if (user !== null && account === null) throw new Error(`there is no user ${user} on this machine`)
  const declared = group === null ? null : lookUpGroup(group)
  if (group !== null && declared === null) throw new Error(`there is no group ${group} on this machine`)
  const gid = declared ?? account?.gid ?? null
  if (gid === null) throw new Error(`user ${user} has no entry in the password database: name its "group" too`)
  const ownUid = process.geteuid?.() ?? -1
  const ownGid = process.getegid?.() ?? -1
  const isOwnUser = account === null || account.uid === ownUid
  if (isOwnUser && gid === ownGid) return null
  if (ownUid !== 0) {
    const who = isOwnUser ? `with group ${group}` : `as user ${user}`
    throw new Error(`to run ${who}, the daemon must run as root; this one runs as user ${ownUid}`)
  }
  return { account: isOwnUser ? null : account, gid }
}

/** All groups of the user by initgroups(3), whatever the name service; of a mere number there are none. */
function setprivFlags(account: Account | null, gid: number): string[] {
  if (account === null) return [`--regid=${gid}`, '--keep-groups']
  return [`--reuid=${account.uid}`, `--regid=${gid}`, account.name === null ? '--clear-groups' : '--init-groups']
}

let knownSetpriv: string | null = null

/** The setpriv of util-linux; that of busybox cannot change the user. */
function findSetpriv(): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/bin', '/usr/sbin', '/sbin']
  return (knownSetpriv ??= folders.map((folder) => join(folder, 'setpriv')).find(isUtilLinux) ?? null)
}

function isUtilLinux(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return isAbsolute(path) && !realpathSync(path).endsWith('busybox')
  } catch {
    return false
  }
}

/** Whether starting it takes nothing but a plain spawn. */
export function isPlain({ attributes, listenPid }: Omit<LaunchRequest, 'command' | 'reportFd'>): boolean {
  const { user, group, umask } = attributes
  if (user !== null || group !== null || umask !== SPEC_DEFAULTS.attributes.umask) return false
  return !listenPid && !mayReport(attributes)
}
