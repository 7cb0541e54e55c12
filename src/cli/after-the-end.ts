import { DaemonEnded } from '../daemon/client.ts'
import type { ApplyResult } from '../daemon/protocol.ts'
import { EcoError, EXIT } from '../errors.ts'
import type { Plan } from '../model/plan.ts'

/**
 * Waits for a change; when the daemon dies in the middle of it, asks the next one what became of that.
 *
 * @param planAgain what there is still to do, once the next daemon has brought things in order
 * @param repeat the command that does it
 * @throws EcoError CUT_OFF: what was applied before is in force again
 */
export async function orWhatBecame(
  ask: () => Promise<ApplyResult>,
  planAgain: () => Promise<Plan>,
  repeat: string,
): Promise<ApplyResult> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof DaemonEnded)) throw error
  }
  const plan = await planAgain()
  const { base, changes, drift } = plan
  if (changes.length === 0 && drift.length === 0) {
    process.stderr.write('The daemon ended before it answered; the next one says that all is as it was to be.\n')
    return { plan, results: [], not_ready: [], discarded: [], problem: null, exit_code: EXIT.ok, serial: base }
  }
  const inForce = base === 0 ? 'nothing of it stays' : `revision ${base} is in force`
  throw new EcoError('CUT_OFF', `The daemon ended before it answered: this was cut off, and ${inForce}.`, {
    details: drift.length === 0 ? [] : ['Not all of that runs as it should yet: eco ls'],
    hint: `${repeat} does it again; "eco daemon logs" may tell why the daemon ended`,
  })
}
