import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Owner } from './init-system.ts'

export interface Account extends Owner {
  readonly name: string
}

/** By name or uid, from /etc/passwd, and then by getent, which knows those from LDAP too. */
export function findAccount(nameOrUid: string): Account | null {
  return accountIn(passwd(), nameOrUid) ?? (nameOrUid.startsWith('-') ? null : accountIn(ask(nameOrUid), nameOrUid))
}

/** `alice:x:1000:1000:Alice:/home/alice:/bin/sh` */
export function accountIn(text: string, nameOrUid: string): Account | null {
  for (const line of text.split('\n')) {
    const [name, , uid, , , home] = line.split(':')
    if (name && home && (name === nameOrUid || uid === nameOrUid)) return { name, uid: Number(uid), home }
  }
  return null
}

function passwd(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8')
  } catch {
    return ''
  }
}

function ask(name: string): string {
  try {
    const stdio = ['ignore', 'pipe', 'ignore'] as const
    return execFileSync('getent', ['passwd', name], { encoding: 'utf8', timeout: 5000, stdio: [...stdio] })
  } catch {
    return ''
  }
}
