import type { EcoEvent, StoredEvent } from '../model/events.ts'
import { type ScopeId, scopeName } from '../model/ids.ts'
import { EventWriter } from './event-writer.ts'

/** The events of all scopes: into the files of their scope, and live to those who listen. */
export class EventLog {
  readonly #home: string
  readonly #listeners = new Set<(event: EcoEvent) => void>()
  readonly #writers = new Map<string, EventWriter>()

  constructor(home: string) {
    this.#home = home
  }

  emit(scope: ScopeId, event: EcoEvent): void {
    for (const listener of this.#listeners) listener(event)
    this.#writer(scope).append(event)
  }

  listen(listener: (event: EcoEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Events that are not in the file of their scope yet: the disk is full. */
  unwritten(scope: ScopeId): readonly StoredEvent[] {
    return this.#writers.get(scopeName(scope))?.pending ?? []
  }

  /** Scopes whose events cannot be written at the moment. */
  problems(): string[] {
    return [...this.#writers.values()].flatMap(({ problem }) => problem ?? [])
  }

  /** Nothing waits but what cannot be written now. */
  get isFlushed(): boolean {
    return [...this.#writers.values()].every(({ pending, problem }) => pending.length === 0 || problem !== null)
  }

  /** Resolves once all events so far are in the files, or cannot be written now. */
  async flushed(): Promise<void> {
    await Promise.all([...this.#writers.values()].map((writer) => writer.drained()))
  }

  #writer(scope: ScopeId): EventWriter {
    const name = scopeName(scope)
    let writer = this.#writers.get(name)
    if (!writer) this.#writers.set(name, (writer = new EventWriter(this.#home, scope)))
    return writer
  }
}
