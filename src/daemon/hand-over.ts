/**
 * What two daemons say to each other while one takes the apps over from the other (docs/adr/0020): lines of JSON on a
 * socket pair, descriptor 3 of the successor.
 *
 *   → {"hand_over":1,"from":{…},"inode":…,"control":4,"sockets":[…]}
 *   ← {"state":"prepared",…}      it has loaded and could read all state; or {"state":"refused",…}, and it ends
 *   → {"go":true}                 the old one does nothing any more but wait
 *   ← {"state":"acting"}          said before it does anything: one that ended without this has done nothing
 *   ← {"state":"serving"}         now the old one ends
 *
 * Two versions of eco speak it, so it is only ever extended: unknown fields are left aside.
 */

import type { Listen } from '../model/spec.ts'
import type { DaemonId } from './protocol.ts'

export const HAND_OVER_FD = 3
/** Of the successor: the socket on which the daemon is asked. */
export const CONTROL_FD = 4

/** On the successor's command line. */
export const TAKE_OVER = '--take-over'

export interface InheritedSocket {
  readonly listen: Listen
  /** Full name of the app. */
  readonly owner: string
  readonly fd: number
}

export interface Offer {
  readonly hand_over: 1
  readonly from: DaemonId
  /** Of eco.sock, by which it is known to be still the one that is handed over. */
  readonly inode: number
  readonly control: number
  readonly sockets: readonly InheritedSocket[]
}

export interface Go {
  readonly go: true
}

export type Answer =
  | { readonly state: 'prepared'; readonly pid: number; readonly version: string }
  | {
      readonly state: 'refused'
      readonly code: string
      readonly message: string
      readonly hint: string | null
      readonly details: readonly string[]
    }
  | { readonly state: 'acting' }
  | { readonly state: 'serving' }
