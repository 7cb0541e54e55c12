/**
 * The maths of a rollout: how many instances may start and stop at a moment. One pure function for the preview of a plan
 * and for the rollout itself. After Kubernetes' Deployment controller (`rolling.go`, `ResolveFenceposts`), with the first
 * new instance as a canary.
 */

import type { EpochMs } from './ids.ts'
import type { Rollout, Share } from './spec.ts'

/** A rollout's limits in instances. */
export interface Fenceposts {
  /** Instances wanted. */
  readonly wanted: number
  /** More than wanted that may run. */
  readonly surge: number
  /** Fewer than wanted that may be available. */
  readonly unavailable: number
}

/** Shares of the surge are rounded up, of the unavailable down; when both come to 0, one instance may be unavailable. */
export function fenceposts({ maxSurge, maxUnavailable }: Rollout, wanted: number): Fenceposts {
  const surge = Math.ceil(countOf(maxSurge, wanted))
  const unavailable = Math.min(wanted, Math.floor(countOf(maxUnavailable, wanted)))
  return { wanted, surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
}

function countOf(share: Share, wanted: number): number {
  return typeof share === 'number' ? share : (wanted * Number(share.slice(0, -1))) / 100
}

/**
 * One slot during a rollout. `unavailable`: it has a process, or pauses before its next attempt, but does not serve.
 * `starting`: the new one has not proved itself yet. `left`: it is right as it is, does not serve, and is not waited for.
 * An instance that was told to stop counts as `none`.
 */
export interface RolloutSlot {
  readonly slot: number
  readonly old: 'none' | 'unavailable' | 'available'
  readonly fresh: 'none' | 'starting' | 'available' | 'left'
}

/** Slots in the order in which a rollout replaces them; those that are not wanted any more last, highest first. */
export function inRolloutOrder(slots: Iterable<number>, wanted: number, { order }: Rollout): readonly number[] {
  const ascending = [...new Set(slots)].sort((a, b) => a - b)
  const within = ascending.filter((slot) => slot < wanted)
  const above = ascending.filter((slot) => slot >= wanted)
  return [...(order === 'descending' ? within.toReversed() : within), ...above.toReversed()]
}

/** `start`: the slot's new instance. `stop`: its old one. */
export interface RolloutMove {
  readonly move: 'start' | 'stop'
  readonly slot: number
}

/**
 * What may be done now.
 *
 * - Never more than `wanted + surge` instances that were not told to stop, nor fewer available than `wanted - unavailable`
 *   by the rollout's own doing: new ones that are not available yet are subtracted from what may be stopped, so that a
 *   version that never gets ready cannot eat the old one.
 * - Until one new instance is available there is only one (the canary), and no healthy old one is stopped for it, unless
 *   there is no surge to start it in.
 * - Nobody waits for what is left as it is: it counts as running, and is expected to serve as little as it does.
 * - Old ones that do not serve are replaced and stopped first; those above `wanted` go before the others.
 *
 * @param slots in the order in which they are to be replaced; one that is left as it is, without an instance, is not there
 */
export function nextMoves(slots: readonly RolloutSlot[], { wanted, surge, unavailable }: Fenceposts): RolloutMove[] {
  const count = (matches: (slot: RolloutSlot) => boolean): number => slots.filter(matches).length
  const olds = count(({ old }) => old !== 'none')
  const starting = count(({ fresh }) => fresh === 'starting')
  const proven = count(({ fresh }) => fresh === 'available')
  const left = count(({ fresh }) => fresh === 'left')
  const total = olds + starting + proven + left
  const available = proven + count(({ old }) => old === 'available')
  const isCanarying = proven === 0
  const moves: RolloutMove[] = []

  const due = count(({ slot }) => slot < wanted)
  // With more old ones than wanted, the canary still needs its place.
  const ceiling = Math.max(due, isCanarying ? olds + left : 0) + surge
  const mayStart = Math.min(ceiling - total, isCanarying ? 1 - starting : Infinity)
  const missing = slots.filter(({ slot, fresh }) => slot < wanted && fresh === 'none')
  const first = missing.filter(({ old }) => old !== 'available')
  const starts = [...first, ...missing.filter((it) => !first.includes(it))].slice(0, Math.max(0, mayStart))
  for (const { slot } of starts) moves.push({ move: 'start', slot })

  // What is left as it is may never serve. Without a surge nothing more may be missing for that.
  const floor = due - unavailable - (surge > 0 ? left : 0)
  let mayStop = total - floor - starting - left
  const stops = (matches: (slot: RolloutSlot) => boolean, most: number): void => {
    for (const { slot } of slots.filter(matches).slice(0, Math.max(0, Math.min(mayStop, most)))) {
      moves.push({ move: 'stop', slot })
      mayStop--
    }
  }
  stops(({ old }) => old === 'unavailable', Infinity)
  if (isCanarying && surge > 0) return moves
  let spare = available - floor
  const isSurplus = ({ slot, old }: RolloutSlot): boolean => old === 'available' && slot >= wanted
  const isReplaced = ({ slot, old, fresh }: RolloutSlot): boolean =>
    old === 'available' && slot < wanted && fresh === 'available'
  const isOpen = ({ slot, old, fresh }: RolloutSlot): boolean =>
    old === 'available' && slot < wanted && fresh === 'none' && !starts.some((it) => it.slot === slot)
  for (const matches of [isReplaced, isSurplus, isOpen]) {
    const before = moves.length
    stops(matches, spare)
    spare -= moves.length - before
  }
  return moves
}

/** Every slot that is wanted has its new instance, and nothing old is left that was not told to stop. */
export function isRolledOut(slots: readonly RolloutSlot[], wanted: number): boolean {
  const isThere = ({ fresh }: RolloutSlot): boolean => fresh === 'available' || fresh === 'left'
  return slots.every((it) => it.old === 'none' && (it.slot >= wanted || isThere(it)))
}

/** A rollout that is under way, for those who watch it. */
export interface RolloutStatus {
  readonly state: 'progressing' | 'paused' | 'rolling-back'
  readonly fromVersion: number
  readonly toVersion: number
  /** New instances that are available, and those wanted. */
  readonly updated: number
  readonly wanted: number
  readonly since: EpochMs
  /** Why it pauses or goes back, or what it waits for; null: nothing to say. */
  readonly reason: string | null
}
