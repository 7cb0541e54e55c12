import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive, type ProcIdentity, readStat } from '../../supervisor/proc.ts'
import type { HomeEntry, HomeFacts } from './home.ts'
import type { Listener } from './listeners.ts'

export interface Leftovers {
  /** Absolute paths of what a write, or a start, left that was cut short. */
  readonly files: readonly string[]
  /** Sockets of instances in `probe` and `notify` that nobody listens on. */
  readonly sockets: readonly string[]
}

/** Between the making and the renaming of a file there are milliseconds: what is this old belongs to nobody. */
const OLD_MS = 10 * 60_000

/** Names of files that exist for a moment only: those of writes end in a pid or a random number. */
const TEMPORARY: readonly { readonly pattern: RegExp; readonly pid: number | null }[] = [
  { pattern: /^scopes\/.+\.json\.(\d+)\.tmp$/, pid: 1 },
  { pattern: /^cache\/.+\.(\d+)(?:\.tmp)?$/, pid: 1 },
  { pattern: /^\.sock\.(\d+)$/, pid: 1 },
  { pattern: /^\.takeover\.(\d+)$/, pid: 1 },
  { pattern: /^secret\.key\.[0-9a-f]{12}$/, pid: null },
]

export function lookForLeftovers(home: HomeFacts, listeners: readonly Listener[], now: number): Leftovers {
  const served = new Set(listeners.map(({ path }) => path))
  const files = home.entries.filter((entry) => isLeft(home.path, entry, served, now))
  const sockets = home.entries.filter(
    ({ path, type }) =>
      type === 'socket' &&
      /^(?:probe|notify)\//.test(path) &&
      !served.has(join(home.path, path)) &&
      !isBound(home, path),
  )
  const absolute = ({ path }: HomeEntry): string => join(home.path, path)
  return { files: files.map(absolute), sockets: sockets.map(absolute) }
}

function isLeft(home: string, { path, modifiedAt }: HomeEntry, served: ReadonlySet<string>, now: number): boolean {
  if (path === '.takeover') return now - modifiedAt > 1000 && !isHeld(join(home, path))
  for (const { pattern, pid: group } of TEMPORARY) {
    const match = pattern.exec(path)
    if (match === null) continue
    if (served.has(join(home, path))) return false
    const pid = group === null ? null : Number(match[group])
    return now - modifiedAt > OLD_MS || (pid !== null && hasEnded(pid))
  }
  return false
}

function hasEnded(pid: number): boolean {
  return (readStat(pid)?.state ?? 'Z') === 'Z'
}

function isHeld(path: string): boolean {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as ProcIdentity | null
    return holder !== null && isAlive(holder)
  } catch {
    return false
  }
}

/** A socket of datagrams, as those of `notify` are, is bound and does not listen. */
function isBound(home: HomeFacts, path: string): boolean {
  try {
    return readFileSync('/proc/net/unix', 'utf8').includes(` ${join(home.path, path)}\n`)
  } catch {
    return true // where this cannot be told, nothing is left over
  }
}
