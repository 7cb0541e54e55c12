import { call } from '../daemon/client.ts'
import type { Hello } from '../daemon/protocol.ts'
import { ecoHome } from '../state/paths.ts'
import { VERSION } from '../version.ts'
import { compareVersions } from './compare-versions.ts'

/**
 * Looks who the daemon is, before a command asks it for something: an older one is upgraded when that is wanted, and
 * otherwise said in one line where the command changes something. Whether the two understand each other is for the daemon
 * to say.
 *
 * @throws EcoError when the daemon refuses to be upgraded; it goes on then
 */
export async function meetDaemon(wants: { readonly upgrade: boolean; readonly changes: boolean }): Promise<void> {
  if (!wants.upgrade && !wants.changes) return
  const home = ecoHome()
  const daemon = await call('hello', {}, { home }).catch(() => null)
  // None: the command starts one, of this version. Or something is wrong, which the command will say.
  if (daemon === null) return
  const order = compareVersions(daemon.version, VERSION)
  if (order === 0) return
  if (order > 0) return say(newer(daemon))
  if (!wants.upgrade) {
    return say(`the daemon is eco ${daemon.version}, this is ${VERSION}: eco daemon upgrade hands over, no app notices`)
  }
  say(`upgrading the daemon from eco ${daemon.version} to ${VERSION}; no app notices`)
  const { upgradeDaemon } = await import('./upgrade-daemon.ts')
  const { to } = await upgradeDaemon(home)
  say(`the daemon is eco ${to.version} now, pid ${to.pid}`)
}

function newer({ version }: Hello): string {
  return `the daemon is eco ${version}, newer than this eco ${VERSION}: upgrade this one, or call the newer one`
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
