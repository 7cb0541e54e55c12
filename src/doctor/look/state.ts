import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { EcoError } from '../../errors.ts'
import type { AppliedState } from '../../model/applied.ts'
import { NAME_PATTERN, type ScopeId, scopeName } from '../../model/ids.ts'
import { existingSecretBox, type SecretBox } from '../../secrets/seal.ts'
import { readJson } from '../../state/atomic-file.ts'
import { eventFile, KEPT_EVENT_FILES, knownScopes, parseEvent } from '../../state/event-files.ts'
import { scopeDir } from '../../state/paths.ts'
import { RevisionStore } from '../../state/revision-store.ts'
import { RunHistoryStore } from '../../state/run-history.ts'
import { type RuntimeRecord, RuntimeStore } from '../../state/runtime-store.ts'

/** A file that cannot be used. */
export interface Damage {
  readonly kind: 'revision' | 'newest revision' | 'holds' | 'instance' | 'runs' | 'events'
  readonly path: string
  readonly reason: string
}

export interface ScopeFacts {
  readonly scope: ScopeId
  /** null: it cannot be told, or nothing is applied. */
  readonly applied: AppliedState | null
  /** Stopped as a whole, by `eco daemon stop --apps`. */
  readonly isDown: boolean
  readonly records: readonly RuntimeRecord[]
  readonly damage: readonly Damage[]
  /** Files that were read. */
  readonly files: number
}

export type KeyFacts =
  | { readonly type: 'missing' }
  | { readonly type: 'damaged'; readonly message: string }
  | { readonly type: 'fits' }
  /** Values sealed under another key: `shop/production/api.env.TOKEN`. */
  | { readonly type: 'foreign'; readonly values: readonly string[] }

export interface StateFacts {
  readonly scopes: readonly ScopeFacts[]
  readonly key: KeyFacts
  /** Apps that have secrets. */
  readonly sealed: number
}

export function lookAtState(home: string): StateFacts {
  const scopes = knownScopes(home)
    .filter(({ project, environment }) => NAME_PATTERN.test(project) && NAME_PATTERN.test(environment))
    .map((scope) => lookAtScope(home, scope))
  const sealed = scopes.flatMap(({ scope, applied }) => sealedValues(scope, applied))
  return { scopes, key: lookAtKey(home, sealed), sealed: sealed.length }
}

function lookAtScope(home: string, scope: ScopeId): ScopeFacts {
  const damage: Damage[] = []
  const { applied, isDown, revisions } = lookAtRevisions(home, scope, damage)
  const records = new RuntimeStore(home).load(scope, (path, reason) => damage.push({ kind: 'instance', path, reason }))
  const runs = lookAtRuns(home, scope, damage)
  const events = lookAtEvents(home, scope, damage)
  return { scope, applied, isDown, records, damage, files: revisions + records.length + runs + events }
}

function lookAtRevisions(
  home: string,
  scope: ScopeId,
  damage: Damage[],
): { applied: AppliedState | null; isDown: boolean; revisions: number } {
  const store = new RevisionStore(home, scope)
  let serials: number[] = []
  try {
    serials = store.serials()
  } catch (error) {
    const path = join(scopeDir(home, scope), 'revisions')
    damage.push({ kind: 'newest revision', path, reason: (error as Error).message })
  }
  for (const serial of serials) {
    const result = store.read(serial)
    if (result.type !== 'damaged') continue
    const kind = serial === serials.at(-1) ? 'newest revision' : 'revision'
    damage.push({ kind, path: store.path(serial), reason: result.reason })
  }
  const isReadable = !damage.some(({ kind }) => kind === 'newest revision')
  let applied: AppliedState | null = null
  try {
    if (isReadable) applied = store.load()
  } catch (error) {
    if (!(error instanceof EcoError)) throw error
    // The revision can be read: it is the other file that is read with it.
    const path = join(scopeDir(home, scope), 'holds.json')
    const { reason = error.message } = readJson(path, (value) => value) as { reason?: string }
    damage.push({ kind: 'holds', path, reason })
  }
  return { applied, isDown: store.isDown(), revisions: serials.length }
}

function lookAtRuns(home: string, scope: ScopeId, damage: Damage[]): number {
  const store = new RunHistoryStore(home)
  const folder = join(scopeDir(home, scope), 'runs')
  const files = namesIn(folder).filter((name) => name.endsWith('.json'))
  for (const name of files) {
    store.load(scope, basename(name, '.json'), (reason) =>
      damage.push({ kind: 'runs', path: join(folder, name), reason }),
    )
  }
  return files.length
}

/** A last line that was cut short is the end of a crash, and the next daemon goes on behind it. */
function lookAtEvents(home: string, scope: ScopeId, damage: Damage[]): number {
  let files = 0
  for (let age = 0; age <= KEPT_EVENT_FILES; age++) {
    const path = eventFile(home, scope, age)
    if (!existsSync(path)) continue
    files++
    try {
      const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
      const unreadable = lines.filter((line) => line !== '' && parseEvent(line) === null).length
      if (unreadable > 1) damage.push({ kind: 'events', path, reason: `${unreadable} lines are no events` })
    } catch (error) {
      damage.push({ kind: 'events', path, reason: (error as Error).message })
    }
  }
  return files
}

interface SealedValue {
  readonly name: string
  readonly sealed: string
}

function sealedValues(scope: ScopeId, applied: AppliedState | null): SealedValue[] {
  return Object.entries(applied?.apps ?? {}).flatMap(([app, { spec }]) =>
    Object.entries(spec.env).flatMap(([variable, value]) =>
      value.type === 'secret' ? [{ name: `${scopeName(scope)}/${app}.env.${variable}`, sealed: value.sealed }] : [],
    ),
  )
}

function lookAtKey(home: string, values: readonly SealedValue[]): KeyFacts {
  let box: SecretBox | null
  try {
    box = existingSecretBox(home)
  } catch (error) {
    return { type: 'damaged', message: (error as Error).message }
  }
  if (box === null) return { type: 'missing' }
  const foreign = values.filter(({ sealed }) => !opens(box, sealed)).map(({ name }) => name)
  return foreign.length === 0 ? { type: 'fits' } : { type: 'foreign', values: foreign }
}

function opens(box: SecretBox, sealed: string): boolean {
  try {
    box.open(sealed)
    return true
  } catch {
    return false
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
