import type { Limits } from '../model/spec.ts'
import type { Cgroup, CgroupTree } from './cgroup.ts'

/** Which limits the kernel enforces. */
export interface Enforced {
  readonly memory: boolean
  readonly cpu: boolean
}

export const NOT_ENFORCED: Enforced = { memory: false, cpu: false }

/** The period over which the kernel measures the use of CPU, microseconds; its own default. */
const CPU_PERIOD_US = 100_000
const LEAST_CPU_QUOTA_US = 1000

/**
 * Puts limits in force for all processes of a cgroup, or takes them off again. Above its memory limit the kernel kills
 * them all at once.
 *
 * @returns which of the limits that are set it enforces from now on
 */
export function limitByCgroup(cgroup: Cgroup, tree: CgroupTree, { memoryBytes, cpu }: Limits): Enforced {
  return { memory: limitMemory(cgroup, tree, memoryBytes), cpu: limitCpu(cgroup, tree, cpu) }
}

function limitMemory(cgroup: Cgroup, tree: CgroupTree, bytes: number | null): boolean {
  if (bytes === null) {
    if (cgroup.read('memory.max') !== null) tryWrite(cgroup, 'memory.max', 'max')
    return false
  }
  if (!tree.enable('memory')) return false
  // Half of an instance is of no use. And memory that is swapped out instead would be no limit.
  tryWrite(cgroup, 'memory.oom.group', '1')
  tryWrite(cgroup, 'memory.swap.max', '0')
  return tryWrite(cgroup, 'memory.max', String(bytes))
}

function limitCpu(cgroup: Cgroup, tree: CgroupTree, cpu: number | null): boolean {
  if (cpu === null) {
    if (cgroup.read('cpu.max') !== null) tryWrite(cgroup, 'cpu.max', `max ${CPU_PERIOD_US}`)
    return false
  }
  if (!tree.enable('cpu')) return false
  const quota = Math.max(LEAST_CPU_QUOTA_US, Math.round(cpu * CPU_PERIOD_US))
  return tryWrite(cgroup, 'cpu.max', `${quota} ${CPU_PERIOD_US}`)
}

/** How often the kernel has killed processes of a cgroup for want of memory; null where it does not count. */
export function oomKills(cgroup: Cgroup): number | null {
  const found = /^oom_kill (\d+)$/m.exec(cgroup.read('memory.events') ?? '')
  return found ? Number(found[1]) : null
}

/** What of the limits is not in force, for people. */
export function limitNotes({ memoryBytes, cpu }: Limits, enforced: Enforced, hasProc: boolean): string[] {
  const notes: string[] = []
  if (cpu !== null && !enforced.cpu) {
    const how = '"eco startup" has it given one, with systemd 254 or newer'
    notes.push(`limits.cpu is not enforced: the daemon has no cgroup v2 with the cpu controller; ${how}`)
  }
  if (memoryBytes !== null && !enforced.memory && !hasProc) {
    notes.push('limits.memory is not enforced: this system has neither cgroup v2 nor /proc')
  }
  return notes
}

function tryWrite(cgroup: Cgroup, file: string, value: string): boolean {
  try {
    cgroup.write(file, value)
    return true
  } catch {
    return false
  }
}
