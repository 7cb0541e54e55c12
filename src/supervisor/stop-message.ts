import { constants } from 'node:os'
import { catchesSignal, readStat, sessionMembers } from './proc.ts'

/**
 * The signal by which the preload hears that the stop message is due. An IPC channel would end with the daemon, and an
 * app that is asked to stop may have been started by another daemon; a signal needs neither. Nothing else uses this one.
 */
export const MESSAGE_SIGNAL = 'SIGIO'

/**
 * Has the stop message of an app delivered as process.on('message'), to the topmost process of the session that
 * listens for messages: `npm` and shells above it do not.
 *
 * @param leader pid of the instance, alive
 * @returns false: no process of it listens
 */
export function deliverStopMessage(leader: number): boolean {
  const listeners = new Set(
    sessionMembers(leader, false).filter((pid) => catchesSignal(pid, constants.signals[MESSAGE_SIGNAL])),
  )
  const topmost = [...listeners].filter((pid) => !listeners.has(readStat(pid)?.ppid ?? 0))
  for (const pid of topmost) {
    try {
      process.kill(pid, MESSAGE_SIGNAL)
    } catch {
      // It has just ended, which is what was asked.
    }
  }
  return topmost.length > 0
}
