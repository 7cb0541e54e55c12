/** Who listens on which tcp port of this machine. */

import { readdirSync, readlinkSync } from 'node:fs'
import { inTree } from '../proc.ts'
import { listeningSockets } from './tcp-table.ts'

/** How long what was seen counts. */
const FRESH_MS = 10_000
/** A machine with many processes takes longer to look at, and is looked at less often: a half per cent of the time. */
const SHARE = 200
/** An instance that is not among the listeners seen may have begun to listen since; looked again no sooner than this. */
const AGAIN_MS = 2000

interface Snapshot {
  readonly takenAt: number
  readonly costMs: number
  /** Processes that hold a listening socket, by port; without the daemon, which never accepts. */
  readonly holders: ReadonlyMap<number, ReadonlySet<number>>
}

let latest: Snapshot | null = null

/**
 * `alone`: nobody but the instance's process tree can accept on the port. `shared`: it, and others. `none`: not it.
 * What is seen may be ten seconds old, longer on a machine with thousands of processes.
 */
export function listensOn(port: number, pid: number): 'alone' | 'shared' | 'none' {
  const now = performance.now()
  if (latest === null || now - latest.takenAt > Math.max(FRESH_MS, latest.costMs * SHARE)) latest = look(now)
  const seen = judge(latest, port, pid)
  if (seen !== 'none' || now - latest.takenAt < AGAIN_MS) return seen
  latest = look(now)
  return judge(latest, port, pid)
}

/** The ports whose sockets the processes of an instance hold, as of a moment ago. */
export function portsHeld(pid: number): number[] {
  const now = performance.now()
  if (latest === null || now - latest.takenAt > Math.max(AGAIN_MS, latest.costMs * SHARE)) latest = look(now)
  const ports = [...latest.holders].filter(([, holders]) => [...holders].some((holder) => inTree(holder, pid)))
  return ports.map(([port]) => port).sort((a, b) => a - b)
}

function judge({ holders }: Snapshot, port: number, pid: number): 'alone' | 'shared' | 'none' {
  const all = [...(holders.get(port) ?? [])]
  const own = all.filter((holder) => inTree(holder, pid))
  if (own.length === 0) return 'none'
  return own.length === all.length ? 'alone' : 'shared'
}

function look(now: number): Snapshot {
  const portOf = new Map<string, number>()
  for (const [port, inodes] of listeningSockets()) for (const inode of inodes) portOf.set(`socket:[${inode}]`, port)
  const holders = new Map<number, Set<number>>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!(pid > 0) || pid === process.pid) continue
    for (const link of descriptorsOf(pid)) {
      const port = portOf.get(link)
      if (port !== undefined) holders.set(port, (holders.get(port) ?? new Set()).add(pid))
    }
  }
  return { takenAt: now, costMs: performance.now() - now, holders }
}

/** What the descriptors of a process are, as far as they may be read. */
export function* descriptorsOf(pid: number): Generator<string> {
  const folder = `/proc/${pid}/fd`
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return
  }
  for (const name of names) {
    try {
      yield readlinkSync(`${folder}/${name}`)
    } catch {
      // closed meanwhile
    }
  }
}
