import { statSync } from 'node:fs'
import { type Ledger, readLedger } from '../ledger.ts'
import { indexFile } from '../layout.ts'

/** The ledger of a log as it was when somebody last looked, and whether it is another one by now. */
export class LedgerFile {
  readonly #home: string
  readonly #path: string
  readonly #file: string
  #stamp: string
  #ledger: Ledger

  constructor(home: string, path: string) {
    this.#home = home
    this.#path = path
    this.#file = indexFile(home, path, 'json')
    this.#stamp = stampOf(this.#file)
    this.#ledger = readLedger(home, path)
  }

  get ledger(): Ledger {
    return this.#ledger
  }

  /** Every writer replaces the file. */
  isCurrent(): boolean {
    return stampOf(this.#file) === this.#stamp
  }

  /** @returns whether it was another one */
  refresh(): boolean {
    const stamp = stampOf(this.#file)
    if (stamp === this.#stamp) return false
    this.#stamp = stamp
    this.#ledger = readLedger(this.#home, this.#path)
    return true
  }
}

/** Numbers of inodes are used again: two replacements later it may be the same one, at another time. */
function stampOf(file: string): string {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? '' : `${stat.ino} ${stat.ctimeNs} ${stat.size}`
}
