import { readFileSync } from 'node:fs'

/** The end of a process is told within that time of the kill. */
const WINDOW_MS = 1000
/** A kill that concerned nobody here must not be taken for that of a process which somebody kills an hour later. */
const LOOK_MS = 30_000

/** Whether the kernel's OOM killer was at work. Its victims look like any other process that got SIGKILL. */
export class OomWatch {
  #kills = killsSoFar()
  #seenAt = Number.NEGATIVE_INFINITY

  constructor() {
    setInterval(() => this.look(), LOOK_MS).unref()
  }

  /** Takes note of what was killed so far. Reads /proc/vmstat, some 50 µs. */
  look(): void {
    const kills = killsSoFar()
    if (kills !== null && this.#kills !== null && kills > this.#kills) this.#seenAt = performance.now()
    this.#kills = kills
  }

  /** Whether it has killed a process of the machine just now. */
  hasJustKilled(): boolean {
    this.look()
    return performance.now() - this.#seenAt < WINDOW_MS
  }
}

/** null where the system does not say. */
function killsSoFar(): number | null {
  try {
    const found = /^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))
    return found ? Number(found[1]) : null
  } catch {
    return null
  }
}
