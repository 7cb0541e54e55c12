/**
 * Output on its way to a log file of `format: time` or `json`. The app writes into a file of its own, its spool; the scribe
 * reads that and writes the log (docs/adr/0027-scribe.md). What is to be done with a spool stands beside it, so that any
 * scribe can go on where another one ended.
 *
 *   ECO_HOME/spool/api-0.out.5f2c…            what the app writes; what is done is taken out of its head
 *   ECO_HOME/spool/state/api-0.out.5f2c….json what to make of it: SpoolOrder
 *   ECO_HOME/spool/state/….pos                how far it is done: SpoolPosition
 *   ECO_HOME/spool/state/….over               nothing more is to come: its run is over
 */

import { randomBytes } from 'node:crypto'
import { closeSync, constants, openSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { EpochMs } from '../model/ids.ts'
import type { Output } from '../model/spec.ts'
import { readJson, removeFile, writeFileAtomic } from '../state/atomic-file.ts'
import { spoolDir } from '../state/paths.ts'
import type { Source } from './line-format.ts'

export interface SpoolOrder extends Source {
  readonly format: 1
  /** Of the log file. */
  readonly path: string
  readonly style: Exclude<Output['format'], 'plain'>
  /** Of the run whose processes write to it; a name of its own for a command beside an app. */
  readonly run: string
}

/**
 * Bytes before `pos` are in the log. Those up to `next` are about to be written to it, stamped with `at`, behind the
 * first `logSize` bytes of the file with this inode; where the two are the same, nothing is under way.
 */
export interface SpoolPosition {
  readonly pos: number
  readonly next: number
  readonly at: EpochMs
  readonly inode: number
  readonly logSize: number
}

const START: SpoolPosition = { pos: 0, next: 0, at: 0, inode: 0, logSize: 0 }
/** Written in one piece over the one before. */
const POSITION_BYTES = 160

export class Spool {
  readonly id: string
  readonly path: string
  readonly #state: string

  constructor(home: string, id: string) {
    this.id = id
    this.path = join(spoolDir(home), id)
    this.#state = join(spoolDir(home), 'state', id)
  }

  /** @returns a descriptor to append to it. @throws the error of the file system; then nothing is left of it */
  create(order: SpoolOrder): number {
    const { O_WRONLY, O_CREAT, O_EXCL, O_APPEND } = constants
    try {
      writeFileAtomic(`${this.#state}.json`, JSON.stringify(order), false)
      return openSync(this.path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0o600)
    } catch (error) {
      this.remove()
      throw error
    }
  }

  /** null: it is gone, or nobody can tell any more what it was. */
  order(): SpoolOrder | null {
    const result = readJson(`${this.#state}.json`, (value) => {
      const order = value as Partial<SpoolOrder> | null
      if (order?.format !== 1 || typeof order.path !== 'string') throw new Error('it is no order')
      return order as SpoolOrder
    })
    return result.type === 'value' ? result.value : null
  }

  position(): SpoolPosition {
    try {
      return { ...START, ...(JSON.parse(readFileSync(`${this.#state}.pos`, 'utf8')) as Partial<SpoolPosition>) }
    } catch {
      return START
    }
  }

  /** @returns a descriptor for `encodePosition` */
  openPosition(): number {
    const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants
    return openSync(`${this.#state}.pos`, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600)
  }

  get isOver(): boolean {
    try {
      statSync(`${this.#state}.over`)
      return true
    } catch {
      return false
    }
  }

  markOver(): void {
    closeSync(openSync(`${this.#state}.over`, 'w', 0o600))
  }

  /** All that is in it is in the log; also when it is gone. */
  get isDone(): boolean {
    try {
      return this.position().pos >= statSync(this.path).size
    } catch {
      return true
    }
  }

  remove(): void {
    // The order last: without it nobody would know of the rest.
    for (const path of [this.path, `${this.#state}.pos`, `${this.#state}.over`, `${this.#state}.json`]) removeFile(path)
  }
}

export function encodePosition(position: SpoolPosition): Buffer {
  return Buffer.from(JSON.stringify(position).padEnd(POSITION_BYTES))
}

/** @param name what people know it by: `api-0.out` */
export function newSpool(home: string, name: string): Spool {
  return new Spool(home, `${name}.${randomBytes(6).toString('hex')}`)
}

/** All that there are, by their orders. */
export function listSpools(home: string): Spool[] {
  try {
    return readdirSync(join(spoolDir(home), 'state')).flatMap((name) =>
      name.endsWith('.json') ? [new Spool(home, name.slice(0, -'.json'.length))] : [],
    )
  } catch {
    return []
  }
}
