import { lstatSync, readlinkSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type AtPath, type FileIdentity, type Held, isFull, judgeFile, type Loss, type Room } from '../logs/health.ts'

/** A log file that a process writes into. */
export interface WatchedLog {
  /** Of the process, never the same again. */
  readonly run: string
  readonly pid: number
  readonly fd: 1 | 2
  readonly path: string
  /** What is set aside for root is room for it. */
  readonly isRoot: boolean
}

/** The file system under a folder of logs. `since`: of an episode, on the steady clock. */
export interface FullFolder extends Room {
  readonly folder: string
  readonly since: number
}

export interface LogWatchEvents<L extends WatchedLog> {
  full(folder: FullFolder): void
  /** @param seconds that it was full */
  roomy(folder: string, room: Room, seconds: number): void
  lost(log: L, loss: Loss): void
}

/** A look is one statfs for each folder and one lstat for each log file: 2,000 of them take some 5 ms. */
const LOOK_MS = 3000

/**
 * Looks after the folders that logs are written to, and after the files themselves. It does nothing about what it sees.
 * A file system that hangs is waited for in a thread, and its files are not touched meanwhile.
 */
export class LogWatch<L extends WatchedLog = WatchedLog> {
  readonly #logs: () => readonly L[]
  readonly #events: LogWatchEvents<L>
  #timer: NodeJS.Timeout | undefined
  #full = new Map<string, FullFolder>()
  /** What a run writes into, by run and descriptor; null: not a file of eco's. */
  #held = new Map<string, Seen>()
  readonly #looking = new Set<string>()

  /** @param logs of all that runs, asked at every look */
  constructor(logs: () => readonly L[], events: LogWatchEvents<L>) {
    this.#logs = logs
    this.#events = events
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Those where there is no room now. */
  get full(): readonly FullFolder[] {
    return [...this.#full.values()]
  }

  #look(): void {
    const logs = this.#logs()
    const folders = byFolder(logs)
    for (const folder of this.#full.keys()) if (!folders.has(folder)) this.#full.delete(folder)
    const runs = new Set(logs.map(keyOf))
    for (const key of this.#held.keys()) if (!runs.has(key)) this.#held.delete(key)
    for (const [folder, files] of folders) void this.#lookAt(folder, files)
  }

  async #lookAt(folder: string, files: readonly L[]): Promise<void> {
    if (this.#looking.has(folder)) return
    this.#looking.add(folder)
    try {
      const { bsize, bavail, bfree, blocks } = await statfs(folder)
      const free = files.every(({ isRoot }) => isRoot) ? bfree : bavail
      this.#judgeRoom(folder, { freeBytes: free * bsize, totalBytes: blocks * bsize })
    } catch {
      // It is gone, with the files in it.
    } finally {
      this.#looking.delete(folder)
    }
    if (this.#timer !== undefined) for (const file of files) this.#lookAtFile(file)
  }

  #judgeRoom(folder: string, room: Room): void {
    const was = this.#full.get(folder)
    const now = performance.now()
    if (isFull(room, was !== undefined)) {
      const full = { folder, ...room, since: was?.since ?? now }
      this.#full.set(folder, full)
      if (was === undefined) this.#events.full(full)
    } else if (was !== undefined) {
      this.#full.delete(folder)
      this.#events.roomy(folder, room, Math.round((now - was.since) / 1000))
    }
  }

  #lookAtFile(log: L): void {
    const key = keyOf(log)
    const at = lookAtPath(log.path)
    const seen = this.#held.get(key) ?? { held: heldBy(log), wasRight: false, isTold: false }
    this.#held.set(key, seen)
    if (at.type === 'file' && at.identity === seen.held?.identity) {
      seen.wasRight = true
      seen.isTold = false
      return
    }
    if (seen.isTold) return
    // Its link tells what became of the file; a descriptor that the app has redirected meanwhile is its own.
    const held = heldBy(log)
    const loss = held?.identity === seen.held?.identity ? judgeFile(log.path, at, held, seen.wasRight) : null
    if (loss === null) return
    seen.isTold = true
    this.#events.lost(log, loss)
  }
}

interface Seen {
  readonly held: Held | null
  wasRight: boolean
  isTold: boolean
}

function keyOf({ run, fd }: WatchedLog): string {
  return `${run}:${fd}`
}

function byFolder<L extends WatchedLog>(logs: readonly L[]): Map<string, L[]> {
  const folders = new Map<string, L[]>()
  for (const log of logs) {
    const folder = dirname(log.path)
    const known = folders.get(folder)
    if (known === undefined) folders.set(folder, [log])
    else known.push(log)
  }
  return folders
}

function lookAtPath(path: string): AtPath {
  try {
    const stat = lstatSync(path)
    if (stat.isSymbolicLink()) return { type: 'symlink', target: readlinkSync(path) }
    return stat.isFile() ? { type: 'file', identity: identityOf(stat) } : { type: 'other' }
  } catch {
    return { type: 'missing' }
  }
}

function heldBy({ pid, fd }: WatchedLog): Held | null {
  const link = `/proc/${pid}/fd/${fd}`
  try {
    const stat = statSync(link)
    return stat.isFile() ? { identity: identityOf(stat), link: readlinkSync(link) } : null
  } catch {
    return null
  }
}

function identityOf({ dev, ino }: { readonly dev: number; readonly ino: number }): FileIdentity {
  return `${dev}:${ino}`
}
