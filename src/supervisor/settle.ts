import { readFileSync } from 'node:fs'
import { readStat } from './proc.ts'

/** How often a starting process is looked at, and for how long it must have been idle. Milliseconds. */
export const SETTLE_POLL_MS = 20
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
  #ticks = -1

  constructor(pid: number, now: number) {
    this.#pid = pid
    this.#startedAt = now
  }

  /** @returns whether the start-up is over; false when the process is gone */
  poll(now: number): boolean {
    const ticks = idleTicks(this.#pid)
    if (ticks === 'gone') return false
    if (now - this.#startedAt >= ALIVE_MS) return true
    if (ticks === 'busy' || ticks !== this.#ticks) {
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
