import { closeSync } from 'node:fs'
import { EcoError } from '../errors.ts'
import { refuseNewerStates } from '../state/known-formats.ts'
import { VERSION } from '../version.ts'
import { socketInode } from './claim.ts'
import { type Answer, type Go, HAND_OVER_FD, type InheritedSocket, type Offer } from './hand-over.ts'
import type { DaemonId } from './protocol.ts'
import { SyncLines } from './sync-lines.ts'

/** What the daemon before this one left to it. */
export interface Inheritance {
  readonly from: DaemonId
  readonly sockets: readonly InheritedSocket[]
  /** Descriptor of eco.sock, which listens. */
  readonly control: number
  /** Tells the old one that it may end. */
  serving(): void
}

/**
 * The successor's side of a hand-over: nothing but reading, until the old daemon says go or is gone. Blocks until then.
 *
 * @returns null: it is not to be
 */
export function comeIntoInheritance(home: string): Inheritance | null {
  const lines = new SyncLines(HAND_OVER_FD)
  const say = (answer: Answer): boolean => lines.say(answer)
  const offered = lines.wait(null)
  if (offered.type !== 'line') return null // the old one ended before it had said anything
  const { from, inode, control, sockets } = offered.value as Offer
  try {
    refuseNewerStates(home)
  } catch (error) {
    const { code, message, hint, details } = error instanceof EcoError ? error : new EcoError('INTERNAL', String(error))
    say({ state: 'refused', code, message, hint, details })
    return null
  }
  say({ state: 'prepared', pid: process.pid, version: VERSION })
  const said = lines.wait(null)
  if (said.type === 'line' && !(said.value as Partial<Go>).go) return null
  // Ended without a word: the old one was killed. This one has its sockets, and clients queue in one of them already.
  if (said.type === 'ended' && socketInode(home) !== inode) return null
  say({ state: 'acting' })
  return {
    from,
    sockets,
    control,
    serving: () => {
      say({ state: 'serving' })
      closeSync(HAND_OVER_FD)
    },
  }
}
