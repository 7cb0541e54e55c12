import type { StreamEvent } from '../daemon/protocol.ts'
import { hasWork, type Plan } from '../model/plan.ts'
import { leavePaused } from './leave-paused.ts'
import { showProgress } from './progress.ts'

/** Shows how far a plan is while the daemon carries it out. Ctrl-C ends the showing only. */
export async function followApply<T>(
  plan: Plan,
  { json, wait }: { readonly json: boolean; readonly wait: boolean },
  ask: (onEvent: (event: StreamEvent) => void) => Promise<T>,
): Promise<T> {
  const progress = json || !wait || !hasWork(plan) ? null : await showProgress(plan)
  const onInterrupt = (): void => {
    process.stderr.write('\nThe apply goes on in the daemon; "eco ls" shows how far it is.\n')
    process.exit(130)
  }
  process.once('SIGINT', onInterrupt)
  try {
    return await ask((event) => {
      progress?.onEvent(event)
      leavePaused(event, json, () => progress?.end())
    })
  } finally {
    process.off('SIGINT', onInterrupt)
    await progress?.end()
  }
}
