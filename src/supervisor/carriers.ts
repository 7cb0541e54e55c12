import { readFileSync } from 'node:fs'
import { identify, listPids, type ProcIdentity, readStat } from './proc.ts'
import { RUN_VARIABLE } from './run-name.ts'

/** What one look at the environment of all processes has shown. */
export interface Carriers {
  /** Processes by the name of the run they carry. */
  readonly runs: ReadonlyMap<string, readonly ProcIdentity[]>
  /** False when a process was turning into another program at this moment, so that it could not be told whose it is. */
  readonly isSure: boolean
}

/** A machine that forks faster than we look is looked through again so many times at most. */
const MOST_ROUNDS = 8
const KTHREADD = 2

/**
 * Finds every process that runs of one ECO_HOME have started. One pass costs some 40 µs for each process of the machine.
 * Those of `doomed` runs are killed on sight: whoever forks as fast as we look would be gone after it.
 *
 * Not found are those that overwrote or cleared their environment, and those of other users when we are not root.
 */
export function findCarriers(digest: string, doomed: ReadonlySet<string>): Carriers {
  const mark = `${RUN_VARIABLE}=${digest}/`
  const runs = new Map<string, ProcIdentity[]>()
  const blank = new Set<number>()
  const look = (pid: number): void => {
    if (pid === process.pid) return
    const run = runOf(pid, mark)
    if (run === '') blank.add(pid)
    const identity = run ? identify(pid) : null
    if (!run || identity === null) return
    if (doomed.has(run)) kill(pid)
    const known = runs.get(run)
    if (known) known.push(identity)
    else runs.set(run, [identity])
  }
  let seen = lastPid()
  for (const pid of listPids()) look(pid)
  // Whoever was forked meanwhile, by one that may have ended before its turn came.
  for (let round = 0; seen !== null && round < MOST_ROUNDS; round++) {
    const last = lastPid()
    if (last === null || last === seen) break
    for (let pid = last > seen ? seen + 1 : 1; pid <= last; pid++) if (!isKnown(runs, pid)) look(pid)
    seen = last
  }
  return { runs, isSure: ![...blank].some(isInExec) }
}

/** The run that a process carries the name of; `''`: it has no environment; null: none of this kind, or not readable. */
export function runOf(pid: number, mark: string): string | null {
  let environment: Buffer
  try {
    environment = readFileSync(`/proc/${pid}/environ`)
  } catch {
    return null
  }
  if (environment.length === 0) return ''
  for (let at = environment.indexOf(mark); at >= 0; at = environment.indexOf(mark, at + 1)) {
    if (at > 0 && environment[at - 1] !== 0) continue // the end of another name, or part of a value
    const end = environment.indexOf(0, at)
    return environment.toString('latin1', at + mark.length, end < 0 ? environment.length : end)
  }
  return null
}

/** The pid given out last, to a process or to a thread; null where there is no /proc. */
export function lastPid(): number | null {
  try {
    return Number(readFileSync('/proc/loadavg', 'utf8').trim().split(' ').at(-1))
  } catch {
    return null
  }
}

function isKnown(runs: ReadonlyMap<string, readonly ProcIdentity[]>, pid: number): boolean {
  for (const processes of runs.values()) if (processes.some((it) => it.pid === pid)) return true
  return false
}

/** Between two programs a process has neither environment nor arguments; nor have threads of the kernel, and zombies. */
function isInExec(pid: number): boolean {
  const stat = readStat(pid)
  if (stat === null || stat.state === 'Z' || pid === KTHREADD || stat.ppid === KTHREADD) return false
  try {
    return readFileSync(`/proc/${pid}/cmdline`).length === 0
  } catch {
    return false
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}
