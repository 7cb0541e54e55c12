import { readFileSync } from 'node:fs'
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
  readonly #startedAt: number
  #idleSince: number | null = null
  #pauseMs = POLL_MS.first
  #ticks = -1

  constructor(pid: number, now: number) {
    this.#pid = pid
    this.#startedAt = now
  }

  /** Milliseconds until the next look: soon when it was idle just now, for then only a moment is missing. */
  get pauseMs(): number {
    return this.#idleSince === null ? this.#pauseMs : POLL_MS.first
  }

  /** @returns whether the start-up is over; false when the process is gone */
  poll(now: number): boolean {
    const ticks = idleTicks(this.#pid)
    if (ticks === 'gone') return false
    if (now - this.#startedAt >= ALIVE_MS) return true
    if (ticks === 'busy' || ticks !== this.#ticks) {
      this.#pauseMs = Math.min(this.#pauseMs * POLL_MS.factor, POLL_MS.max)
      this.#ticks = ticks === 'busy' ? -1 : ticks
      this.#idleSince = ticks === 'busy' ? null : now
      return false
    }
    return this.#idleSince !== null && now - this.#idleSince >= IDLE_MS
  }
}

/** CPU ticks of a tree in which every process sleeps; `busy` when one does not. */
function idleTicks(pid: number): number | 'busy' | 'gone' {
  const stat = readStat(pid)
  if (!stat || stat.state === 'Z') return 'gone'
  if (stat.state !== 'S') return 'busy'
  let total = stat.ticks
  for (const child of childrenOf(pid)) {
    const ticks = idleTicks(child)
    if (ticks === 'busy') return 'busy'
    if (ticks !== 'gone') total += ticks
  }
  return total
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}
