import { readdirSync, readFileSync } from 'node:fs'
import { readStat } from './proc.ts'

/** How often a starting process is looked at: often at first, then less and less, so that a hundred of them start in peace. */
const POLL_MS = { first: 20, factor: 1.4, max: 200 }
/** For how long it must have been idle. Milliseconds. */
const IDLE_MS = 40
/** A process that never idles counts as started when it has lived this long. */
const ALIVE_MS = 3000

/**
 * Tells when the start-up of a process that declares no readiness is over: the process and its children all sleep and
 * have used no CPU for a moment. A fixed delay would be too long for `sleep` and too short for a hundred Node apps that
 * start at once on two cores and would crash only when their turn comes.
 */
export class SettleWatch {
  readonly #pid: number
  #startedAt: number
  #idleSince: number | null = null
  #pauseMs = POLL_MS.first
  #ticks = -1

  /** @param now milliseconds of a clock that never jumps */
  constructor(pid: number, now: number) {
    this.#pid = pid
    this.#startedAt = now
  }

  /** Milliseconds until the next look: soon when it was idle just now, for then only a moment is missing. */
  get pauseMs(): number {
    return this.#idleSince === null ? this.#pauseMs : POLL_MS.first
  }

  /** @returns `stopped` while it is (SIGSTOP, a debugger): that is no start-up, and no time of it counts */
  poll(now: number): 'over' | 'stopped' | 'starting' {
    const ticks = idleTicks(this.#pid)
    if (ticks === 'gone') return 'starting'
    if (ticks === 'stopped') {
      this.#startedAt = now
      this.#pause('busy', now)
      return 'stopped'
    }
    if (now - this.#startedAt >= ALIVE_MS) return 'over'
    if (ticks === 'busy' || ticks !== this.#ticks) {
      this.#pause(ticks, now)
      return 'starting'
    }
    if (this.#idleSince === null || now - this.#idleSince < IDLE_MS) return 'starting'
    if (areThreadsIdle(this.#pid)) return 'over'
    this.#pause('busy', now)
    return 'starting'
  }

  #pause(ticks: number | 'busy', now: number): void {
    this.#pauseMs = Math.min(this.#pauseMs * POLL_MS.factor, POLL_MS.max)
    this.#ticks = ticks === 'busy' ? -1 : ticks
    this.#idleSince = ticks === 'busy' ? null : now
  }
}

/** CPU ticks of a tree in which every process sleeps; `busy` when one does not, `stopped` when the main process is. */
function idleTicks(pid: number): number | 'busy' | 'stopped' | 'gone' {
  const stat = readStat(pid)
  if (!stat || stat.state === 'Z') return 'gone'
  if (stat.state === 'T' || stat.state === 't') return 'stopped'
  if (stat.state !== 'S') return 'busy'
  let total = stat.ticks
  for (const child of childrenOf(pid)) {
    const ticks = idleTicks(child)
    if (ticks === 'busy' || ticks === 'stopped') return 'busy'
    if (ticks !== 'gone') total += ticks
  }
  return total
}

/**
 * The state of a process is that of its main thread, which sleeps while others read files for it, or wait for a CPU: with
 * a hundred apps on two of them that takes longer than a moment.
 */
function areThreadsIdle(pid: number): boolean {
  let threads: string[]
  try {
    threads = readdirSync(`/proc/${pid}/task`)
  } catch {
    return true
  }
  return (
    threads.every((thread) => !'RD'.includes(readStat(Number(thread))?.state ?? 'S')) &&
    childrenOf(pid).every(areThreadsIdle)
  )
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}
