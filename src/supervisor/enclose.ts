import { lastPid, runOf } from './carriers.ts'
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
 * @param mark what stands before the name of its run in the environment of its processes
 */
export async function enclose(group: Group, leader: number, mark: string): Promise<void> {
  const { cgroup, run } = group
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
    for (let pid = leader + 1; pid <= last; pid++) {
      const carried = carriedBy(pid, leader, run, mark)
      if (carried === '') return // not known at this moment
      if (carried === run && !cgroup.holds(pid)) outside.push(pid)
    }
    if (outside.length === 0 && lastPid() === last) {
      // Nobody was forked while we looked, so nobody by an early one that has ended since.
      group.isEnclosed = true
      return
    }
    for (const pid of outside) await cgroup.join(pid).catch(() => {})
  }
}

/** The run that a process belongs to; `''`: it cannot be told; null: not one of ours. */
function carriedBy(pid: number, leader: number, run: string, mark: string): string | null {
  const stat = readStat(pid)
  if (stat === null || stat.state === 'Z') return null
  const isInstance = stat.ppid === process.pid && stat.session === pid
  if (isInstance) return null
  return stat.session === leader || stat.pgrp === leader || stat.ppid === leader ? run : runOf(pid, mark)
}
