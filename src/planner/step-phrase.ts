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
      return `${replacement(step, up, 'one by one')}${counts(step, stops)}`
    case 'restart':
      return up.length === 0
        ? stops.join(', ')
        : `stops, then starts ${describeSlots(step.app, up)}${counts(step, stops)}`
    case 'stop':
      return stops.length > 0 ? stops.join(', ') : 'nothing runs'
    case 'remove':
      return stops.length > 0 ? `${stops.join(', ')}, then forgets the app` : 'nothing runs, forgets the app'
    default:
      return unreachable(step.action)
  }
}

/** A slot that did not run is started, not replaced; which ones is plain from the operations. */
function replacement(step: Step, up: readonly number[], how: string): string {
  const stopped = new Set(step.operations.filter(({ op }) => op === 'stop').map(({ instance }) => instance))
  const [replaced, added] = [up.filter((slot) => isIn(slot)), up.filter((slot) => !isIn(slot))]
  const parts = replaced.length > 0 ? [`replaces ${describeSlots(step.app, replaced)} ${how}`] : []
  if (added.length > 0) parts.push(`starts ${describeSlots(step.app, added)}`)
  return parts.join(', ')

  function isIn(slot: number): boolean {
    return stopped.has(`${step.app}#${slot}`)
  }
}

function counts(step: Step, stops: readonly string[]): string {
  const size = step.from === step.to ? '' : `, ${step.from} -> ${step.to} instances`
  return `${stops.length > 0 ? `, then ${stops.join(', ')}` : ''}${size}`
}
