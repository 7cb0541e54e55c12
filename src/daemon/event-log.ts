import { appendFile, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { EcoEvent } from '../model/events.ts'
import type { ScopeId } from '../model/ids.ts'
import { scopeDir } from '../state/paths.ts'

const REMEMBERED = 200

/** The events of the scopes: the latest in memory, all of them in each scope's events.ndjson, live ones to listeners. */
export class EventLog {
  readonly #home: string
  readonly #recent: EcoEvent[] = []
  readonly #listeners = new Set<(event: EcoEvent) => void>()
  readonly #pending = new Map<string, string>()
  #writing = false

  constructor(home: string) {
    this.#home = home
  }

  emit(scope: ScopeId, event: EcoEvent): void {
    this.#recent.push(event)
    if (this.#recent.length > REMEMBERED) this.#recent.shift()
    for (const listener of this.#listeners) listener(event)
    const path = join(scopeDir(this.#home, scope), 'events.ndjson')
    this.#pending.set(path, `${this.#pending.get(path) ?? ''}${JSON.stringify(event)}\n`)
    if (!this.#writing) this.#flush()
  }

  listen(listener: (event: EcoEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  recent(matches: (event: EcoEvent) => boolean): EcoEvent[] {
    return this.#recent.filter(matches)
  }

  /** Appends what has come together since the last write; one write at a time keeps the order. */
  #flush(): void {
    const next = this.#pending.entries().next()
    if (next.done) {
      this.#writing = false
      return
    }
    const [path, text] = next.value
    this.#writing = true
    this.#pending.delete(path)
    const append = (retry: boolean): void =>
      appendFile(path, text, { mode: 0o600 }, (error) => {
        if (error?.code === 'ENOENT' && retry) {
          mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
          return append(false)
        }
        if (error) console.error(`cannot write ${path}: ${error.message}`)
        this.#flush()
      })
    append(true)
  }
}
