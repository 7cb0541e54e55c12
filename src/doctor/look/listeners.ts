import { readFileSync } from 'node:fs'
import type { OpenFiles } from './open-files.ts'

/** A socket that somebody listens on, in this network namespace. */
export interface Listener {
  /** null: a unix socket. */
  readonly port: number | null
  /** As it was bound; '' for tcp. */
  readonly path: string
  /** Empty: nobody that this user may look at. */
  readonly pids: readonly number[]
}

/** A text of /proc/net/tcp, tcp6 or unix, without what does not listen. Pure. */
export function parseTcp(text: string): { port: number; inode: string }[] {
  const LISTEN = '0A'
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const cells = line.trim().split(/\s+/)
      const [, local = '', , state] = cells
      if (state !== LISTEN) return []
      return [{ port: Number.parseInt(local.slice(local.indexOf(':') + 1), 16), inode: cells[9] ?? '0' }]
    })
}

export function parseUnix(text: string): { path: string; inode: string }[] {
  const ACCEPTS = '00010000' // __SO_ACCEPTCON
  return text.split('\n').flatMap((line) => {
    // Num RefCount Protocol Flags Type St Inode Path; a path may hold spaces.
    const match = /^\S+ \S+ \S+ (\S+) \S+ \S+ +(\d+) (.+)$/.exec(line)
    return match?.[1] === ACCEPTS ? [{ path: match[3] ?? '', inode: match[2] ?? '0' }] : []
  })
}

export function lookAtListeners({ holders }: OpenFiles): Listener[] {
  const of = (inode: string): readonly number[] => holders.get(inode) ?? []
  const tcp = ['tcp', 'tcp6'].flatMap((table) => parseTcp(read(table)))
  return [
    ...tcp.map(({ port, inode }) => ({ port, path: '', pids: of(inode) })),
    ...parseUnix(read('unix')).map(({ path, inode }) => ({ port: null, path, pids: of(inode) })),
  ]
}

function read(table: string): string {
  try {
    return readFileSync(`/proc/net/${table}`, 'utf8')
  } catch {
    return ''
  }
}
