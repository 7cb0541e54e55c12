import { pageBytes, readAllStats, type ProcStat } from '../supervisor/proc.ts'

/** CPU and memory of an instance's whole process tree. */
export interface Usage {
  /** Of one core, over the last second or so; null at the first look. */
  readonly cpuPercent: number | null
  /** Resident set of all processes together; shared pages count in each. */
  readonly memoryBytes: number
}

const TICK_MS = 1000
const CLOCK_TICK_MS = 10 // USER_HZ is 100 on every architecture Node runs on

/** One pass over /proc a second while anything runs (MECHANISMS: 1.4 ms per 100 processes); nothing otherwise. */
export class Monitor {
  readonly #pids: () => readonly number[]
  readonly #pageBytes = pageBytes()
  #timer: NodeJS.Timeout | undefined
  #usage = new Map<number, Usage>()
  /** CPU time used up to a moment, from which the next look measures. */
  #baselines = new Map<number, { readonly ticks: number; readonly at: number }>()

  /** @param pids the leaders of the running instances, asked at every pass */
  constructor(pids: () => readonly number[]) {
    this.#pids = pids
  }

  start(): void {
    this.#timer = setInterval(() => this.#pass(), TICK_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** The usage of the tree under `pid`; a first look is taken now when there was none yet. */
  usageOf(pid: number): Usage | null {
    if (!this.#usage.has(pid)) this.#pass()
    return this.#usage.get(pid) ?? null
  }

  #pass(): void {
    const leaders = new Set(this.#pids())
    const now = Date.now()
    if (leaders.size === 0) {
      this.#usage.clear()
      this.#baselines.clear()
      return
    }
    const usage = new Map<number, Usage>()
    const baselines = new Map<number, { readonly ticks: number; readonly at: number }>()
    for (const [pid, { ticks, pages }] of sumTrees(readAllStats(), leaders)) {
      const before = this.#baselines.get(pid)
      const elapsed = before === undefined ? 0 : now - before.at
      // A look out of turn, for an instance that is new: over so short a time one clock tick would read as 1000 %.
      const tooSoon = before !== undefined && elapsed < TICK_MS / 4
      const used = before === undefined ? null : Math.max(0, ticks - before.ticks) * CLOCK_TICK_MS
      const cpuPercent = used === null ? null : Math.round((used / elapsed) * 1000) / 10
      usage.set(pid, {
        cpuPercent: tooSoon ? (this.#usage.get(pid)?.cpuPercent ?? null) : cpuPercent,
        memoryBytes: pages * this.#pageBytes,
      })
      baselines.set(pid, tooSoon ? before : { ticks, at: now })
    }
    this.#usage = usage
    this.#baselines = baselines
  }
}

/** Adds every process to the leader it descends from, by session or by parent. */
export function sumTrees(
  stats: readonly ProcStat[],
  leaders: ReadonlySet<number>,
): Map<number, { ticks: number; pages: number }> {
  const byPid = new Map(stats.map((stat) => [stat.pid, stat]))
  const sums = new Map<number, { ticks: number; pages: number }>()
  for (const stat of stats) {
    const leader = leaderOf(stat, byPid, leaders)
    if (leader === null) continue
    const sum = sums.get(leader) ?? { ticks: 0, pages: 0 }
    sum.ticks += stat.ticks
    sum.pages += stat.rssPages
    sums.set(leader, sum)
  }
  return sums
}

function leaderOf(stat: ProcStat, byPid: ReadonlyMap<number, ProcStat>, leaders: ReadonlySet<number>): number | null {
  let at: ProcStat | undefined = stat
  for (let steps = 0; at && steps < 64; steps++) {
    if (leaders.has(at.pid)) return at.pid
    if (leaders.has(at.session)) return at.session
    at = byPid.get(at.ppid)
  }
  return null
}
