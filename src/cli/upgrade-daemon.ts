import { call } from '../daemon/client.ts'
import { daemonEntry, startDaemon } from '../daemon/ensure.ts'
import type { DaemonId, Hello, StreamEvent } from '../daemon/protocol.ts'
import { EcoError } from '../errors.ts'
import { VERSION } from '../version.ts'
import { findDaemon } from './find-daemon.ts'

/**
 * Has the daemon that runs hand over to that of this eco; starts one when none runs.
 *
 * @returns `from` null: none was running
 * @throws EcoError as the daemon refused; it goes on then
 */
export async function upgradeDaemon(home: string): Promise<{ from: DaemonId | null; to: DaemonId }> {
  const before = await findDaemon(home)
  if (before === null) {
    await startDaemon(home)
    return { from: null, to: await idOf(home) }
  }
  const onEvent = (event: StreamEvent): void => {
    if (event.type === 'waiting') process.stderr.write(`waiting for ${event.message}\n`)
  }
  const from = { pid: before.pid, version: before.version }
  try {
    await call('upgrade', { node: process.execPath, entry: await daemonEntry() }, { home, onEvent })
  } catch (error) {
    if (!(error instanceof EcoError)) throw error
    // It is gone, or has said that it goes.
    if (error.code === 'DAEMON_ENDED') return { from, to: await heirOf(before, home) }
    if (error.code !== 'DAEMON_VERSION') throw error
    throw new EcoError('DAEMON_VERSION', `The daemon (eco ${before.version}) is too old to hand over.`, {
      hint: 'replace it, your apps keep running: eco daemon stop && eco daemon start',
      cause: error,
    })
  }
  return { from, to: await idOf(home) }
}

/** Somebody killed the daemon while it handed over: its successor is there all the same, or none is. */
async function heirOf(before: Hello, home: string): Promise<DaemonId> {
  const now = await findDaemon(home)
  if (now === null || now.pid === before.pid || now.version !== VERSION) {
    throw new EcoError(
      'UPGRADE_FAILED',
      `The daemon (pid ${before.pid}) ended before it had handed over; the apps go on.`,
      {
        hint: 'eco daemon start starts the daemon of this eco',
      },
    )
  }
  return { pid: now.pid, version: now.version }
}

/** Once it answers, it has taken over. */
async function idOf(home: string): Promise<DaemonId> {
  const { pid, version } = await call('hello', {}, { home })
  return { pid, version }
}
