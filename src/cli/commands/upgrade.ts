import type { DaemonId } from '../../daemon/protocol.ts'
import { ecoHome } from '../../state/paths.ts'
import { upgradeDaemon } from '../upgrade-daemon.ts'

/** `eco daemon upgrade`: the daemon that runs hands over to the one of this eco. */
export async function upgradeCommand(json: boolean): Promise<void> {
  const { from, to } = await upgradeDaemon(ecoHome())
  process.stdout.write(json ? `${JSON.stringify({ format_version: '1.0', from, to })}\n` : `${told(from, to)}\n`)
}

function told(from: DaemonId | null, to: DaemonId): string {
  if (from === null) return `No daemon was running; ${named(to)} runs now.`
  const again = from.version === to.version ? ' It is the same version.' : ''
  return `${named(to)} took over from ${named(from)}.${again} The apps go on.`
}

function named({ version, pid }: DaemonId): string {
  return `eco ${version} (pid ${pid})`
}
