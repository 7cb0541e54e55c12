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
  switch (event) {
    case 'restarting':
      return {
        ...cause,
        ...exit,
        restarts,
        ...(phase.name === 'backoff' ? { next_attempt_at: new Date(toWall(phase.until)).toISOString() } : {}),
      }
    case 'left':
    case 'failed':
      return { ...cause, ...exit, restarts }
    case 'stopped':
      return exit
    default: {
      const pid = pidOf(instance)
      return pid === null ? cause : { pid, ...cause }
    }
  }
}

function withoutTime({ at: _, ...exit }: Exit): ExitData {
  return exit
}
