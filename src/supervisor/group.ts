import { descendants, identify, isAlive, type ProcIdentity, type ProcStat, readStat, sessionMembers } from './proc.ts'
import type { SessionSweep } from './session-sweep.ts'

const ADOPTED_POLL_MS = 200

/**
 * The processes of one incarnation: its leader, all that share its session or process group, and the descendants that
 * left for a session of their own while their parents lived.
 */
export class Group {
  readonly #leader: number
  readonly #sweep: SessionSweep
  #leaderEnded = false
  #escaped: readonly ProcIdentity[] = []
  #endWait: () => void = () => {}
  #adoptedTimer: NodeJS.Timeout | undefined

  constructor(leader: number, sweep: SessionSweep) {
    this.#leader = leader
    this.#sweep = sweep
  }

  /** From now on the leader's pid may be given to a stranger. */
  leaderEnded(): void {
    this.#leaderEnded = true
  }

  /** Negative pid signals the whole group: `sh` and `npm` do not pass signals on to their children. */
  signal(signal: NodeJS.Signals): void {
    // Only now: once their parents have ended, nothing tells whose children they were.
    if (!this.#leaderEnded) this.#escaped = [...this.#escaped.filter(isAlive), ...this.#findEscaped()]
    for (const escaped of this.#escaped) if (isAlive(escaped)) kill(escaped.pid, signal)
    if (!this.#leaderEnded) kill(-this.#leader, signal)
    // Members that left the group but not the session; and, once the leader is gone, each one by name.
    else for (const pid of sessionMembers(this.#leader, true)) kill(pid, signal)
    if (signal === 'SIGKILL' && !this.#leaderEnded) {
      for (const pid of sessionMembers(this.#leader, false)) kill(pid, signal)
    }
  }

  /** Calls back once nothing of the group lives. */
  whenEmpty(callback: () => void): void {
    this.#endWait()
    this.#endWait = this.#sweep.until((stats) => {
      if (!this.#leaderEnded || !this.#isEmpty(stats)) return false
      callback()
      return true
    })
  }

  /** For a process that is not our child: nobody tells us its end, so we look. */
  watchAdopted(process: ProcIdentity, ended: () => void): void {
    if (!isAlive(process)) return ended()
    this.#adoptedTimer = setInterval(() => {
      if (isAlive(process)) return
      clearInterval(this.#adoptedTimer)
      ended()
    }, ADOPTED_POLL_MS)
  }

  close(): void {
    this.#endWait()
    clearInterval(this.#adoptedTimer)
  }

  #isEmpty(stats: readonly ProcStat[]): boolean {
    return !this.#escaped.some(isAlive) && sessionMembers(this.#leader, true, stats).length === 0
  }

  #findEscaped(): ProcIdentity[] {
    const known = new Set(this.#escaped.map(({ pid }) => pid))
    return descendants(this.#leader).flatMap((pid) => {
      if (known.has(pid) || readStat(pid)?.session === this.#leader) return []
      return identify(pid) ?? []
    })
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone already, or no longer ours: either way there is nothing to signal.
  }
}
