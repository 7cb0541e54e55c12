import type { ExitData, InstanceEventData } from '../model/events.ts'
import type { Exit } from '../model/observed.ts'
import { toWall } from './clock.ts'
import { type Effect, type Instance, pidOf } from './instance-state.ts'

/** The facts of an event. @param instance as the event has left it */
export function eventData(
  { event, reason }: Extract<Effect, { type: 'record' }>,
  instance: Instance,
): InstanceEventData {
  const cause = reason === null ? {} : { reason }
  const { phase, lastExit, restarts } = instance
  const exit = lastExit === null ? {} : { exit: withoutTime(lastExit) }
  if (event === 'stopped') return exit
  if (event === 'left' || event === 'failed') return { ...cause, ...exit, restarts }
  if (event === 'restarting') {
    const next = phase.name === 'backoff' ? { next_attempt_at: new Date(toWall(phase.until)).toISOString() } : {}
    return { ...cause, ...exit, restarts, ...next }
  }
  const pid = pidOf(instance)
  return pid === null ? cause : { pid, ...cause }
}

function withoutTime(exit: Exit): ExitData {
  return Object.fromEntries(Object.entries(exit).filter(([name]) => name !== 'at')) as unknown as ExitData
}
