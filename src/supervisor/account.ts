import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A user of this machine, as passwd(5) has it. */
export interface Account {
  /** null: a number without an entry. */
  readonly name: string | null
  readonly uid: number
  /** Its primary group; null: a number without an entry. */
  readonly gid: number | null
  readonly home: string | null
  readonly shell: string | null
}

const LOOKUP_TIMEOUT_MS = 2000
/** How long an answer from the network (LDAP and the like) is good: a restart must not ask again each time. */
const REMEMBER_MS = 60_000

/** @param user name or number. @returns null when there is no user of that name */
export function lookUpUser(user: string): Account | null {
  const entry = entryOf('passwd', user, 2)
  if (entry === null) {
    return isNumber(user) ? { name: null, uid: Number(user), gid: null, home: null, shell: null } : null
  }
  const [name = '', , uid, gid, , home = '', shell = ''] = entry
  return { name, uid: Number(uid), gid: Number(gid), home: home || '/', shell: shell || '/bin/sh' }
}

/** @param group name or number. @returns its number; null when there is no group of that name */
export function lookUpGroup(group: string): number | null {
  if (isNumber(group)) return Number(group)
  const entry = entryOf('group', group, 2)
  return entry === null ? null : Number(entry[2])
}

/** The names of the groups that list a user as a member, of those in /etc/group. */
export function furtherGroups(user: string): string[] {
  return localEntries('group').flatMap(([group = '', , , members = '']) =>
    members.split(',').includes(user) ? [group] : [],
  )
}

/** The fields of an entry, by its name or by the number at `index`. */
function entryOf(database: 'passwd' | 'group', key: string, index: number): string[] | null {
  const matches = (fields: readonly string[]): boolean => fields[0] === key || (isNumber(key) && fields[index] === key)
  return localEntries(database).find(matches) ?? fromNameService(database, key)
}

function localEntries(database: 'passwd' | 'group'): string[][] {
  let text: string
  try {
    text = readFileSync(`/etc/${database}`, 'utf8')
  } catch {
    return []
  }
  return text.split('\n').flatMap((line) => (line === '' || line.startsWith('#') ? [] : [line.split(':')]))
}

const remembered = new Map<string, { readonly entry: string[]; readonly until: number }>()

/** Users that are not in the file: LDAP, sssd, systemd's dynamic ones. */
function fromNameService(database: 'passwd' | 'group', key: string): string[] | null {
  const known = remembered.get(`${database}:${key}`)
  if (known && known.until > Date.now()) return known.entry
  const { status, stdout } = spawnSync('getent', [database, key], { encoding: 'utf8', timeout: LOOKUP_TIMEOUT_MS })
  const entry = status === 0 ? stdout.trimEnd().split(':') : []
  if (entry.length < 3) return null
  remembered.set(`${database}:${key}`, { entry, until: Date.now() + REMEMBER_MS })
  return entry
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text)
}
