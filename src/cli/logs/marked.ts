import type { Selection } from '../../daemon/protocol.ts'
import type { StoredEvent } from '../../model/events.ts'
import { eventMatcher } from '../select-events.ts'
import { isShown } from './markers.ts'

/** They concern every app of the scope. */
const FOR_ALL: ReadonlySet<string> = new Set(['daemon_started', 'daemon_stopped', 'problem'])

/** Whether an event is shown among the lines of a selection. */
export function isMarked(event: StoredEvent, { selectors }: Selection): boolean {
  if (!isShown(event)) return false
  return eventMatcher(selectors)(event) || (event.app === null && FOR_ALL.has(event.event))
}
