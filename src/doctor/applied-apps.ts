import { isOver, type Hold } from '../model/applied.ts'
import { type EpochMs, type ScopeId, scopeName } from '../model/ids.ts'
import type { AppSpec, Listen } from '../model/spec.ts'
import type { ScopeFacts } from './look/state.ts'

/** An app as it was last applied. */
export interface AppliedOne {
  /** `shop/production/api` */
  readonly name: string
  readonly scope: ScopeId
  readonly app: string
  readonly spec: AppSpec
  readonly hold: Hold | null
  /** Instances that are to run. */
  readonly wanted: number
  /** Declared, and those that its instances asked for while they ran. */
  readonly listens: readonly Listen[]
}

export function appliedApps(scopes: readonly ScopeFacts[], now: EpochMs): AppliedOne[] {
  return scopes.flatMap(({ scope, applied, isDown, records }) =>
    Object.entries(applied?.apps ?? {}).map(([app, { spec }]): AppliedOne => {
      const known = applied !== null && Object.hasOwn(applied.holds, app) ? applied.holds[app] : undefined
      const hold = known === undefined || isOver(known, now) ? null : known
      const isService = spec.kind === 'service'
      const learnt = records.find((record) => record.app === app && (record.learnt ?? []).length > 0)?.learnt ?? []
      return {
        name: `${scopeName(scope)}/${app}`,
        scope,
        app,
        spec,
        hold,
        wanted: isDown || !isService ? 0 : (hold?.instances ?? spec.instances),
        listens: [...spec.listen, ...learnt],
      }
    }),
  )
}

/** What commands need to mean this app and no other. */
export function selectorOf({ scope, app }: Pick<AppliedOne, 'scope' | 'app'>): string {
  return `${app} --project ${scope.project} --env ${scope.environment}`
}
