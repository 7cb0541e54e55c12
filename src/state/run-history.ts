import { join } from 'node:path'
import type { ScopeId } from '../model/ids.ts'
import { NO_RUNS, type RunHistory } from '../model/runs.ts'
import { readJson, removeFile, writeFileAtomic } from './atomic-file.ts'
import { scopeDir } from './paths.ts'

/** The last runs of each job and cron app: `runs/<app>.json` of its scope. */
export class RunHistoryStore {
  readonly #home: string

  constructor(home: string) {
    this.#home = home
  }

  /** @param damaged told why a file cannot be used; the history begins anew then */
  load(scope: ScopeId, app: string, damaged: (reason: string) => void): RunHistory {
    const path = this.#path(scope, app)
    const result = readJson(path, checkHistory)
    if (result.type === 'damaged') damaged(`${path} is damaged (${result.reason}); its runs are not known any more`)
    return result.type === 'value' ? result.value : NO_RUNS
  }

  /** Survives a power cut: a run that was made must not count as missed after it. */
  save(scope: ScopeId, app: string, history: RunHistory): void {
    writeFileAtomic(this.#path(scope, app), `${JSON.stringify({ format: 1, ...history })}\n`, true)
  }

  remove(scope: ScopeId, app: string): void {
    removeFile(this.#path(scope, app))
  }

  #path(scope: ScopeId, app: string): string {
    return join(scopeDir(this.#home, scope), 'runs', `${app}.json`)
  }
}

function checkHistory(value: unknown): RunHistory {
  const history = value as Partial<RunHistory & { format: number }> | null
  if (typeof history !== 'object' || history === null) throw new Error('it is not an object')
  if (history.format !== 1) throw new Error(`its format is ${String(history.format)}, and this eco knows 1`)
  if (!Array.isArray(history.runs)) throw new Error('it has no runs')
  const { consideredUntil = null, queuedAt = null, runs } = history
  return { consideredUntil, queuedAt, runs }
}
