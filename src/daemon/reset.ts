import type { LocalEngine } from '../engine/local/local-engine.ts'
import { instanceName } from '../model/ids.ts'
import type { Selected } from './handlers.ts'
import type { ResetInstance } from './protocol.ts'

/** `eco reset`: the restarts of the selected instances are forgotten; those that had given up try again at once. */
export function resetInstances(selected: readonly Selected[], engine: LocalEngine): ResetInstance[] {
  return selected.flatMap(({ keeper, app, slots }) => {
    const runners = engine.groups(keeper.scope).get(app)?.runners ?? []
    return runners
      .filter((runner) => slots === null || slots.includes(runner.id.slot))
      .map((runner) => {
        const { state, restarts, reason } = runner.observe()
        const { incarnation } = runner.instance
        runner.reset()
        const id = instanceName(app, runner.id.slot)
        return { ...keeper.scope, id, state, restarts, reason, started: runner.instance.incarnation > incarnation }
      })
  })
}
