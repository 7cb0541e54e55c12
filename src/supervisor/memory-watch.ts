import { isUrgent, nextLookMs, SLOWEST_MS } from './memory-pace.ts'
import { listPids, pageBytes, type ProcStat, readStat } from './proc.ts'
import { distinctBytes, refreshed, treesOf } from './tree-memory.ts'

/** A tree uses more than it may. `urgent`: so much more that there is no time to ask it to end. */
export interface Excess {
  readonly usedBytes: number
  readonly limitBytes: number
  readonly urgent: boolean
}

export interface GuardedTree {
  /** Pid of the process whose tree it is, alive. */
  readonly leader: number
  /** Pids of its processes that are known for certain, whatever their parents; `isComplete`: there are no others. */
  members(): { readonly pids: readonly number[]; readonly isComplete: boolean }
}

/** Keeps one tree below its limit for as long as it is not closed. */
export interface MemoryGuard {
  readonly limitBytes: number
  /** In force from now on. */
  setLimit(limitBytes: number): void
  close(): void
}

/** Shared pages are counted again at least as often as that, however little the sum of RSS has grown. */
const RECOUNT_MS = 5000
const SURVEYS_OF_STRANGERS = 30

/**
 * Memory limits where the kernel does not enforce them. Once a second one pass over /proc tells which processes belong
 * to which tree; in between, only trees that could reach their limit are looked at, the nearer the more often.
 */
export class MemoryWatch {
  readonly #pageBytes = pageBytes()
  readonly #guards = new Set<Guard>()
  #timer: NodeJS.Timeout | undefined
  /** Processes that belong to no tree: passed over, until their pids may have come round. */
  readonly #strangers = new Set<number>()
  #surveys = 0

  /**
   * @param exceeded called when the tree is above its limit: once, and once more when that becomes urgent
   */
  guard(tree: GuardedTree, limitBytes: number, exceeded: (excess: Excess) => void): MemoryGuard {
    const guard = new Guard(tree, limitBytes, this.#pageBytes, exceeded, () => {
      this.#guards.delete(guard)
      if (this.#guards.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    })
    this.#guards.add(guard)
    this.#strangers.clear()
    this.#timer ??= setInterval(() => this.#survey(), SLOWEST_MS).unref()
    guard.look()
    return guard
  }

  #survey(): void {
    const unsure = new Map<number, Guard>()
    for (const guard of this.#guards) {
      const { pids, isComplete } = guard.tree.members()
      if (isComplete) guard.consider(statsOf(pids))
      else unsure.set(guard.tree.leader, guard)
    }
    if (unsure.size === 0) return
    if (++this.#surveys % SURVEYS_OF_STRANGERS === 0) this.#strangers.clear()
    const stats = listPids().flatMap((pid) => (this.#strangers.has(pid) ? [] : (readStat(pid) ?? [])))
    const trees = treesOf(stats, new Set(unsure.keys()), this.#strangers)
    for (const [leader, guard] of unsure) guard.look(trees.get(leader) ?? [])
  }
}

class Guard implements MemoryGuard {
  readonly tree: GuardedTree
  limitBytes: number
  readonly #pageBytes: number
  readonly #exceeded: (excess: Excess) => void
  readonly #closed: () => void
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #known: readonly ProcStat[]
  #last: { readonly usedBytes: number; readonly at: number } | null = null
  /** By how much the sum of RSS counts pages more than once, as last counted. */
  #sharedBytes = 0
  #countedAt = -Infinity
  #countedProcesses = 0
  #told: 'nothing' | 'excess' | 'urgent' = 'nothing'

  constructor(
    tree: GuardedTree,
    limitBytes: number,
    bytesOfPage: number,
    exceeded: (excess: Excess) => void,
    closed: () => void,
  ) {
    this.tree = tree
    this.limitBytes = limitBytes
    this.#pageBytes = bytesOfPage
    this.#exceeded = exceeded
    this.#closed = closed
    this.#known = statsOf([tree.leader])
  }

  setLimit(limitBytes: number): void {
    if (limitBytes === this.limitBytes) return
    this.limitBytes = limitBytes
    this.#told = 'nothing'
    this.look()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#closed()
  }

  /** @param found its processes as a survey has found them; left out: those known so far, and their children */
  look(found?: readonly ProcStat[]): void {
    const { pids, isComplete } = this.tree.members()
    if (isComplete) return this.consider(statsOf(pids))
    const tree = found ?? refreshed(this.#known)
    const known = new Set(tree.map(({ pid }) => pid))
    this.consider([...tree, ...statsOf(pids.filter((pid) => !known.has(pid)))])
  }

  consider(processes: readonly ProcStat[]): void {
    this.#known = processes
    const usedBytes = this.#used(processes)
    const at = performance.now()
    const elapsedMs = this.#last === null ? 0 : at - this.#last.at
    const growth = this.#last === null || elapsedMs < 5 ? 0 : ((usedBytes - this.#last.usedBytes) / elapsedMs) * 1000
    this.#last = { usedBytes, at }
    clearTimeout(this.#timer)
    const pauseMs = nextLookMs(this.limitBytes, usedBytes, growth)
    // A slow one is seen by the next survey.
    if (pauseMs < SLOWEST_MS && processes.length > 0) this.#timer = setTimeout(() => this.look(), pauseMs).unref()
    if (usedBytes > this.limitBytes) this.#tell(usedBytes)
  }

  #tell(usedBytes: number): void {
    const urgent = isUrgent(this.limitBytes, usedBytes)
    if (this.#isClosed || this.#told === 'urgent' || (this.#told === 'excess' && !urgent)) return
    this.#told = urgent ? 'urgent' : 'excess'
    this.#exceeded({ usedBytes, limitBytes: this.limitBytes, urgent })
  }

  /** The sum of RSS; where that is above the limit, and pages may be counted twice in it, each page once. */
  #used(processes: readonly ProcStat[]): number {
    const sum = processes.reduce((pages, stat) => pages + stat.rssPages, 0) * this.#pageBytes
    if (processes.length < 2) return sum
    if (sum <= this.limitBytes) return sum
    const isDue = performance.now() - this.#countedAt > RECOUNT_MS || processes.length !== this.#countedProcesses
    if (!isDue && sum - this.#sharedBytes <= this.limitBytes) return sum - this.#sharedBytes
    const used = distinctBytes(processes, this.#pageBytes)
    this.#countedAt = performance.now()
    this.#countedProcesses = processes.length
    this.#sharedBytes = Math.max(0, sum - used)
    return used
  }
}

function statsOf(pids: readonly number[]): ProcStat[] {
  return pids.flatMap((pid) => readStat(pid) ?? [])
}

/** `uses 123M of memory, above its limit of 100M` */
export function describeExcess({ usedBytes, limitBytes }: Excess): string {
  return `uses ${megabytes(usedBytes)} of memory, above its limit of ${megabytes(limitBytes)}`
}

function megabytes(bytes: number): string {
  const value = bytes / 2 ** 20
  return value >= 10 || Number.isInteger(value) ? `${Math.round(value)}M` : `${value.toFixed(1)}M`
}
