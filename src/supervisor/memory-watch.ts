import { isUrgent, nextLookMs, SLOWEST_MS } from './memory-pace.ts'
import { pageBytes, type ProcStat, readAllStats, readStat } from './proc.ts'
import { distinctBytes, refreshed, treesOf } from './tree-memory.ts'

/** A tree uses more than it may. `urgent`: so much more that there is no time to ask it to end. */
export interface Excess {
  readonly usedBytes: number
  readonly limitBytes: number
  readonly urgent: boolean
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

/**
 * Memory limits where the kernel does not enforce them. Once a second one pass over /proc tells which processes belong
 * to which tree; in between, only trees that could reach their limit are looked at, the nearer the more often.
 */
export class MemoryWatch {
  readonly #pageBytes = pageBytes()
  readonly #guards = new Set<Guard>()
  #timer: NodeJS.Timeout | undefined

  /**
   * @param leader pid of the process whose tree it is, alive
   * @param exceeded called when the tree is above its limit: once, and once more when that becomes urgent
   */
  guard(leader: number, limitBytes: number, exceeded: (excess: Excess) => void): MemoryGuard {
    const guard = new Guard(leader, limitBytes, this.#pageBytes, exceeded, () => {
      this.#guards.delete(guard)
      if (this.#guards.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    })
    this.#guards.add(guard)
    this.#timer ??= setInterval(() => this.#survey(), SLOWEST_MS).unref()
    guard.look()
    return guard
  }

  #survey(): void {
    const byLeader = new Map([...this.#guards].map((guard) => [guard.leader, guard]))
    const trees = treesOf(readAllStats(), new Set(byLeader.keys()))
    for (const [leader, guard] of byLeader) guard.consider(trees.get(leader) ?? [])
  }
}

class Guard implements MemoryGuard {
  readonly leader: number
  limitBytes: number
  readonly #pageBytes: number
  readonly #exceeded: (excess: Excess) => void
  readonly #closed: () => void
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #tree: readonly ProcStat[]
  #last: { readonly usedBytes: number; readonly at: number } | null = null
  /** By how much the sum of RSS counts pages more than once, as last counted. */
  #sharedBytes = 0
  #countedAt = -Infinity
  #countedProcesses = 0
  #told: 'nothing' | 'excess' | 'urgent' = 'nothing'

  constructor(
    leader: number,
    limitBytes: number,
    bytesOfPage: number,
    exceeded: (excess: Excess) => void,
    closed: () => void,
  ) {
    this.leader = leader
    this.limitBytes = limitBytes
    this.#pageBytes = bytesOfPage
    this.#exceeded = exceeded
    this.#closed = closed
    const stat = readStat(leader)
    this.#tree = stat === null ? [] : [stat]
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

  look(): void {
    this.consider(refreshed(this.#tree))
  }

  /** @param tree its processes, as of now */
  consider(tree: readonly ProcStat[]): void {
    this.#tree = tree
    const usedBytes = this.#used(tree)
    const at = performance.now()
    const elapsedMs = this.#last === null ? 0 : at - this.#last.at
    const growth = this.#last === null || elapsedMs < 5 ? 0 : ((usedBytes - this.#last.usedBytes) / elapsedMs) * 1000
    this.#last = { usedBytes, at }
    clearTimeout(this.#timer)
    const pauseMs = nextLookMs(this.limitBytes, usedBytes, growth)
    // A slow one is seen by the next survey.
    if (pauseMs < SLOWEST_MS && tree.length > 0) this.#timer = setTimeout(() => this.look(), pauseMs).unref()
    if (usedBytes > this.limitBytes) this.#tell(usedBytes)
  }

  #tell(usedBytes: number): void {
    const urgent = isUrgent(this.limitBytes, usedBytes)
    if (this.#isClosed || this.#told === 'urgent' || (this.#told === 'excess' && !urgent)) return
    this.#told = urgent ? 'urgent' : 'excess'
    this.#exceeded({ usedBytes, limitBytes: this.limitBytes, urgent })
  }

  /** The sum of RSS; where that is above the limit, and pages may be counted twice in it, each page once. */
  #used(tree: readonly ProcStat[]): number {
    const sum = tree.reduce((pages, stat) => pages + stat.rssPages, 0) * this.#pageBytes
    if (tree.length < 2) return sum
    if (sum <= this.limitBytes) return sum
    const isDue = performance.now() - this.#countedAt > RECOUNT_MS || tree.length !== this.#countedProcesses
    if (!isDue && sum - this.#sharedBytes <= this.limitBytes) return sum - this.#sharedBytes
    const used = distinctBytes(tree, this.#pageBytes)
    this.#countedAt = performance.now()
    this.#countedProcesses = tree.length
    this.#sharedBytes = Math.max(0, sum - used)
    return used
  }
}

/** `uses 123M of memory, above its limit of 100M` */
export function describeExcess({ usedBytes, limitBytes }: Excess): string {
  return `uses ${megabytes(usedBytes)} of memory, above its limit of ${megabytes(limitBytes)}`
}

function megabytes(bytes: number): string {
  const value = bytes / 2 ** 20
  return value >= 10 || Number.isInteger(value) ? `${Math.round(value)}M` : `${value.toFixed(1)}M`
}
