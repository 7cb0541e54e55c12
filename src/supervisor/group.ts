import { Cgroup } from './cgroup.ts'
import { descendants, identify, isAlive, type ProcIdentity, readStat, sessionMembers } from './proc.ts'
import type { Pass, SessionSweep } from './session-sweep.ts'

/** Looks after which a process that never shows what it is counts as a stranger: about a second. */
const MOST_UNSURE = 40

/** By what the processes of one run are told from all others; also what the next daemon must know of it. */
export interface Nest {
  /** Name of the run, which its processes carry in their environment. */
  readonly run: string
  /** Folder of its cgroup; null: it has none. */
  readonly cgroup: string | null
  /** Every process of the run is in the cgroup for certain. */
  readonly isEnclosed: boolean
}

/**
 * The processes of one run: its leader, all that share its session or process group, all in its cgroup, and those that
 * carry the name of the run in their environment, wherever they went.
 */
export class Group {
  /** null: it has none. Gone once the group is empty. */
  readonly cgroup: Cgroup | null
  readonly run: string
  /** Every process of the run is in the cgroup for certain: what it says is the whole truth. */
  isEnclosed: boolean
  /** Over once the processes have been moved into the cgroup. */
  enclosing: Promise<void> = Promise.resolve()
  readonly #leader: ProcIdentity
  readonly #sweep: SessionSweep
  #isChild = true
  #leaderEnded = false
  /** False when the number of the session may have been given to strangers while nobody looked. */
  #ownsSession = true
  /** Members of other sessions. */
  #strays: readonly ProcIdentity[] = []
  #sent: NodeJS.Signals | null = null
  /** `#sent` goes out with the next look at what is left. */
  #isUnsent = false
  #unsure = 0
  #endWait: () => void = () => {}
  #endWatch: () => void = () => {}

  constructor(leader: ProcIdentity, nest: Nest, sweep: SessionSweep) {
    this.#leader = leader
    this.#sweep = sweep
    this.run = nest.run
    this.cgroup = nest.cgroup === null ? null : new Cgroup(nest.cgroup)
    this.isEnclosed = nest.isEnclosed && this.cgroup !== null
  }

  /** What the next daemon needs to find these processes again. */
  get nest(): Nest {
    return { run: this.run, cgroup: this.cgroup?.path ?? null, isEnclosed: this.isEnclosed }
  }

  /** From now on the leader's pid may be given to a stranger. */
  leaderEnded(): void {
    this.#leaderEnded = true
  }

  /**
   * Every member gets the signal once; members that are stopped are continued, so that they can act on it. SIGKILL goes
   * on until nothing is left.
   */
  signal(signal: NodeJS.Signals): void {
    this.#sent = signal
    if (signal === 'SIGKILL' && !this.isEnclosed) this.#sweep.doomed.add(this.run)
    if (signal === 'SIGKILL') this.cgroup?.kill()
    else this.cgroup?.thaw()
    // Of a thousand that crash at once, not every one looks around: the wait for the end of the group does, for all.
    this.#isUnsent = this.#leaderEnded && !this.isEnclosed
    if (this.#isUnsent) return
    const pass = this.#sweep.pass()
    if (!this.isEnclosed) {
      // Only now: once their parents have ended, nothing but their environment tells whose children they were.
      if (this.#isLeaderLeft()) this.#addStrays(this.#escaped())
      if (signal === 'SIGKILL') this.#addStrays(pass.carriersOf(this.run))
    }
    this.#send(signal, this.#members(pass))
  }

  /** Calls back once nothing of the group lives. */
  whenEmpty(callback: () => void): void {
    this.#endWait()
    this.#endWait = this.#sweep.until((pass) => {
      if (!this.#leaderEnded || !this.#isEmpty(pass)) return false
      this.#sweep.doomed.delete(this.run)
      void this.enclosing.then(() => this.cgroup?.remove())
      callback()
      return true
    })
  }

  /** For a leader that is not our child. */
  watchAdopted(ended: () => void): void {
    this.#isChild = false
    if (isAlive(this.#leader)) this.#endWatch = this.#sweep.whenEnded(this.#leader, ended)
    else {
      this.#ownsSession = this.#isSessionOurs(this.#sweep.pass())
      ended()
    }
  }

  /** Whether anything of a run that an earlier daemon started lives. */
  isLeft(pass: Pass): boolean {
    if (isAlive(this.#leader) || this.cgroup?.isPopulated()) return true
    return !this.isEnclosed && pass.runs.has(this.run)
  }

  /** Ends what carries the name of the run and is not in its cgroup: a check that a killed daemon was running. */
  endOutsiders(pass: Pass): void {
    if (!this.isEnclosed) return // found with all others when the run ends
    for (const process of pass.runs.get(this.run) ?? []) {
      if (!this.cgroup?.holds(process.pid) && isAlive(process)) kill(process.pid, 'SIGKILL')
    }
  }

  /** Live members but the leader. For a leader that has ended: what it left behind. */
  others(): number[] {
    const pass = this.#sweep.pass()
    if (!this.isEnclosed) this.#addStrays(pass.carriersOf(this.run))
    return [...this.#members(pass)].filter((pid) => pid !== this.#leader.pid)
  }

  close(): void {
    this.#sweep.doomed.delete(this.run)
    this.#endWait()
    this.#endWatch()
  }

  /** Its pid is taken: by itself, or (a child of ours) by its zombie. */
  #isLeaderLeft(): boolean {
    return !this.#leaderEnded && (this.#isChild || isAlive(this.#leader))
  }

  #members(pass: Pass): Set<number> {
    const members = new Set(this.cgroup?.members())
    if (!this.isEnclosed) {
      for (const pid of this.#inSession(pass)) members.add(pid)
      for (const stray of this.#strays) if (isAlive(stray)) members.add(stray.pid)
    }
    members.delete(process.pid)
    return members
  }

  #inSession(pass: Pass): number[] {
    return this.#ownsSession ? sessionMembers(this.#leader.pid, !this.#isLeaderLeft(), pass.stats) : []
  }

  /** Also gets signals to those that were found only now, out of reach of the ones before. */
  #isEmpty(pass: Pass): boolean {
    const isUnsent = this.#isUnsent
    this.#isUnsent = false
    if (this.cgroup?.isPopulated()) {
      if (isUnsent && this.#sent !== null) this.#send(this.#sent, this.#members(pass))
      return false
    }
    if (this.isEnclosed) return true
    const inSession = this.#inSession(pass)
    const isKilling = this.#sent === 'SIGKILL'
    // Costs more than the rest together, so it comes last; but what is killed may fork as fast as we look.
    if (!isKilling && (inSession.length > 0 || this.#strays.some(isAlive))) {
      if (isUnsent && this.#sent !== null) this.#send(this.#sent, this.#members(pass))
      return false
    }
    const found = pass.carriersOf(this.run)
    this.#addStrays(found)
    if (isKilling) this.#send('SIGKILL', this.#members(pass))
    else if (this.#sent !== null) this.#send(this.#sent, new Set(found.map(({ pid }) => pid)))
    // Even if all of them have ended by now: their children may have come after our look.
    return inSession.length === 0 && found.length === 0 && this.#isSure(pass)
  }

  /** A look that could not tell whose some process is counts only when they all were so. */
  #isSure(pass: Pass): boolean {
    return pass.isSure || ++this.#unsure > MOST_UNSURE
  }

  #send(signal: NodeJS.Signals, members: ReadonlySet<number>): void {
    const leader = this.#leader.pid
    const others: number[] = []
    let isGroupLeft = this.#isLeaderLeft()
    for (const pid of members) {
      const stat = readStat(pid)
      if (stat === null || stat.state === 'Z') continue
      if (stat.pgrp === leader && this.#ownsSession) isGroupLeft = true
      else others.push(pid)
    }
    // The group at once: what forks meanwhile gets it too. While a member lives its number is given to nobody else.
    const targets = isGroupLeft ? [-leader, ...others] : others
    for (const target of targets) kill(target, signal)
    if (signal === 'SIGKILL' || signal === 'SIGSTOP' || signal === 'SIGCONT') return
    for (const target of targets) kill(target, 'SIGCONT')
  }

  #addStrays(found: readonly ProcIdentity[]): void {
    const known = this.#strays.filter(isAlive)
    const pids = new Set(known.map(({ pid }) => pid))
    this.#strays = [...known, ...found.filter(({ pid }) => !pids.has(pid))]
  }

  #escaped(): ProcIdentity[] {
    return descendants(this.#leader.pid).flatMap((pid) => {
      if (readStat(pid)?.session === this.#leader.pid) return []
      return identify(pid) ?? []
    })
  }

  /**
   * A number is free for strangers once the whole session has ended. So when one member is ours for certain, all are;
   * when none is, none can be told from a stranger.
   */
  #isSessionOurs(pass: Pass): boolean {
    const ours = new Set([...(this.cgroup?.members() ?? []), ...pass.carriersOf(this.run).map(({ pid }) => pid)])
    return sessionMembers(this.#leader.pid, true, pass.stats).some((pid) => ours.has(pid))
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone already, or no longer ours: either way there is nothing to signal.
  }
}
