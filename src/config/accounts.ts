import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export interface AccountProblem {
  readonly message: string
  readonly hint: string | null
}

/**
 * Why this process cannot start others as this user or group; null: it can.
 *
 * Names are looked up in /etc/passwd or /etc/group, and then by getent, which knows those from LDAP too.
 */
export function accountProblem(kind: 'user' | 'group', name: string): AccountProblem | null {
  const id = /^\d+$/.test(name) ? Number(name) : findId(kind, name)
  const shown = JSON.stringify(name)
  if (id === null) {
    const create = kind === 'user' ? `useradd --system ${name}` : `groupadd --system ${name}`
    return { message: `does not exist on this machine: ${shown}`, hint: /^[a-z_][\w-]*$/.test(name) ? create : null }
  }
  const own = kind === 'user' ? process.getuid?.() : process.getgid?.()
  if (own === undefined || process.getuid?.() === 0 || id === own) return null
  return {
    message: `is ${shown}, but eco does not run as root, so it cannot start an app as another ${kind}`,
    hint: `run eco and its daemon as root, or leave ${kind} out`,
  }
}

function findId(kind: 'user' | 'group', name: string): number | null {
  const database = kind === 'user' ? 'passwd' : 'group'
  return idIn(read(`/etc/${database}`), name) ?? (name.startsWith('-') ? null : idIn(ask(database, name), name))
}

/** `name:x:1000:…` */
function idIn(text: string, name: string): number | null {
  for (const line of text.split('\n')) {
    const [entry, , id] = line.split(':')
    if (entry === name && id !== undefined && /^\d+$/.test(id)) return Number(id)
  }
  return null
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function ask(database: string, name: string): string {
  try {
    return execFileSync('getent', [database, name], {
      encoding: 'utf8',
      timeout: 5000,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  } catch {
    return '' // not there, or no getent: macOS
  }
}
