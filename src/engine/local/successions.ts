import type { AppGroup } from '../../supervisor/app-group.ts'
import type { InstanceRunner } from '../../supervisor/instance-runner.ts'

interface Run {
  readonly uid: number
  readonly incarnation: number
}

/** Notices when an instance is ready in another process than before. */
export class Successions {
  /** The latest run of each slot that was ever ready. */
  readonly #latest = new WeakMap<AppGroup, Map<number, Run>>()

  /**
   * Called after every change of an instance.
   *
   * @returns true once for each run that is ready and follows another one; the first run of a slot follows none
   */
  isSuccession(group: AppGroup, { id: { slot, uid }, instance: { phase, incarnation } }: InstanceRunner): boolean {
    const wasReady = phase.name === 'running' || (phase.name === 'stopping' && phase.readyAt !== null)
    if (!wasReady) return false
    let slots = this.#latest.get(group)
    if (!slots) this.#latest.set(group, (slots = new Map<number, Run>()))
    const latest = slots.get(slot)
    if (latest && (latest.uid > uid || (latest.uid === uid && latest.incarnation >= incarnation))) return false
    slots.set(slot, { uid, incarnation })
    return latest !== undefined && phase.name === 'running'
  }
}
