import type { EpochMs, ScopeId } from '../../model/ids.ts'
import { describeExit, type Exit } from '../../model/observed.ts'
import {
  openRun,
  type Run,
  type RunHistory,
  type RunOutcome,
  type RunTrigger,
  withOpen,
  withoutStart,
  withRun,
} from '../../model/runs.ts'
import type { AppGroup } from '../../supervisor/app-group.ts'

/** Where histories are kept. */
export interface RunHistories {
  load(scope: ScopeId, app: string, damaged: (reason: string) => void): RunHistory
  save(scope: ScopeId, app: string, history: RunHistory): void
  remove(scope: ScopeId, app: string): void
}

/** How a run ended. */
export interface RunEnd {
  readonly outcome: Exclude<RunOutcome, 'skipped' | 'missed'>
  readonly reason: string | null
  readonly exit: Exit | null
}

/** Writes down the runs of jobs and cron apps. What happens at once is written once. */
export class RunJournal {
  readonly #store: RunHistories
  readonly #histories = new Map<string, RunHistory>()
  readonly #unsaved = new Set<string>()

  constructor(store: RunHistories) {
    this.#store = store
  }

  of(group: AppGroup): RunHistory {
    const known = this.#histories.get(group.owner)
    if (known) return known
    const loaded = this.#store.load(group.scope, group.app, (reason) => console.error(reason))
    this.#histories.set(group.owner, loaded)
    if (openRun(loaded) && !group.runners.some((runner) => runner.process !== null)) {
      this.end(group, endOf(group), null)
    }
    return this.#histories.get(group.owner) ?? loaded
  }

  begin(group: AppGroup, run: Pick<Run, 'trigger' | 'version' | 'scheduledAt' | 'startedAt'>, limit: number): void {
    const begun = { ...run, endedAt: null, outcome: null, reason: null, exit: null, attempts: 1, count: 1 }
    this.update(group, (history) => withRun(history, begun, limit))
  }

  attempt(group: AppGroup, attempts: number): void {
    if (openRun(this.of(group))?.attempts === attempts) return
    this.update(group, (history) => withOpen(history, { attempts }))
  }

  /** @param endedAt null: nobody knows */
  end(group: AppGroup, end: RunEnd, endedAt: EpochMs | null = Date.now()): void {
    this.update(group, (history) => withOpen(history, { ...end, endedAt }))
  }

  /** Runs that were due and never started. */
  neverStarted(
    group: AppGroup,
    fate: { readonly outcome: 'skipped' | 'missed'; readonly reason: string; readonly version: number },
    times: { readonly first: EpochMs; readonly last: EpochMs; readonly count: number },
    limit: number,
  ): void {
    const trigger: RunTrigger = 'schedule'
    const { first: scheduledAt, last: endedAt, count } = times
    const run: Run = { ...fate, trigger, scheduledAt, startedAt: null, endedAt, exit: null, attempts: 0, count }
    this.update(group, (history) => withoutStart(history, run, limit))
  }

  update(group: AppGroup, change: (history: RunHistory) => RunHistory): void {
    const before = this.of(group)
    const after = change(before)
    if (after === before) return
    this.#histories.set(group.owner, after)
    if (this.#unsaved.has(group.owner)) return
    this.#unsaved.add(group.owner)
    queueMicrotask(() => this.#save(group))
  }

  forget(group: AppGroup): void {
    this.#unsaved.delete(group.owner)
    this.#histories.delete(group.owner)
    this.#store.remove(group.scope, group.app)
  }

  #save(group: AppGroup): void {
    const history = this.#histories.get(group.owner)
    if (!this.#unsaved.delete(group.owner) || !history) return
    try {
      this.#store.save(group.scope, group.app, history)
    } catch (error) {
      // Runs go on; the next daemon may not know of this one.
      console.error(`cannot write the runs of ${group.owner}: ${(error as Error).message}`)
    }
  }
}

/** How a run ended that an earlier daemon began. */
function endOf({ runners }: AppGroup): RunEnd {
  const exit = runners.find(({ instance }) => instance.phase.name === 'failed')?.instance.lastExit ?? null
  if (exit !== null && exit.kind !== 'unknown') return { outcome: 'failed', reason: describeExit(exit), exit }
  return { outcome: 'unknown', reason: 'ended while no daemon was watching', exit: null }
}
