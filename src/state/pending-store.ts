import { join } from 'node:path'
import type { Hold } from '../model/applied.ts'
import type { EpochMs, ScopeId } from '../model/ids.ts'
import { readJson, removeFile, writeFileAtomic } from './atomic-file.ts'
import { scopeDir } from './paths.ts'

/** Something that was begun, and of which no end is on disk. */
export interface PendingWork {
  readonly plan: string
  /** `apply`, `rollback to 4`, `reload` … */
  readonly what: string
  readonly by: string
  readonly at: EpochMs
  /** The revision in force when it began. */
  readonly serial: number
  /** It makes a new revision when it is over. */
  readonly makesRevision: boolean
  /** Holds that it took away at its beginning. */
  readonly endedHolds: Readonly<Record<string, Hold>>
  /** It began with a scope that was down as a whole. */
  readonly wasDown: boolean
}

/**
 * What is being carried out in a scope: `pending.json`, there only meanwhile. The next daemon knows by it that a change
 * was cut off.
 */
export class PendingStore {
  readonly #path: string

  constructor(home: string, scope: ScopeId) {
    this.#path = join(scopeDir(home, scope), 'pending.json')
  }

  /** One that cannot be read is none: what is applied does not depend on it. */
  load(): readonly PendingWork[] {
    const result = readJson(this.#path, (value) => {
      const { format, works } = value as { format?: unknown; works?: unknown }
      if (format !== 1 || !Array.isArray(works)) throw new Error('it is of another format')
      return works as PendingWork[]
    })
    if (result.type === 'damaged') console.error(`${this.#path} is damaged (${result.reason})`)
    return result.type === 'value' ? result.value : []
  }

  /** @throws Error when it cannot be written */
  save(works: readonly PendingWork[]): void {
    if (works.length === 0) removeFile(this.#path)
    else writeFileAtomic(this.#path, `${JSON.stringify({ format: 1, works })}\n`, true)
  }
}
