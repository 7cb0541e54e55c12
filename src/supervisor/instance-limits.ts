import { existsSync } from 'node:fs'
import type { Limits } from '../model/spec.ts'
import { type Enforced, limitNotes, NOT_ENFORCED } from './limits.ts'
import { describeExcess, type MemoryGuard, type MemoryWatch } from './memory-watch.ts'

export interface LimitsOwner {
  /** It uses more than it may. `urgent`: so much that it must be killed at once. */
  exceeded(reason: string, urgent: boolean): void
}

const HAS_PROC = existsSync('/proc/self/stat')

/** Keeps the limits of one run of an instance in force, from its spawn until nothing of it lives. */
export class InstanceLimits {
  readonly leader: number
  readonly #memory: MemoryWatch
  readonly #owner: LimitsOwner
  #guard: MemoryGuard | null = null
  #enforced: Enforced = NOT_ENFORCED
  /** Sentences about the limits that do not hold. */
  notes: readonly string[] = []

  /** @param leader pid */
  constructor(leader: number, memory: MemoryWatch, owner: LimitsOwner) {
    this.leader = leader
    this.#memory = memory
    this.#owner = owner
  }

  /** Also for a change of the limits while it runs. */
  apply(limits: Limits): void {
    this.notes = limitNotes(limits, this.#enforced, HAS_PROC)
    const { memoryBytes } = limits
    if (memoryBytes === null || this.#enforced.memory) {
      this.#guard?.close()
      this.#guard = null
    } else if (this.#guard === null) {
      this.#guard = this.#memory.guard(this.leader, memoryBytes, (excess) =>
        // Whoever applies the limits is busy: the fault comes after.
        setImmediate(() => this.#owner.exceeded(describeExcess(excess), excess.urgent)),
      )
    } else this.#guard.setLimit(memoryBytes)
  }

  close(): void {
    this.#guard?.close()
    this.#guard = null
  }
}
