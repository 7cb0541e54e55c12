import { existsSync } from 'node:fs'
import type { Limits } from '../model/spec.ts'
import type { CgroupTree } from './cgroup.ts'
import type { Group } from './group.ts'
import { limitByCgroup, limitNotes, NOT_ENFORCED } from './limits.ts'
import { describeExcess, type GuardedTree, type MemoryGuard, type MemoryWatch } from './memory-watch.ts'

export interface LimitsHost {
  /** null: there are no cgroups. */
  readonly cgroups: CgroupTree | null
  readonly memory: MemoryWatch
  /** It uses more than it may. `urgent`: so much that it must be killed at once. */
  exceeded(reason: string, urgent: boolean): void
}

const HAS_PROC = existsSync('/proc/self/stat')

/**
 * Keeps the limits of one run of an instance in force, from its spawn until nothing of it lives: by its cgroup where
 * that has the controllers, else (memory only) by sampling.
 */
export class InstanceLimits {
  readonly leader: number
  readonly #group: Group
  readonly #host: LimitsHost
  #guard: MemoryGuard | null = null
  #limits: Limits = { memoryBytes: null, cpu: null }
  #isClosed = false
  /** Sentences about the limits that do not hold. */
  notes: readonly string[] = []

  /** @param leader pid */
  constructor(leader: number, group: Group, host: LimitsHost) {
    this.leader = leader
    this.#group = group
    this.#host = host
    // Until every process is in the cgroup, what the kernel enforces there is not enough.
    void group.enclosing.then(() => this.apply(this.#limits))
  }

  isApplied(limits: Limits): boolean {
    return limits.memoryBytes === this.#limits.memoryBytes && limits.cpu === this.#limits.cpu
  }

  /** Also for a change of the limits while it runs. */
  apply(limits: Limits): void {
    if (this.#isClosed) return
    this.#limits = limits
    const { cgroup, isEnclosed } = this.#group
    const { cgroups } = this.#host
    const enforced = cgroup && cgroups ? limitByCgroup(cgroup, cgroups, limits) : NOT_ENFORCED
    this.notes = limitNotes(limits, enforced, HAS_PROC)
    this.#sample(enforced.memory && isEnclosed ? null : limits.memoryBytes)
  }

  close(): void {
    this.#isClosed = true
    this.#sample(null)
  }

  #sample(limitBytes: number | null): void {
    if (limitBytes === null) {
      this.#guard?.close()
      this.#guard = null
      return
    }
    if (this.#guard !== null) return this.#guard.setLimit(limitBytes)
    const { leader } = this
    // Where the cgroup holds them all, what it says is cheaper than a look at every process.
    const members = (): ReturnType<GuardedTree['members']> => {
      const { cgroup, isEnclosed } = this.#group
      return { pids: cgroup?.members() ?? [], isComplete: isEnclosed }
    }
    this.#guard = this.#host.memory.guard({ leader, members }, limitBytes, (excess) =>
      // Whoever applies the limits is busy: the fault comes after.
      setImmediate(() => {
        if (!this.#isClosed) this.#host.exceeded(describeExcess(excess), excess.urgent)
      }),
    )
  }
}
