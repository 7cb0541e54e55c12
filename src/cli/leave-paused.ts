import { neutralise } from '../config/diagnostic.ts'
import type { StreamEvent } from '../daemon/protocol.ts'
import { EXIT } from '../errors.ts'

/**
 * A rollout that waits for an operator may wait for days: who started it is told, and goes. The work is the daemon's.
 *
 * @param end what has to be over before anything is printed
 */
export function leavePaused(event: StreamEvent, json: boolean, end: () => Promise<void> | undefined): void {
  if (event.type !== 'step' || event.status !== 'paused') return
  const { app, message } = event
  void Promise.resolve(end()).then(() => {
    if (json) {
      const out = { format_version: '1.0', paused: { app, reason: message }, exit_code: EXIT.notReady }
      process.stdout.write(`${JSON.stringify(out)}\n`)
    } else {
      process.stderr.write(`${neutralise(message ?? '')}\n`)
      process.stdout.write(`Paused: both versions of ${app} run; "eco rollout status" shows how far it is.\n`)
    }
    process.exit(EXIT.notReady)
  })
}
