/** The event that `--around` means. */

import { EcoError } from '../../errors.ts'
import type { StoredEvent } from '../../model/events.ts'
import { type EpochMs, type ScopeId, scopeName } from '../../model/ids.ts'
import { storedEvents } from '../../state/event-reader.ts'
import { parseMoment } from '../parse-moment.ts'

export interface Moment {
  readonly at: EpochMs
  /** null: a time was named. */
  readonly event: StoredEvent | null
}

/**
 * @param scopes where to look
 * @throws EcoError USAGE, UNKNOWN_TARGET
 */
export function findMoment(home: string, text: string, scopes: readonly ScopeId[], now: EpochMs): Moment {
  if (!/^#?\d+$/.test(text)) return { at: parseMoment(text, now, '--around') ?? now, event: null }
  const seq = Number(text.replace('#', ''))
  const query = { since: null, until: null, limit: null, matches: (event: StoredEvent) => event.seq === seq }
  const found = scopes.flatMap((scope) => storedEvents(home, scope, query).events.slice(0, 1))
  const [event, other] = found
  if (event === undefined) {
    throw new EcoError(
      'UNKNOWN_TARGET',
      `No event has the number ${seq}: it is in no scope that is meant, or too old.`,
      {
        hint: '"eco events" shows the numbers; a time does as well: --around 18:04:05',
      },
    )
  }
  if (other !== undefined) {
    const [project, environment] = event.scope.split('/')
    throw new EcoError(
      'UNKNOWN_TARGET',
      `There is an event ${seq} in ${found.map(({ scope }) => scope).join(' and ')}.`,
      {
        hint: `say which one: --project ${project} --env ${environment}`,
      },
    )
  }
  return { at: Date.parse(event.at), event }
}

/** The scopes of some files, each once. */
export function scopesOf(files: readonly { readonly scope: ScopeId }[]): ScopeId[] {
  return [...new Map(files.map(({ scope }) => [scopeName(scope), scope])).values()]
}
