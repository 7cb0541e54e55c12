import { range, replacesInstances, runningFrom } from './action.ts'
import type { Action, Situation } from './action.ts'

/** Decides what happens to a service; null: nothing. One action covers changes, drift and holds together. */
export function serviceAction(now: Situation): Action | null {
  const { target, edit, survey } = now
  const from = survey.running.size
  const surplus = runningFrom(survey, target)
  const act = (action: Action['action'], slots: readonly number[]): Action => ({ action, from, to: target, slots })

  if (edit.verb === 'stop') return now.holdChanges || from > 0 ? act('stop', surplus) : null
  if (edit.verb === 'restart') return restart(now, act)
  const replaces = edit.verb === 'reload' || now.cascades || replacesInstances(now.impact)
  if (replaces && target > 0 && from > 0) {
    return act(mustRestart(now) ? 'restart' : 'roll', [...range(target), ...surplus])
  }
  const idle = slotsToStart(now, replaces)
  const outdated = range(target).filter((slot) => isOutdated(now, slot))
  if (now.socketsLost && from > 0 && target > 0 && idle.length + outdated.length > 0) {
    return act('restart', [...range(target), ...surplus])
  }
  if (outdated.length > 0) {
    const slots = [...outdated, ...idle].toSorted((a, b) => a - b)
    return act(mustRestart(now) ? 'restart' : 'roll', [...slots, ...surplus])
  }
  const slots = [...idle, ...surplus]
  if (slots.length === 0) {
    return now.before === null || now.impact !== 'none' || now.holdChanges ? act('update', slots) : null
  }
  if (from === 0) return act('start', slots)
  if (now.wanted !== target) return act('scale', slots)
  if (surplus.length === 0) return act('start', slots)
  return act(idle.length === 0 ? 'stop' : 'scale', slots)
}

function restart(now: Situation, act: (action: Action['action'], slots: readonly number[]) => Action): Action | null {
  const { slots } = now.edit
  const chosen = range(now.target).filter((slot) => slots === null || slots.includes(slot))
  return chosen.length > 0 ? act('restart', chosen) : null
}

/** Slots below the target without a process. One that ended well is left alone, unless its app is started or replaced. */
function slotsToStart(now: Situation, replaces: boolean): number[] {
  const mayRest = !replaces && now.edit.verb !== 'start' && now.after.restart.policy !== 'always'
  return range(now.target).filter(
    (slot) => !now.survey.running.has(slot) && !(mayRest && now.survey.finished.has(slot)),
  )
}

function isOutdated(now: Situation, slot: number): boolean {
  const version = now.survey.running.get(slot)
  return version !== undefined && version !== now.version
}

/** Two copies cannot run at once, by the old spec or the new one, or because they are of different kinds. */
function mustRestart(now: Situation): boolean {
  if (now.impact === 'restart' || now.after.rollout.exclusive || now.socketsLost) return true
  return now.before?.rollout.exclusive === true
}
