import { readFileSync } from 'node:fs'
import { runOf } from './carriers.ts'
import type { Cgroup } from './cgroup.ts'
import type { Group } from './group.ts'
import { readStat } from './proc.ts'

/** More processes than that are not looked through: a sweep when the run ends is cheaper. */
const MOST_PIDS = 64
const MOST_ROUNDS = 5

/**
 * Moves a process that was just spawned into its cgroup, with whatever it has forked meanwhile, and notes in the group
 * when every process of the run is there for certain: then all later ones will be. Asynchronous, because the kernel lets
 * the first writer wait for 5 to 20 ms.
 *
 * @param mark the entry in the environment of its processes
 */
export async function enclose(group: Group, leader: number, mark: string): Promise<void> {
  const { cgroup } = group
  if (!cgroup) return
  try {
    await cgroup.join(leader)
  } catch {
    return // it has ended, or may not be moved
  }
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const last = lastPid()
    if (last === null || last < leader || last - leader > MOST_PIDS) return
    const outside: number[] = []
    for (let pid = leader + 1; pid <= last; pid++) if (isOutside(pid, leader, cgroup, mark)) outside.push(pid)
    if (outside.length === 0 && lastPid() === last) {
      // Nobody was forked while we looked, so nobody by an early one that has ended since.
      group.isEnclosed = true
      return
    }
    for (const pid of outside) await cgroup.join(pid).catch(() => {})
  }
}

/** A process of the run that was forked before its parent was moved. */
function isOutside(pid: number, leader: number, cgroup: Cgroup, mark: string): boolean {
  const stat = readStat(pid)
  if (stat === null || stat.state === 'Z') return false
  const isInstance = stat.ppid === process.pid && stat.session === pid
  if (isInstance) return false
  const isOurs = stat.session === leader || stat.pgrp === leader || stat.ppid === leader || runOf(pid, mark) !== null
  return isOurs && !cgroup.holds(pid)
}

/** The pid given out last, to a process or to a thread. */
function lastPid(): number | null {
  try {
    return Number(readFileSync('/proc/loadavg', 'utf8').trim().split(' ').at(-1))
  } catch {
    return null
  }
}
