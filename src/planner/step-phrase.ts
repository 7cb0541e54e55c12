import { unreachable } from '../errors.ts'
import type { Step } from '../model/plan.ts'
import { describeSlots } from './cause.ts'

/** What a step does to which instances: `keeps 2, starts api#2, api#3`. */
export function stepPhrase(step: Step): string {
  const up = step.slots.filter((slot) => slot < step.to)
  const down = step.slots.filter((slot) => slot >= step.to)
  const starts = up.length > 0 ? [`starts ${describeSlots(step.app, up)}`] : []
  const stops = down.length > 0 ? [`stops ${describeSlots(step.app, down)}`] : []
  switch (step.action) {
    case 'start':
      return starts.concat(stops).join(', ')
    case 'run':
      return 'runs once'
    case 'schedule':
      return 'arms the schedule'
    case 'update':
      return 'in place, no process is touched'
    case 'scale':
      return [`keeps ${step.from - down.length}`, ...starts, ...stops].join(', ')
    case 'roll':
      return `${replacement(step, up, 'replaces')}${counts(step, stops)}`
    case 'restart':
      // A change of kind stops what goes before anything starts; any other restart stops it last.
      if ((step.slots[0] ?? 0) < step.to) return `${replacement(step, up, 'restarts')}${counts(step, stops)}`
      return [...stops, ...(up.length > 0 ? [replacement(step, up, 'restarts')] : [])].join(', then ')
    case 'stop':
      return stops.length > 0 ? stops.join(', ') : 'nothing runs'
    case 'remove':
      return stops.length > 0 ? `${stops.join(', ')}, then forgets the app` : 'nothing runs, forgets the app'
    default:
      return unreachable(step.action)
  }
}

/** A slot that did not run is started, not replaced; the operations tell which. */
function replacement(step: Step, up: readonly number[], word: string): string {
  const stopped = new Set(step.operations.filter(({ op }) => op === 'stop').map(({ instance }) => instance))
  const [replaced, added] = [up.filter((slot) => isIn(slot)), up.filter((slot) => !isIn(slot))]
  const parts =
    replaced.length > 0
      ? [`${word} ${describeSlots(step.app, replaced)}${replaced.length > 1 ? ` ${paceOf(step)}` : ''}`]
      : []
  if (added.length > 0) parts.push(`starts ${describeSlots(step.app, added)}`)
  return parts.join(', ')

  function isIn(slot: number): boolean {
    return stopped.has(`${step.app}#${slot}`)
  }
}

/** How many start before the first of them is waited for. */
function paceOf({ operations }: Step): string {
  let most = 0
  let inRow = 0
  for (const { op } of operations) {
    inRow = op === 'start' ? inRow + 1 : 0
    most = Math.max(most, inRow)
  }
  return most > 1 ? `up to ${most} at a time` : 'one by one'
}

function counts(step: Step, stops: readonly string[]): string {
  const size = step.from === step.to ? '' : `, ${step.from} -> ${step.to} instances`
  return `${stops.length > 0 ? `, then ${stops.join(', ')}` : ''}${size}`
}
