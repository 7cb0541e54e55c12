import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { EcoError } from '../errors.ts'
import { type AppliedApp, type AppliedState, type Hold, NOTHING_APPLIED, SPEC_FORMAT } from '../model/applied.ts'
import type { ScopeId } from '../model/ids.ts'
import { scopeName } from '../model/ids.ts'
import type { Source } from '../model/spec.ts'
import { type ReadResult, readJson, removeFile, writeFileAtomic } from './atomic-file.ts'
import { currentSpec } from './migrate-spec.ts'
import { PendingStore } from './pending-store.ts'
import { scopeDir } from './paths.ts'

/** One applied state of a scope, as stored: `revisions/000041.json`. */
export interface Revision {
  readonly format: number
  readonly serial: number
  readonly scope: ScopeId
  readonly source: Source | null
  readonly at: string
  readonly by: string
  readonly plan: string
  readonly exit_code: number
  /** Serial of the revision that an `eco rollback` took its apps from; left out: they came from a file or a verb. */
  readonly rollback_to?: number
  readonly apps: Readonly<Record<string, AppliedApp>>
}

/** Revisions of a scope that are kept: the newest ones, so never without the one in force. */
export const KEPT_REVISIONS = 100

/** The durable memory of one scope: its revisions and its holds. */
export class RevisionStore {
  readonly scope: ScopeId
  readonly pending: PendingStore
  readonly #dir: string

  constructor(home: string, scope: ScopeId) {
    this.scope = scope
    this.#dir = scopeDir(home, scope)
    this.pending = new PendingStore(home, scope)
  }

  /**
   * What was applied last.
   *
   * @throws EcoError STATE_DAMAGED: falling back to an older revision in silence would plan against a lie
   */
  load(): AppliedState {
    const serial = this.serials().at(-1)
    const holds = this.#loadHolds()
    if (serial === undefined) return { ...NOTHING_APPLIED, holds }
    const result = this.read(serial)
    if (result.type !== 'value')
      throw this.#damaged(this.path(serial), result.type === 'damaged' ? result.reason : 'it vanished')
    const { source, apps } = result.value
    return { serial, source, apps, holds }
  }

  /** One revision; a file that cannot be used costs that one only. */
  read(serial: number): ReadResult<Revision> {
    return readJson(this.path(serial), (value) => checkRevision(value, serial))
  }

  save(revision: Revision): void {
    writeFileAtomic(this.path(revision.serial), `${JSON.stringify(revision)}\n`, true)
    this.#prune()
  }

  /** Only after the newest one is on disk: a crash in between leaves one too many. */
  #prune(): void {
    try {
      for (const serial of this.serials().slice(0, -KEPT_REVISIONS)) removeFile(this.path(serial))
    } catch {
      // The new one is written all the same, and the next one tries again.
    }
  }

  /** @throws EcoError STATE_UNWRITABLE */
  saveHolds(holds: Readonly<Record<string, Hold>>): void {
    const path = join(this.#dir, 'holds.json')
    this.#orRefuse(path, () => {
      if (Object.keys(holds).length === 0) removeFile(path)
      else writeFileAtomic(path, `${JSON.stringify({ format: 1, holds })}\n`, true)
    })
  }

  /** Whether the scope was stopped as a whole, by `eco daemon stop --apps`, and nobody started it again. */
  isDown(): boolean {
    return existsSync(this.#downPath)
  }

  /** @throws EcoError STATE_UNWRITABLE */
  saveDown(isDown: boolean): void {
    this.#orRefuse(this.#downPath, () => {
      if (isDown) writeFileAtomic(this.#downPath, `${JSON.stringify({ format: 1, down: true })}\n`, true)
      else removeFile(this.#downPath)
    })
  }

  /** What cannot be remembered must not be done: the next daemon would undo it. */
  #orRefuse(path: string, write: () => void): void {
    try {
      write()
    } catch (cause) {
      throw new EcoError(
        'STATE_UNWRITABLE',
        `${path} cannot be written: ${(cause as Error).message}. Nothing was done.`,
        {
          hint: 'free space on the disk (or mend the folder), then try again',
          cause,
        },
      )
    }
  }

  get #downPath(): string {
    return join(this.#dir, 'down.json')
  }

  #loadHolds(): Readonly<Record<string, Hold>> {
    const path = join(this.#dir, 'holds.json')
    const result = readJson(path, (value) => {
      const { holds } = value as { holds?: Record<string, Hold> }
      if (typeof holds !== 'object' || holds === null) throw new Error('it has no "holds"')
      return holds
    })
    if (result.type === 'damaged') throw this.#damaged(path, result.reason)
    return result.type === 'value' ? result.value : {}
  }

  /** The revisions that are there, oldest first. @throws EcoError STATE_DAMAGED when nobody can tell */
  serials(): number[] {
    let names: string[]
    try {
      names = readdirSync(join(this.#dir, 'revisions'))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return []
      // Taken for "nothing was ever applied", it would make the next plan start everything again.
      throw this.#damaged(join(this.#dir, 'revisions'), message)
    }
    return names
      .flatMap((name) => (/^\d{6,}\.json$/.test(name) ? [Number.parseInt(name, 10)] : []))
      .sort((a, b) => a - b)
  }

  path(serial: number): string {
    return join(this.#dir, 'revisions', `${String(serial).padStart(6, '0')}.json`)
  }

  #damaged(path: string, reason: string): EcoError {
    return new EcoError('STATE_DAMAGED', `The state of ${scopeName(this.scope)} is damaged: ${path}: ${reason}.`, {
      hint: `restore the file, or give it up and fall back to the one before it: mv ${path} ${path}.damaged && eco daemon stop`,
      details: ['Its apps go on as they are; nothing was changed.'],
    })
  }
}

/** The file of the revision in force; null: there is none, or nobody can tell. */
export function newestRevision(home: string, scope: ScopeId): string | null {
  const store = new RevisionStore(home, scope)
  try {
    const serial = store.serials().at(-1)
    return serial === undefined ? null : store.path(serial)
  } catch {
    return null
  }
}

function checkRevision(value: unknown, serial: number): Revision {
  const revision = value as Partial<Revision> | null
  if (typeof revision !== 'object' || revision === null) throw new Error('it is not an object')
  if (typeof revision.format !== 'number') throw new Error('it has no format')
  if (revision.format > SPEC_FORMAT)
    throw new Error(`its format ${revision.format} is newer than this eco knows (${SPEC_FORMAT}); upgrade eco`)
  if (revision.serial !== serial) throw new Error(`it says serial ${revision.serial}`)
  if (typeof revision.apps !== 'object' || revision.apps === null) throw new Error('it has no apps')
  const apps = Object.entries(revision.apps).map(([app, applied]) => [
    app,
    { ...applied, spec: currentSpec(applied.spec) },
  ])
  return { ...(revision as Revision), apps: Object.fromEntries(apps) as Revision['apps'] }
}
