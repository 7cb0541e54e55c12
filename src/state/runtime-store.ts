import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { EpochMs, ScopeId } from '../model/ids.ts'
import type { Exit } from '../model/observed.ts'
import type { AppSpec, Listen } from '../model/spec.ts'
import type { Nest } from '../supervisor/group.ts'
import type { Fault } from '../supervisor/instance-state.ts'
import type { ProcIdentity } from '../supervisor/proc.ts'
import type { RestartHistory } from '../supervisor/restart-policy.ts'
import { readJson, removeFile, writeFileAtomic } from './atomic-file.ts'
import { currentSpec } from './migrate-spec.ts'
import { scopeDir, scopesDir } from './paths.ts'

/** A stop under way: its processes have been asked to end. */
export interface RecordedEnd {
  /** When SIGKILL follows, or follows again. */
  readonly deadline: EpochMs | null
  readonly killed: boolean
  /** null: it was never ready. */
  readonly readyAt: EpochMs | null
  /** Why it stops when nobody asked it to. */
  readonly fault: Fault | null
}

/** What the next daemon must know to take an instance over: `runtime/<app>.<slot>.<uid>.json`. */
export interface RuntimeRecord {
  readonly format: 1
  /** Of `spec`; absent: an eco wrote it that did not know more than format 2. */
  readonly spec_format?: number
  readonly scope: ScopeId
  readonly app: string
  readonly slot: number
  readonly uid: number
  readonly version: number
  readonly spec: AppSpec
  /** null: no process, and `phase` says how it ended. */
  readonly process: ProcIdentity | null
  /** By what its processes are told from others; null: no process. */
  readonly nest: Nest | null
  readonly phase: 'alive' | 'backoff' | 'stopped' | 'exited' | 'failed'
  readonly reason: string
  /** Life of the machine in which this was written; absent: not known. */
  readonly life?: string
  /** When the next attempt is due, in a back-off. */
  readonly until?: EpochMs
  readonly startedAt: EpochMs | null
  /** Its start has succeeded. */
  readonly isReady: boolean
  /** It drains, or the hook before that runs: it serves nobody new, and is to be ended all the same. */
  readonly isLeaving?: true
  readonly ending?: RecordedEnd
  /** Why it is not ready although it has started; absent: it is. */
  readonly unready?: string
  /** Ports that it was given on request, in the order of its private sockets; absent: none. */
  readonly learnt?: readonly Listen[]
  /** Sizes of its log files when the run began. */
  readonly logOffsets: readonly { readonly path: string; readonly offset: number }[]
  readonly incarnation: number
  readonly restarts: number
  /** The crashes that count for its back-off and its limit; absent: none. */
  readonly history?: RestartHistory
  readonly lastExit: Exit | null
}

export class RuntimeStore {
  readonly #home: string

  constructor(home: string) {
    this.#home = home
  }

  /** Not durable: after a power cut no pid in it is true anyway. */
  save(record: RuntimeRecord): void {
    writeFileAtomic(this.#path(record), JSON.stringify(record), false)
  }

  remove(record: Pick<RuntimeRecord, 'scope' | 'app' | 'slot' | 'uid'>): void {
    removeFile(this.#path(record))
  }

  /** Every readable record of a scope. A damaged one costs its own instance at most, and is reported. */
  load(scope: ScopeId, damaged: (path: string, reason: string) => void): RuntimeRecord[] {
    const dir = join(scopeDir(this.#home, scope), 'runtime')
    const records: RuntimeRecord[] = []
    for (const name of list(dir)) {
      if (!name.endsWith('.json')) continue
      const result = readJson(join(dir, name), checkRecord)
      if (result.type === 'value') records.push(result.value)
      else if (result.type === 'damaged') damaged(join(dir, name), result.reason)
    }
    return records
  }

  /** The scopes that have state here. */
  scopes(): ScopeId[] {
    return allScopes(this.#home)
  }

  #path({ scope, app, slot, uid }: Pick<RuntimeRecord, 'scope' | 'app' | 'slot' | 'uid'>): string {
    return join(scopeDir(this.#home, scope), 'runtime', `${app}.${slot}.${uid}.json`)
  }
}

export function allScopes(home: string): ScopeId[] {
  const root = scopesDir(home)
  return list(root).flatMap((project) => list(join(root, project)).map((environment) => ({ project, environment })))
}

function checkRecord(value: unknown): RuntimeRecord {
  const record = value as Partial<RuntimeRecord> | null
  if (typeof record !== 'object' || record === null) throw new Error('it is not an object')
  if (record.format !== 1) throw new Error(`its format is ${String(record.format)}, and this eco knows 1`)
  if (typeof record.app !== 'string' || typeof record.slot !== 'number' || !record.spec)
    throw new Error('it is incomplete')
  return { ...(record as RuntimeRecord), nest: record.nest ?? null, spec: currentSpec(record.spec) }
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir).sort()
  } catch {
    return []
  }
}
