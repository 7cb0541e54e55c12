import { readFileSync } from 'node:fs'
import { leaderOf, type ProcStat, readStat } from './proc.ts'

/**
 * The processes of each tree: those that descend from its leader, and those of the leader's session.
 *
 * @param leaders pids
 * @param strangers gets the pids that belong to none
 */
export function treesOf(
  stats: readonly ProcStat[],
  leaders: ReadonlySet<number>,
  strangers: Set<number>,
): Map<number, ProcStat[]> {
  const byPid = new Map(stats.map((stat) => [stat.pid, stat]))
  const trees = new Map<number, ProcStat[]>()
  for (const stat of stats) {
    const leader = leaderOf(stat, byPid, leaders)
    if (leader === null) {
      strangers.add(stat.pid)
      continue
    }
    const tree = trees.get(leader)
    if (tree) tree.push(stat)
    else trees.set(leader, [stat])
  }
  return trees
}

/**
 * The processes that are left of these, and the children of their main threads: the cheap look between two full ones,
 * some 15 µs a process.
 */
export function refreshed(known: readonly ProcStat[]): ProcStat[] {
  const tree: ProcStat[] = []
  const seen = new Set(known.map(({ pid }) => pid))
  const queue = known.map(({ pid, startTime }) => ({ pid, startTime: startTime as number | null }))
  for (let next = queue.pop(); next; next = queue.pop()) {
    const stat = readStat(next.pid)
    if (stat === null || stat.state === 'Z') continue
    if (next.startTime !== null && stat.startTime !== next.startTime) continue
    tree.push(stat)
    for (const child of childrenOf(next.pid)) {
      if (seen.has(child)) continue
      seen.add(child)
      queue.push({ pid: child, startTime: null })
    }
  }
  return tree
}

function childrenOf(pid: number): number[] {
  return readText(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
}

/**
 * The memory that processes use together, each page once: forked workers share most of theirs. Never more than that;
 * a little less when they share pages with strangers. Reads page tables: a millisecond for each GB or so.
 */
export function distinctBytes(tree: readonly ProcStat[], pageBytes: number): number {
  let proportional = 0
  let own = 0
  let shared = 0
  for (const { pid, rssPages } of tree) {
    const rollup = readText(`/proc/${pid}/smaps_rollup`)
    const rss = kilobytes(rollup, 'Rss')
    if (rss === null) {
      // Of another user, or just ended: what it holds must be taken for its own.
      proportional += rssPages * pageBytes
      own += rssPages * pageBytes
      continue
    }
    const sharing = (kilobytes(rollup, 'Shared_Clean') ?? 0) + (kilobytes(rollup, 'Shared_Dirty') ?? 0)
    proportional += (kilobytes(rollup, 'Pss') ?? rss) * 1024
    own += (rss - sharing) * 1024
    shared = Math.max(shared, sharing * 1024)
  }
  // Two lower bounds. Each process may share its pages with all others, or with strangers only.
  return Math.max(proportional, own + shared)
}

function kilobytes(rollup: string, name: string): number | null {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)
  return found ? Number(found[1]) : null
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
