import { uptime } from 'node:os'
import { leaderOf, listPids, pageBytes, type ProcStat, readStat } from '../supervisor/proc.ts'

/** CPU and memory of an instance's whole process tree. */
export interface Usage {
  /** Of one core, over the last `cpuWindowMs`; null: it runs for too short a time to tell. */
  readonly cpuPercent: number | null
  readonly cpuWindowMs: number | null
  /** Resident set of all processes together; shared pages count in each. */
  readonly memoryBytes: number
}

/** CPU time a tree has used up to a moment. */
interface Mark {
  readonly at: number
  readonly trees: ReadonlyMap<number, TreeSum>
}

/** Nobody need ask: from then on a first question can be answered with a load. */
const IDLE_PASS_MS = 30_000
/** The clock ticks of 10 ms say nothing over less. */
const MIN_WINDOW_MS = 1000
/** Who asked is likely to ask again: for so long it goes on looking by itself, and the next answer need not wait. */
const WATCHED_MS = 10_000
// More than MIN_WINDOW_MS, so that the look before it serves as its mark.
const WATCHED_PASS_MS = 1020
/** An answer may be as old as this: a little more than the pause between two looks of the daemon itself. */
const FRESH_MS = 1300
const CLOCK_TICK_MS = 10 // USER_HZ is 100 on every architecture Node runs on

/**
 * Looks at /proc when somebody asks, once a second for a while after that, and every half minute for a mark from which
 * the load is measured. So it costs next to nothing while nobody looks.
 */
export class Monitor {
  readonly #pids: () => readonly number[]
  readonly #pageBytes = pageBytes()
  #timer: NodeJS.Timeout | undefined
  #watchTimer: NodeJS.Timeout | undefined
  #watchedUntil = 0
  /** Oldest first: the newest that is old enough, and those after it. */
  #marks: Mark[] = []
  #usage = new Map<number, Usage>()
  #lastPass = Number.NEGATIVE_INFINITY
  /** Processes that belong to no instance; looked at again by the next idle pass, as a pid may come round. */
  #strangers = new Set<number>()

  /** @param pids the leaders of the running instances, asked at every pass */
  constructor(pids: () => readonly number[]) {
    this.#pids = pids
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#strangers.clear()
      this.#pass(performance.now())
    }, IDLE_PASS_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#watchTimer)
  }

  /** Makes what `usageOf` answers current: once for each question, not for each instance. */
  look(): void {
    const now = performance.now()
    if (now - this.#lastPass >= FRESH_MS || this.#pids().some((pid) => !this.#usage.has(pid))) this.#pass(now)
    this.#watchedUntil = now + WATCHED_MS
    this.#watchTimer ??= this.#passSoon()
  }

  #passSoon(): NodeJS.Timeout {
    const again = (): void => {
      const now = performance.now()
      this.#watchTimer = now < this.#watchedUntil ? this.#passSoon() : undefined
      if (this.#watchTimer) this.#pass(now)
    }
    return setTimeout(again, WATCHED_PASS_MS).unref()
  }

  /** The usage of the tree under `pid`, as of the last look; null when there was no such process. */
  usageOf(pid: number): Usage | null {
    return this.#usage.get(pid) ?? null
  }

  #pass(now: number): void {
    this.#lastPass = now
    const leaders = new Set(this.#pids())
    this.#usage = new Map()
    if (leaders.size === 0) {
      this.#marks = []
      this.#strangers.clear()
      return
    }
    for (const pid of leaders) this.#strangers.delete(pid)
    const trees = sumTrees(this.#readStats(), leaders, this.#strangers)
    const base = this.#marks.findLast((mark) => now - mark.at >= MIN_WINDOW_MS)
    const bootMs = uptime() * 1000
    for (const [pid, tree] of trees) {
      this.#usage.set(pid, { ...load(tree, base, pid, now, bootMs), memoryBytes: tree.pages * this.#pageBytes })
    }
    // Of questions in quick succession not every one leaves a mark.
    const newest = this.#marks.at(-1)
    if (newest === undefined || now - newest.at >= MIN_WINDOW_MS / 2) {
      this.#marks = [...(base ? this.#marks.slice(this.#marks.indexOf(base)) : this.#marks), { at: now, trees }]
    }
  }

  #readStats(): ProcStat[] {
    const stats: ProcStat[] = []
    for (const pid of listPids()) {
      if (this.#strangers.has(pid)) continue
      const stat = readStat(pid)
      if (stat) stats.push(stat)
    }
    return stats
  }
}

function load(
  tree: TreeSum,
  base: Mark | undefined,
  pid: number,
  now: number,
  bootMs: number,
): Pick<Usage, 'cpuPercent' | 'cpuWindowMs'> {
  const before = base?.trees.get(pid)
  const isSame = before !== undefined && before.startTime === tree.startTime
  // One that is younger than the mark has used all its time since it began.
  const windowMs = isSame && base ? now - base.at : bootMs - tree.startTime * CLOCK_TICK_MS
  if (windowMs < MIN_WINDOW_MS / 4) return { cpuPercent: null, cpuWindowMs: null }
  const used = Math.max(0, tree.ticks - (isSame ? before.ticks : 0)) * CLOCK_TICK_MS
  return { cpuPercent: Math.round((used / windowMs) * 1000) / 10, cpuWindowMs: Math.round(windowMs) }
}

export interface TreeSum {
  /** Of the leader: with its pid it names the tree. */
  startTime: number
  ticks: number
  pages: number
}

/**
 * Adds every process to the leader it descends from, by session or by parent.
 *
 * @param strangers gets the pids that belong to none
 */
export function sumTrees(
  stats: readonly ProcStat[],
  leaders: ReadonlySet<number>,
  strangers: Set<number> = new Set(),
): Map<number, TreeSum> {
  const byPid = new Map(stats.map((stat) => [stat.pid, stat]))
  const sums = new Map<number, TreeSum>()
  for (const stat of stats) {
    const leader = leaderOf(stat, byPid, leaders)
    if (leader === null) {
      strangers.add(stat.pid)
      continue
    }
    let sum = sums.get(leader)
    if (!sum) sums.set(leader, (sum = { startTime: byPid.get(leader)?.startTime ?? 0, ticks: 0, pages: 0 }))
    // With those of children that have ended: a shell that runs one short command after another is busy.
    sum.ticks += stat.ticks + stat.childTicks
    sum.pages += stat.rssPages
  }
  return sums
}
