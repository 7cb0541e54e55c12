import { relative } from 'node:path'
import { type ScopeId, scopeName } from '../model/ids.ts'
import type { AppSpec, Watch } from '../model/spec.ts'
import { type Burst, TreeWatch } from '../supervisor/tree-watch.ts'
import { ignoreRule } from '../supervisor/watch-ignore.ts'
import type { Renewal, Renewals } from './renewals.ts'
import type { ScopeKeeper } from './scope-keeper.ts'
import { StormGuard } from './storm-guard.ts'

interface Armed {
  /** What it was armed for; another one needs another watch. */
  readonly key: string
  readonly tree: TreeWatch
  guard: StormGuard
  /** Its own writes would restart it for ever. */
  isPaused: boolean
}

export interface WatchesHost {
  /** ECO_HOME: what eco writes is no change. */
  readonly home: string
  renewals(scope: ScopeId): Renewals | null
  /** An event of the app. */
  note(scope: ScopeId, app: string, message: string): void
}

/** Restarts the apps of `watch` when their files change: once for each burst. */
export class Watches {
  readonly #host: WatchesHost
  /** By scope and app. */
  readonly #armed = new Map<string, Map<string, Armed>>()

  constructor(host: WatchesHost) {
    this.#host = host
  }

  /** Watches what the applied apps of a scope ask for, and nothing else. */
  sync({ scope, applied: { apps } }: ScopeKeeper): void {
    const name = scopeName(scope)
    const armed = this.#armed.get(name) ?? new Map<string, Armed>()
    for (const [app, { key, tree }] of armed) {
      const spec = Object.hasOwn(apps, app) ? apps[app]?.spec : undefined
      if (spec && keyOf(spec) === key) continue
      tree.close()
      armed.delete(app)
    }
    for (const [app, { spec }] of Object.entries(apps)) {
      if (spec.watch && spec.kind === 'service' && !armed.has(app))
        armed.set(app, this.#arm(scope, app, spec, spec.watch))
    }
    if (armed.size > 0) this.#armed.set(name, armed)
    else this.#armed.delete(name)
  }

  /** An operator has dealt with these apps: what was suspected of them is forgotten. */
  trust(scope: ScopeId, apps: readonly string[]): void {
    const armed = this.#armed.get(scopeName(scope))
    for (const app of apps) {
      const known = armed?.get(app)
      if (!known) continue
      known.guard = new StormGuard()
      known.isPaused = false
    }
  }

  #arm(scope: ScopeId, app: string, spec: AppSpec, watch: Watch): Armed {
    const note = (message: string): void => this.#host.note(scope, app, message)
    const tree = new TreeWatch({
      roots: watch.paths,
      isIgnored: ignoreRule(spec.cwd, watch.ignore, [this.#host.home]),
      debounceMs: watch.debounceMs,
      changed: (burst) => this.#changed(scope, app, spec, armed, burst),
      problem: (message) => note(`watch: ${message}`),
    })
    const armed: Armed = { key: keyOf(spec), tree, guard: new StormGuard(), isPaused: false }
    const paths = watch.paths.map((path) => relative(spec.cwd, path) || '.').join(', ')
    tree.start().then(
      () => note(`watching ${paths} (${tree.size} folder${tree.size === 1 ? '' : 's'})`),
      (error: Error) => note(`watch: cannot watch ${paths}: ${error.message}`),
    )
    return armed
  }

  #changed(scope: ScopeId, app: string, { cwd, watch }: AppSpec, armed: Armed, { paths, since }: Burst): void {
    const renewals = this.#host.renewals(scope)
    if (!renewals || !watch || armed.isPaused) return
    const [first = ''] = paths
    const suspect = armed.guard.suspect(paths, since, renewals.renewedAt(app))
    if (suspect !== null) {
      armed.isPaused = true
      const file = relative(cwd, suspect)
      return this.#host.note(
        scope,
        app,
        `watch paused: ${file} changes after every restart, so the app seems to write it itself; add it to watch.ignore, or go on with "eco restart ${app}"`,
      )
    }
    const others = paths.length > 1 ? ` and ${paths.length - 1} more` : ''
    const renewal: Renewal = {
      verb: watch.action,
      cause: `${relative(cwd, first)}${others} changed`,
      isDue: () => true,
    }
    renewals.request(app, renewal)
  }
}

function keyOf({ watch, cwd }: AppSpec): string {
  return JSON.stringify([watch, cwd])
}
