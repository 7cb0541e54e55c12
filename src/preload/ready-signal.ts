import { writeSync } from 'node:fs'

/**
 * process.send('ready') reaches eco although there is no IPC channel: a channel would die with the daemon, and
 * process.send on a dead channel ends the app.
 */
export function forwardReady(fdText: string | undefined): void {
  if (!fdText || process.send) return
  const fd = Number(fdText)
  let told = false
  const send = (message: unknown, ...rest: unknown[]): boolean => {
    if (message === 'ready' && !told) {
      told = true
      try {
        writeSync(fd, 'ready\n')
      } catch {
        // The daemon is gone or has heard it already: nothing the app should die of.
      }
    }
    const callback = rest.find((it) => typeof it === 'function') as ((error: null) => void) | undefined
    if (callback) process.nextTick(callback, null)
    return true
  }
  process.send = send as NonNullable<typeof process.send>
  process.connected = true
  process.disconnect = () => {
    process.connected = false
  }
}
