/** Which events a selection means. Pure. */

import type { Selection } from '../daemon/protocol.ts'
import { matcher, splitSlot } from '../daemon/selection.ts'
import type { StoredEvent } from '../model/events.ts'
import { instanceName, type ScopeId } from '../model/ids.ts'

export function isSelected(scope: ScopeId, { project, environment }: Selection): boolean {
  return (project === null || scope.project === project) && (environment === null || scope.environment === environment)
}

/** Events of the apps or instances that are named; without names, and for `all`, those of the scope too. */
export function eventMatcher(selectors: readonly string[]): (event: StoredEvent) => boolean {
  if (selectors.length === 0 || selectors.includes('all')) return () => true
  const tests = selectors.map((selector) => {
    const { name, slot } = splitSlot(selector)
    return { slot, matches: matcher(name) }
  })
  return ({ app, instance }) =>
    app !== null &&
    tests.some(({ slot, matches }) => matches(app) && (slot === null || instance === instanceName(app, slot)))
}
