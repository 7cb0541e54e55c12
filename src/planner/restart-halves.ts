import type { AppSpec } from '../model/spec.ts'
import { range, runningFrom } from './action.ts'
import type { Action } from './action.ts'
import type { Survey } from './survey.ts'

/**
 * `eco restart api db`, where api depends on db: api stops first and starts last, for it is not to run without db.
 *
 * @param actions what is planned for every app
 * @returns the two halves, or the action as it is
 */
export function restartHalves(
  action: Action,
  dependsOn: AppSpec['dependsOn'],
  survey: Survey,
  actions: ReadonlyMap<string, Action | null>,
): readonly Action[] {
  const isWhole = action.action === 'restart' && action.slots.length === action.to
  if (!isWhole || action.from === 0) return [action]
  if (!Object.keys(dependsOn).some((name) => actions.get(name)?.action === 'restart')) return [action]
  return [
    { action: 'stop', from: action.from, to: 0, slots: runningFrom(survey, 0) },
    { action: 'start', from: 0, to: action.to, slots: range(action.to) },
  ]
}
