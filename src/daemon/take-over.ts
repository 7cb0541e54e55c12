import type net from 'node:net'
import { EcoError } from '../errors.ts'
import { socketPath } from '../state/paths.ts'
import { claimSocket, presenceAt } from './claim.ts'
import { call, NoDaemon } from './client.ts'
import type { Hello } from './protocol.ts'

type Unit = NonNullable<Hello['unit']>

const GIVE_UP_MS = 30_000
const POLL_MS = 20

/**
 * For the daemon of a unit: it is the one. A daemon that some command has started is told to end, which leaves its apps
 * running; they are adopted like those of a daemon that died.
 *
 * @throws EcoError GUARD when the daemon there belongs to another unit; two would take the place of each other for ever
 */
export async function claimOrTakeOver(home: string, unit: Unit, server: () => net.Server): Promise<net.Server> {
  const deadline = Date.now() + GIVE_UP_MS
  while (Date.now() < deadline) {
    const claimed = await claimSocket(home, server())
    if (claimed !== null) return claimed
    await endOther(home, unit, deadline)
  }
  throw new EcoError('DAEMON_UNREACHABLE', `The daemon at ${socketPath(home)} did not make room.`, {
    hint: 'eco daemon stop ends it, the apps go on',
  })
}

async function endOther(home: string, unit: Unit, deadline: number): Promise<void> {
  try {
    const other = await call('hello', {}, { home })
    // One of this very unit that systemd has lost sight of makes room too.
    if (other.unit && (other.unit.name !== unit.name || other.unit.scope !== unit.scope)) {
      throw new EcoError(
        'GUARD',
        `The daemon of ${home} belongs to ${other.unit.name} already; ${unit.name} does not replace it.`,
        {
          hint: 'eco unstartup removes the one that is too many',
        },
      )
    }
    console.error(`${new Date().toISOString()} ${unit.name} takes over from the daemon with pid ${other.pid}`)
    await call('shutdown', { apps: false }, { home })
  } catch (error) {
    if (error instanceof NoDaemon) return // it ended by itself
    throw error
  }
  while (Date.now() < deadline && (await presenceAt(socketPath(home))) === 'answers') {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
