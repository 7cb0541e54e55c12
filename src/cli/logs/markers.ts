/** What happened between two lines: events, as they are shown among the lines. Pure. */

import type { LineClock } from '../../logs/read/line-clock.ts'
import type { StoredEvent } from '../../model/events.ts'
import type { EpochMs } from '../../model/ids.ts'

export interface Marker {
  readonly event: StoredEvent
  readonly time: EpochMs
  /** The one that was asked for. */
  readonly isMeant: boolean
}

/** An event may be told some time after it happened, when the machine is busy. */
const LATE_MS = 5000

export const ENDS: ReadonlySet<string> = new Set(['restarting', 'left', 'failed', 'stopped', 'run_ended'])
const OTHERS =
  'started run_started ready unready fault hook_failed killed reset adopted note daemon_started daemon_stopped ' +
  'apply_started apply_cut_off steps_cancelled hold_ended problem rollout_taken_over step_failed step_rolled_back step_paused step_kept ' +
  'logs_full logs_resumed'
const SHOWN: ReadonlySet<string> = new Set([...ENDS, ...OTHERS.split(' ')])
const STEPS: ReadonlySet<string> = new Set(['step_started', 'step_done'])
/** Their beginning and end say what the starts and stops of instances between them belong to. */
const TOLD_STEPS: ReadonlySet<unknown> = new Set(['update', 'scale', 'roll', 'restart', 'remove'])

export function isShown({ event, data }: StoredEvent): boolean {
  return SHOWN.has(event) || (STEPS.has(event) && TOLD_STEPS.has(data['action']))
}

/**
 * Puts markers in their order: before the first line of the run that they announce, behind the last one of the run whose
 * end they tell.
 */
export function placeMarkers(
  events: readonly StoredEvent[],
  clockOf: (event: StoredEvent) => LineClock | null,
  meant: StoredEvent | null = null,
): Marker[] {
  const latest = new Map<string, EpochMs>()
  return events
    .map((event): Marker => {
      const key = `${event.scope} ${event.instance ?? event.app ?? ''}`
      const time = Math.max(placeOf(event, clockOf(event)), latest.get(key) ?? Number.NEGATIVE_INFINITY)
      latest.set(key, time)
      return { event, time, isMeant: event.seq === meant?.seq && event.scope === meant.scope }
    })
    .sort((a, b) => a.time - b.time)
}

function placeOf(event: StoredEvent, clock: LineClock | null): EpochMs {
  const at = Date.parse(event.at)
  if (clock === null) return at
  if (event.event === 'started') return clock.startBefore(at, LATE_MS)?.at ?? at
  return ENDS.has(event.event) ? (clock.endAfter(at, LATE_MS)?.at ?? at) : at
}

/** The latest ones about each instance, app and scope, in their order. */
export function latestOfEach(markers: readonly Marker[], count: number | null): Marker[] {
  if (count === null) return [...markers]
  const seen = new Map<string, number>()
  return [...markers]
    .reverse()
    .filter(({ event, isMeant }) => {
      const key = `${event.scope} ${event.instance ?? event.app ?? ''}`
      const before = seen.get(key) ?? 0
      seen.set(key, before + 1)
      return before < count || isMeant
    })
    .reverse()
}
