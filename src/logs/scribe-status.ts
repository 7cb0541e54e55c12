/** What the daemon is told by the scribe: a line of JSON for each question. */

import { join } from 'node:path'
import { readJson, writeFileAtomic } from '../state/atomic-file.ts'
import { spoolDir } from '../state/paths.ts'

export interface ScribeStatus {
  readonly version: string
  /** Logs that it cannot write now, and why, by path. */
  readonly blocked: Readonly<Record<string, string>>
}

/** Which process in which life of the machine. */
export interface ScribeIdentity {
  readonly pid: number
  readonly startTime: number
  readonly bootId: string
}

function identityFile(home: string): string {
  return join(spoolDir(home), 'state', 'scribe')
}

/** By whoever holds the socket: one that hangs cannot say who it is. */
export function noteScribe(home: string, identity: ScribeIdentity): void {
  writeFileAtomic(identityFile(home), JSON.stringify(identity), false)
}

export function scribeIdentity(home: string): ScribeIdentity | null {
  const result = readJson(identityFile(home), (value) => value as ScribeIdentity)
  return result.type === 'value' ? result.value : null
}
