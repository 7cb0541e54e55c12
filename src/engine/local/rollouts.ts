import { type ScopeId, scopeName } from '../../model/ids.ts'
import type { StepOutcome } from '../engine.ts'
import { ownerName } from './group-register.ts'
import { type RolloutRequest, RolloutRun } from './rollout-run.ts'

/** The rollouts that are under way, by app: for those who watch them, pause them, or go back. */
export class Rollouts {
  readonly #running = new Map<string, RolloutRun>()

  async run(request: RolloutRequest): Promise<StepOutcome> {
    const run = new RolloutRun(request)
    const { owner } = request.group
    this.#running.set(owner, run)
    try {
      return await run.run()
    } finally {
      this.#running.delete(owner)
    }
  }

  of(scope: ScopeId, app: string): RolloutRun | null {
    return this.#running.get(ownerName(scope, app)) ?? null
  }

  isAnyIn(scope: ScopeId): boolean {
    const prefix = `${scopeName(scope)}/`
    return [...this.#running.keys()].some((owner) => owner.startsWith(prefix))
  }
}
