/** How instances give way to their successors: one slot after the other, and back again when a successor fails. */

import type { AppliedApp } from '../../model/applied.ts'
import type { AppGroup } from '../../supervisor/app-group.ts'
import type { InstanceRunner } from '../../supervisor/instance-runner.ts'
import type { StepOutcome } from '../engine.ts'
import { whenStopped } from './await.ts'
import { AT_ONCE, type Failure, type Progress, type Proof, prove, readyOrFailure } from './prove.ts'

/** Whoever gave the signal decides what becomes of the app. */
export const CUT_SHORT: StepOutcome = { status: 'skipped', reason: 'cut short' }

/** Starts an app in the given slots, all at once, and waits until every one is ready. */
export async function startSlots(
  group: AppGroup,
  applied: AppliedApp,
  slots: readonly number[],
  progress: Progress,
): Promise<Failure | null> {
  const runners: InstanceRunner[] = []
  for (const slot of slots) {
    const old = group.inSlot(slot)
    if (old) await retire(group, old)
    const runner = group.add(slot, applied)
    runner.start()
    runners.push(runner)
  }
  let ready = 0
  const failures = await Promise.all(
    runners.map(async (runner) => {
      const failure = await readyOrFailure(runner)
      if (failure === null && runners.length > 1) progress(`${++ready} of ${runners.length} ready`)
      return failure
    }),
  )
  return failures.find((failure) => failure !== null) ?? null
}

/** Stops the instances in the given slots, all at once, and forgets them. */
export async function stopSlots(group: AppGroup, slots: readonly number[]): Promise<void> {
  const wanted = new Set(slots)
  await Promise.all(group.runners.filter((runner) => wanted.has(runner.id.slot)).map((runner) => retire(group, runner)))
}

/** Stops an instance, waits until its whole group is gone, and forgets it. */
export async function retire(group: AppGroup, runner: InstanceRunner): Promise<void> {
  runner.stop()
  await whenStopped(runner)
  group.drop(runner)
}

/**
 * Replaces the instances of an app of which two copies cannot run at once: slot by slot, the old one stops first.
 *
 * When a successor fails, every slot already replaced goes back the same way.
 */
export async function replaceInPlace(
  group: AppGroup,
  before: AppliedApp,
  after: AppliedApp,
  slots: readonly number[],
  progress: Progress,
  signal: AbortSignal,
): Promise<StepOutcome> {
  const replaced: number[] = []
  // Going back would be the same once more: the supervisor goes on trying, as after any start.
  const isSame = before.version === after.version
  const { soakMs, check } = after.spec.rollout
  for (const slot of slots) {
    if (signal.aborted) return CUT_SHORT
    progress(`replacing ${group.app}#${slot} (${replaced.length + 1} of ${slots.length})`)
    const proof = isSame ? AT_ONCE : { soakMs, check: replaced.length === 0 ? check : null }
    const failure = await replaceOne(group, slot, after, proof, progress)
    if (failure === null) {
      replaced.push(slot)
      continue
    }
    if (signal.aborted) {
      if (!isSame) await stopSlots(group, [slot])
      return CUT_SHORT
    }
    if (isSame) return { status: 'failed', ...failure }
    if (after.spec.rollout.onFailure === 'keep') return { status: 'kept', ...failure }
    progress(`${failure.reason}; going back to version ${before.version}`)
    let second: Failure | null = null
    for (const back of [slot, ...replaced]) {
      second = (await replaceOne(group, back, before, AT_ONCE, progress)) ?? second
    }
    return second === null ? { status: 'rolled-back', ...failure } : notBroughtBack(failure, second)
  }
  return { status: 'done' }
}

/** Stops every instance, then starts the successors: for ports that old and new cannot share. */
export async function replaceAll(
  group: AppGroup,
  before: AppliedApp,
  after: AppliedApp,
  count: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<StepOutcome> {
  const slots = Array.from({ length: count }, (_, slot) => slot)
  const old = [...new Set(group.runners.map((runner) => runner.id.slot))]
  await stopSlots(group, old)
  const failure = await startSlots(group, after, slots, progress)
  if (failure === null) return { status: 'done' }
  if (signal.aborted) return CUT_SHORT
  if (before.version === after.version) return { status: 'failed', ...failure }
  progress(`${failure.reason}; going back to version ${before.version}`)
  await stopSlots(group, slots)
  const second = await startSlots(group, before, old, progress)
  if (second === null) return { status: 'rolled-back', ...failure }
  return notBroughtBack(failure, second)
}

export function notBroughtBack(first: Failure, second: Failure): StepOutcome {
  const reason = `${first.reason}; and the old version could not be brought back: ${second.reason}`
  return { status: 'failed', reason, log: [...first.log, ...second.log] }
}

/** A failed successor stays: its supervisor goes on trying, unless somebody replaces it. */
async function replaceOne(
  group: AppGroup,
  slot: number,
  applied: AppliedApp,
  proof: Proof,
  progress: Progress,
): Promise<Failure | null> {
  const olds = group.runners.filter((runner) => runner.id.slot === slot)
  await Promise.all(olds.map((old) => retire(group, old)))
  const successor = group.add(slot, applied)
  successor.start()
  return prove(successor, proof, progress)
}
