import type { Selection } from '../../daemon/protocol.ts'
import type { StoredEvent } from '../../model/events.ts'
import { type ScopeId, scopeName } from '../../model/ids.ts'
import { endOfEvents, eventFile, knownScopes } from '../../state/event-files.ts'
import { EventTail } from '../../state/event-reader.ts'
import { isSelected } from '../select-events.ts'

/** The events of all scopes that a selection means, as they come. */
export class EventTails {
  readonly #home: string
  readonly #selection: Selection
  readonly #tails = new Map<string, EventTail>()
  /** Number of the last event that was there at the beginning, by scope. */
  readonly lasts = new Map<string, number>()

  constructor(home: string, selection: Selection) {
    this.#home = home
    this.#selection = selection
    for (const scope of this.#scopes()) {
      const { seq } = endOfEvents(home, scope)
      this.lasts.set(scopeName(scope), seq)
      this.#tails.set(scopeName(scope), new EventTail(home, scope, seq))
    }
  }

  /** Takes in scopes that have come into being. @returns the files of all */
  look(): string[] {
    return this.#scopes().map((scope) => {
      const name = scopeName(scope)
      if (!this.#tails.has(name)) this.#tails.set(name, new EventTail(this.#home, scope, 0))
      return eventFile(this.#home, scope)
    })
  }

  next(): StoredEvent[] {
    return [...this.#tails.values()].flatMap((tail) => tail.next())
  }

  #scopes(): ScopeId[] {
    return knownScopes(this.#home).filter((scope) => isSelected(scope, this.#selection))
  }
}
