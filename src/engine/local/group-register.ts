import { type ScopeId, scopeName } from '../../model/ids.ts'
import { AppGroup } from '../../supervisor/app-group.ts'
import type { RunnerHost } from '../../supervisor/runner-host.ts'

/** Every app that has, or had, instances here. */
export class GroupRegister {
  readonly #host: RunnerHost
  readonly #scopes = new Map<string, Map<string, AppGroup>>()

  constructor(host: RunnerHost) {
    this.#host = host
  }

  /** The groups of a scope by app. */
  of(scope: ScopeId): Map<string, AppGroup> {
    const name = scopeName(scope)
    let groups = this.#scopes.get(name)
    if (!groups) this.#scopes.set(name, (groups = new Map<string, AppGroup>()))
    return groups
  }

  /** The group of an app, made now if it has none. */
  group(scope: ScopeId, app: string): AppGroup {
    const groups = this.of(scope)
    const known = groups.get(app)
    if (known) return known
    const group = new AppGroup(scope, app, this.#host)
    groups.set(app, group)
    return group
  }

  *all(): Generator<AppGroup> {
    for (const groups of this.#scopes.values()) yield* groups.values()
  }

  forget(group: AppGroup): void {
    this.of(group.scope).delete(group.app)
  }
}

/** `scope/app`, by which an app owns sockets and a schedule. */
export function ownerName(scope: ScopeId, app: string): string {
  return `${scopeName(scope)}/${app}`
}
