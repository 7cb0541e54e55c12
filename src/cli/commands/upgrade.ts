import { call, NoDaemon } from '../../daemon/client.ts'
import { daemonEntry, startDaemon } from '../../daemon/ensure.ts'
import type { DaemonId, Hello, StreamEvent } from '../../daemon/protocol.ts'
import { EcoError } from '../../errors.ts'
import { ecoHome } from '../../state/paths.ts'

/** `eco daemon upgrade`: the daemon that runs hands over to the one of this eco. */
export async function upgradeCommand(json: boolean): Promise<void> {
  const home = ecoHome()
  const { from, to } = await upgradeDaemon(home)
  const text = from === null ? `No daemon was running; ${named(to)} runs now.` : `${took(from, to)}.`
  process.stdout.write(json ? `${JSON.stringify({ format_version: '1.0', from, to })}\n` : `${text}\n`)
}

/** @throws EcoError as the daemon refused; it goes on then */
export async function upgradeDaemon(home: string): Promise<{ from: DaemonId | null; to: DaemonId }> {
  const before = await hello(home)
  if (before === null) {
    await startDaemon(home)
    return { from: null, to: await idOf(home) }
  }
  const from = { pid: before.pid, version: before.version }
  const onEvent = (event: StreamEvent): void => {
    if (event.type === 'waiting') process.stderr.write(`waiting for: ${event.message}\n`)
  }
  try {
    await call('upgrade', { node: process.execPath, entry: await daemonEntry() }, { home, onEvent })
  } catch (error) {
    throw await explained(error, home, before)
  }
  return { from, to: await idOf(home) }
}

/** The daemon may have been killed after it had handed over. */
async function explained(error: unknown, home: string, before: Hello): Promise<unknown> {
  if (!(error instanceof EcoError)) return error
  if (error.code === 'DAEMON_VERSION') {
    return new EcoError('DAEMON_VERSION', `The daemon (eco ${before.version}) is too old to hand over.`, {
      hint: 'replace it, your apps keep running: eco daemon stop && eco daemon start',
      cause: error,
    })
  }
  return error
}

async function idOf(home: string): Promise<DaemonId> {
  const { pid, version } = await call('hello', {}, { home })
  return { pid, version }
}

async function hello(home: string): Promise<Hello | null> {
  try {
    return await call('hello', {}, { home })
  } catch (error) {
    if (error instanceof NoDaemon) return null
    throw error
  }
}

function took(from: DaemonId, to: DaemonId): string {
  const again = from.version === to.version ? `, the same version` : ''
  return `${named(to)}, took over from ${named(from)}${again}`
}

function named({ version, pid }: DaemonId): string {
  return `eco ${version} (pid ${pid})`
}
