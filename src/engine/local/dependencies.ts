import { type ScopeId, scopeName } from '../../model/ids.ts'
import { describeExit } from '../../model/observed.ts'
import type { AppSpec, DependencyCondition } from '../../model/spec.ts'
import { waitsFor } from '../../model/waits.ts'
import type { AppGroup } from '../../supervisor/app-group.ts'
import type { InstanceRunner } from '../../supervisor/instance-runner.ts'
import { STARTS_BEFORE_GIVING_UP } from './await.ts'

/** A dependency that is not on its way (stopped, or not there at all) is waited for this long. */
const ABSENT_MS = 2000
/** Of a chain of waiters as many are named. */
const MAX_CHAIN = 8

/** An app that is to come up, and that does not yet because of others. */
export interface Waiter {
  readonly spec: AppSpec
  /** The steps of its plan that come first: `roll db`. */
  readonly behind: readonly string[]
  /** No plan starts it: called once its dependencies are there. */
  readonly start?: () => void
}

type Groups = (scope: ScopeId) => ReadonlyMap<string, AppGroup>

/** Knows which apps wait for which others, and why; tells them when what they wait for has come. */
export class Dependencies {
  readonly #groups: Groups
  /** By scope and app. */
  readonly #waiters = new Map<string, Map<string, Waiter>>()
  readonly #looks = new Map<string, Set<() => void>>()

  constructor(groups: Groups) {
    this.#groups = groups
  }

  /** The app waits, for whatever reason, until the returned function is called. */
  queue(scope: ScopeId, app: string, waiter: Waiter): () => void {
    const waiters = entry(this.#waiters, scopeName(scope), () => new Map<string, Waiter>())
    waiters.set(app, waiter)
    return () => {
      if (waiters.get(app) === waiter) waiters.delete(app)
    }
  }

  forget(scope: ScopeId, app: string): void {
    this.#waiters.get(scopeName(scope))?.delete(app)
  }

  /** Whether every dependency is as far as the app asks, now. */
  areMet(scope: ScopeId, spec: AppSpec): boolean {
    return this.blocking(scope, spec) === null
  }

  /** `db is not ready: db#0 is backoff (exited with code 1)`: the first one that is not; null: all are. */
  blocking(scope: ScopeId, spec: AppSpec): string | null {
    for (const [app, condition] of Object.entries(spec.dependsOn)) {
      const standing = this.#standing(scope, app, condition, 1)
      if (standing !== null) return `${app} is not ${condition}: ${standing.why}`
    }
    return null
  }

  waiter(scope: ScopeId, app: string): Waiter | null {
    return this.#waiters.get(scopeName(scope))?.get(app) ?? null
  }

  /**
   * Why an app that waits is not there yet: `waits for api being ready, which waits for db being ready: db#0 is backoff
   * (exited with code 1)`. null: it does not wait.
   */
  reason(scope: ScopeId, app: string, chain = 1): string | null {
    const waiter = this.waiter(scope, app)
    if (waiter === null) return null
    for (const [name, condition] of Object.entries(waiter.spec.dependsOn)) {
      const standing = this.#standing(scope, name, condition, chain)
      if (standing !== null) return waitsFor(name, condition, standing.why)
    }
    return waiter.behind.length > 0 ? `waits for ${waiter.behind.join(', ')}` : 'waits for its turn'
  }

  /** An instance of the scope changed. */
  changed(scope: ScopeId): void {
    const name = scopeName(scope)
    for (const look of this.#looks.get(name) ?? []) look()
    const waiters = this.#waiters.get(name) ?? []
    for (const [app, { spec, start }] of waiters) {
      if (!start || !this.areMet(scope, spec)) continue
      this.forget(scope, app)
      start()
    }
  }

  /**
   * Waits until every dependency is as far as the app asks, all at one moment. Level-triggered: it looks at what is, so
   * a dependency may restart meanwhile; one that has failed for good ends the wait.
   *
   * @returns null, also when the signal came; or what blocks: `waits for db being ready: db#0 failed: …`
   */
  met(
    scope: ScopeId,
    app: string,
    spec: AppSpec,
    signal: AbortSignal,
    tell: (why: string) => void,
  ): Promise<string | null> {
    const dependencies = Object.entries(spec.dependsOn)
    if (dependencies.length === 0 || signal.aborted) return Promise.resolve(null)
    const leave = this.queue(scope, app, { spec, behind: [] })
    const looks = entry(this.#looks, scopeName(scope), () => new Set<() => void>())
    const patience = new Map<string, Patience>()
    let timer: NodeJS.Timeout | undefined
    let told: string | null = null
    return new Promise((resolve) => {
      const finish = (blocked: string | null): void => {
        clearTimeout(timer)
        looks.delete(look)
        signal.removeEventListener('abort', cancelled)
        leave()
        resolve(blocked)
      }
      const cancelled = (): void => finish(null)
      const look = (): void => {
        clearTimeout(timer)
        const now = Date.now()
        let next = Number.POSITIVE_INFINITY
        let open: string | null = null
        for (const [name, condition] of dependencies) {
          const standing = this.#standing(scope, name, condition, 1)
          if (standing === null) {
            patience.delete(name)
            continue
          }
          const until = extend(patience, name, standing, now)
          if (until <= now) return finish(waitsFor(name, condition, standing.why))
          next = Math.min(next, until)
          open ??= `waiting for ${name} to be ${condition}`
        }
        if (open === null) return finish(null)
        if (open !== told) tell(open)
        told = open
        if (next !== Number.POSITIVE_INFINITY) timer = setTimeout(look, next - now)
      }
      looks.add(look)
      signal.addEventListener('abort', cancelled)
      look()
    })
  }

  /** null: it is as far as asked. */
  #standing(scope: ScopeId, app: string, condition: DependencyCondition, chain: number): Standing | null {
    const runners = this.#groups(scope).get(app)?.runners ?? []
    const open = runners.find(
      (runner) =>
        !isMet(runner, condition) && !runners.some((it) => it.id.slot === runner.id.slot && isMet(it, condition)),
    )
    if (open === undefined && runners.length > 0) return null
    const waits = chain < MAX_CHAIN ? this.reason(scope, app, chain + 1) : null
    if (waits !== null) return { why: waits, attempt: 'waits', restarts: null, patienceMs: Number.POSITIVE_INFINITY }
    if (open === undefined) return { why: 'it does not run', attempt: 'absent', restarts: null, patienceMs: ABSENT_MS }
    return { ...outlook(open, condition), restarts: open.instance.restarts }
  }
}

/** How far a dependency is that is not far enough. */
interface Standing {
  readonly why: string
  /** Names the attempt that goes on; each gets its patience anew. */
  readonly attempt: string
  /** From now on; 0: it will not come. */
  readonly patienceMs: number
  /** null: there is no instance to count them. */
  readonly restarts: number | null
}

interface Patience {
  readonly attempt: string
  readonly until: number
  /** The restarts it had when the wait for it began. */
  readonly restarts: number | null
}

/** @returns until when this dependency is waited for */
function extend(patience: Map<string, Patience>, name: string, standing: Standing, now: number): number {
  const known = patience.get(name)
  const first = known?.restarts ?? standing.restarts
  const restarts = first === null || standing.restarts === null ? first : Math.min(first, standing.restarts)
  const failures = (standing.restarts ?? 0) - (restarts ?? 0)
  if (standing.patienceMs === 0 || failures >= STARTS_BEFORE_GIVING_UP) return now
  if (known?.attempt === standing.attempt) return known.until
  const until = now + standing.patienceMs
  patience.set(name, { attempt: standing.attempt, until, restarts })
  return until
}

function outlook(runner: InstanceRunner, condition: DependencyCondition): Omit<Standing, 'restarts'> {
  const { phase, incarnation, lastExit } = runner.instance
  const { timeoutMs } = runner.spec.ready
  const { state, reason } = runner.observe()
  const attempt = `${runner.id.slot}.${runner.id.uid}.${incarnation}.${phase.name}`
  const isJob = condition === 'completed'
  const ended = lastExit === null ? '' : describeExit(lastExit)
  switch (phase.name) {
    case 'failed':
      return { why: `${runner.name} failed: ${phase.reason}`, attempt, patienceMs: 0 }
    case 'exited':
      return { why: `${runner.name} ${ended}`, attempt, patienceMs: 0 }
    case 'stopped':
      return { why: `${runner.name} is stopped`, attempt, patienceMs: ABSENT_MS }
    case 'backoff':
      return {
        why: `${runner.name} is backoff (${phase.reason})`,
        attempt,
        patienceMs: isJob ? Number.POSITIVE_INFINITY : Math.max(0, phase.until - Date.now()) + timeoutMs,
      }
    case 'stopping':
    case 'starting':
    case 'running': {
      const notReady = phase.name === 'running' && !isJob ? 'not ready' : state
      const why = `${runner.name} is ${notReady}${reason ? ` (${reason})` : ''}`
      // A stop has an end of its own.
      const patienceMs = isJob || phase.name === 'stopping' ? Number.POSITIVE_INFINITY : timeoutMs
      return { why, attempt, patienceMs }
    }
  }
}

function isMet(runner: InstanceRunner, condition: DependencyCondition): boolean {
  const { phase } = runner.instance
  switch (condition) {
    case 'started':
      return phase.name === 'running' || (phase.name === 'starting' && phase.pid !== null)
    case 'ready':
      return runner.observe().ready
    case 'completed':
      return runner.hasSucceeded
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
