import { execFile, execFileSync } from 'node:child_process'
import { closeSync, constants, mkdirSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { EcoError } from '../errors.ts'

/** Made at a time: a process of its own makes them, in two milliseconds. */
const BATCH = 32
const LOW = 8

/** Both ends of a pipe with no name. */
export interface Pipe {
  /** Does not block. */
  readonly reader: number
  readonly writer: number
}

/**
 * Pipes for the output of the apps. Node makes only socket pairs, which an app cannot open once more as /dev/stdout; so
 * they are made as named ones, a batch ahead of the need, and lose their names once they are open.
 */
export class Fifos {
  readonly #folder: string
  #names: string[] = []
  #made = 0
  #isFilling = false

  /** The first are made while the file is read. Rejects with STATE_UNWRITABLE when there is no mkfifo. */
  readonly ready: Promise<void>

  constructor(home: string) {
    this.#folder = join(home, 'pipes')
    mkdirSync(this.#folder, { mode: 0o700 })
    this.ready = this.#fillAhead()
    this.ready.catch(() => {}) // told to whoever waits for it
  }

  /** @throws Error when none can be made */
  open(): Pipe {
    if (this.#names.length === 0) this.#fillNow()
    const path = this.#names.shift() ?? ''
    if (this.#names.length < LOW && !this.#isFilling) this.#fillAhead().catch(() => {})
    let reader = -1
    try {
      reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
      return { reader, writer: openSync(path, constants.O_WRONLY) }
    } catch (error) {
      if (reader >= 0) closeSync(reader)
      throw error
    } finally {
      rmSync(path, { force: true })
    }
  }

  #fillNow(): void {
    const names = this.#nextNames()
    execFileSync('mkfifo', ['-m', '600', ...names], { stdio: 'pipe' })
    this.#names.push(...names)
  }

  #fillAhead(): Promise<void> {
    this.#isFilling = true
    const names = this.#nextNames()
    return new Promise((resolve, reject) => {
      execFile('mkfifo', ['-m', '600', ...names], (error) => {
        this.#isFilling = false
        if (error) return reject(noPipes(error))
        this.#names.push(...names)
        resolve()
      })
    })
  }

  #nextNames(): string[] {
    return Array.from({ length: BATCH }, () => join(this.#folder, String(this.#made++)))
  }
}

function noPipes(cause: Error): EcoError {
  return new EcoError('STATE_UNWRITABLE', `eco run cannot make pipes: ${cause.message}`, {
    hint: 'it needs the command mkfifo (coreutils or busybox), which every image with a shell has',
    cause,
  })
}
