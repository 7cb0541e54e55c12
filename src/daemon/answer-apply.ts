import { scopeName } from '../model/ids.ts'
import type { Daemon } from './daemon.ts'
import type { ApplyResult, StreamEvent } from './protocol.ts'
import type { ApplyRequest, ScopeKeeper } from './scope-keeper.ts'

/** Whoever is shown a plan ought to know that it goes on from the middle of another one. */
export function tellTakeOver({ scope, underWay }: ScopeKeeper, emit: (event: StreamEvent) => void): void {
  if (underWay === null) return
  const message = `A rollout is under way (${underWay}): an apply takes it over where it is.`
  emit({ type: 'scope', event: 'rollout_taken_over', at: Date.now(), scope: scopeName(scope), message })
}

/**
 * Carries a request out and streams the events of its scope to whoever asked.
 *
 * @param wait false: return once it has begun
 */
export async function answerApply(
  daemon: Daemon,
  keeper: ScopeKeeper,
  request: ApplyRequest,
  wait: boolean,
  emit: (event: StreamEvent) => void,
): Promise<ApplyResult> {
  const scope = scopeName(keeper.scope)
  const off = daemon.events.listen((event) => {
    if (event.scope === scope) emit(event)
  })
  try {
    const begun = await keeper.begin(request)
    if (wait) return await begun.finished
    begun.finished.catch((error: unknown) => console.error(error))
    const { serial } = keeper.applied
    return { plan: begun.plan, results: [], not_ready: [], discarded: [], problem: null, exit_code: 0, serial }
  } finally {
    off()
  }
}
