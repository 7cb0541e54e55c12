import { type FSWatcher, lstatSync, type Stats, watch } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'

export interface Burst {
  /** Absolute, in the order of their first change. */
  readonly paths: readonly string[]
  /** Epoch ms of its first event. */
  readonly since: number
}

export interface TreeWatchOptions {
  /** Files and folders, absolute; one that is missing is watched once it is there. */
  readonly roots: readonly string[]
  isIgnored(path: string, root: string): boolean
  readonly debounceMs: number
  changed(burst: Burst): void
  /** A sentence; the rest goes on being watched. */
  problem(message: string): void
  /** fs.watch, of a folder by itself. */
  readonly watchFolder?: (path: string, listener: (name: string | null) => void) => FSWatcher
}

/** A burst that does not end is reported after this many pauses all the same. */
const MAX_PAUSES = 10

/**
 * Watches files and folders, with one fs.watch for each folder that is not ignored: Node's recursive watch on Linux would
 * walk into node_modules, and loses folders that are removed and made again.
 *
 * What counts is the name, not the file behind it, so that editors may write a new file and rename it over the old one.
 * A file that is made and removed again within one burst has not changed.
 */
export class TreeWatch {
  readonly #options: TreeWatchOptions
  readonly #folders = new Map<string, { readonly watcher: FSWatcher; readonly ino: number }>()
  readonly #files = new Set<string>()
  /** Roots that are not there; a folder above each is watched. */
  readonly #missing = new Set<string>()
  readonly #dirty = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #since: number | null = null
  #isClosed = false
  #isLimited = false

  constructor(options: TreeWatchOptions) {
    this.#options = options
  }

  /** How many folders are watched. */
  get size(): number {
    return this.#folders.size
  }

  /** Resolves once everything that is there is watched. */
  async start(): Promise<void> {
    for (const root of this.#options.roots) await this.#addRoot(root, false)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const { watcher } of this.#folders.values()) watcher.close()
    this.#folders.clear()
  }

  async #addRoot(root: string, isNew: boolean): Promise<void> {
    const stats = look(root)
    if (stats?.isDirectory()) await this.#addFolder(root, isNew)
    else {
      // By its folder: whoever writes it anew leaves another file under the name.
      this.#watchFolder(nearestFolder(root))
      if (stats === null) this.#missing.add(root)
      else if (isNew) this.#touch(root)
      else this.#files.add(root)
    }
  }

  async #addFolder(folder: string, isNew: boolean): Promise<void> {
    if (this.#isClosed || !this.#counts(folder) || !this.#watchFolder(folder)) return
    // Read after it is watched, so that nothing is missed in between.
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) await this.#addFolder(path, isNew)
      else if (this.#counts(path) && !this.#files.has(path)) {
        if (isNew) this.#touch(path)
        else this.#files.add(path)
      }
    }
  }

  /** @returns whether there is something new to watch there */
  #watchFolder(folder: string): boolean {
    const ino = look(folder)?.ino
    const known = this.#folders.get(folder)
    if (ino === undefined || known?.ino === ino) return false
    known?.watcher.close()
    try {
      const watcher = (this.#options.watchFolder ?? watchOne)(folder, (name) => this.#event(folder, name))
      watcher.on('error', () => this.#checkFolder(folder))
      this.#folders.set(folder, { watcher, ino })
      return true
    } catch (error) {
      this.#folders.delete(folder)
      this.#explain(folder, error as NodeJS.ErrnoException)
      return false
    }
  }

  #explain(folder: string, { code, message }: NodeJS.ErrnoException): void {
    if (code === 'ENOENT') return // gone again
    const isLimit = code === 'ENOSPC' || code === 'EMFILE'
    if (isLimit && this.#isLimited) return
    this.#isLimited ||= isLimit
    const limit = code === 'ENOSPC' ? 'fs.inotify.max_user_watches' : 'fs.inotify.max_user_instances'
    const why = isLimit
      ? `the limit of this machine for watches is reached: raise ${limit} (sysctl -w ${limit}=524288), or ignore more`
      : message
    this.#options.problem(`changes below ${folder} go unnoticed: ${why}`)
  }

  #event(folder: string, name: string | null): void {
    if (this.#isClosed) return
    if (this.#missing.size > 0) this.#revive()
    // A folder that is removed itself is reported under its own name.
    if (name === null || name === basename(folder)) this.#checkFolder(folder)
    if (name === null) return
    const path = join(folder, name)
    if (!this.#counts(path)) return
    this.#touch(path)
    if (look(path)?.isDirectory()) void this.#addFolder(path, true)
  }

  /** Removed, or replaced by another folder of its name. */
  #checkFolder(folder: string): void {
    const known = this.#folders.get(folder)
    if (!known || look(folder)?.ino === known.ino) return
    for (const path of this.#dropFolder(folder)) this.#touch(path)
    for (const root of this.#options.roots) {
      if (root !== folder && !root.startsWith(folder + sep)) continue
      this.#missing.add(root)
      this.#watchFolder(nearestFolder(root))
    }
    this.#revive()
  }

  #revive(): void {
    for (const root of this.#missing) {
      if (look(root) === null) this.#watchFolder(nearestFolder(root))
      else {
        this.#missing.delete(root)
        void this.#addRoot(root, true)
      }
    }
  }

  /** @returns the files below it that were known */
  #dropFolder(folder: string): string[] {
    for (const [path, { watcher }] of this.#folders) {
      if (path !== folder && !path.startsWith(folder + sep)) continue
      watcher.close()
      this.#folders.delete(path)
    }
    return [...this.#files].filter((path) => path.startsWith(folder + sep))
  }

  #counts(path: string): boolean {
    return this.#options.roots.some(
      (root) =>
        path === root || (path.startsWith(root === sep ? sep : root + sep) && !this.#options.isIgnored(path, root)),
    )
  }

  #touch(path: string): void {
    this.#dirty.add(path)
    const now = Date.now()
    this.#since ??= now
    clearTimeout(this.#timer)
    const { debounceMs } = this.#options
    const left = this.#since + debounceMs * MAX_PAUSES - now
    this.#timer = setTimeout(() => this.#flush(), Math.max(0, Math.min(debounceMs, left)))
  }

  #flush(): void {
    const since = this.#since ?? Date.now()
    const paths = [...this.#dirty].filter((path) => this.#hasChanged(path))
    this.#dirty.clear()
    this.#since = null
    if (paths.length > 0) this.#options.changed({ paths, since })
  }

  #hasChanged(path: string): boolean {
    const stats = look(path)
    if (stats === null) {
      if (this.#files.delete(path)) return true
      const below = this.#folders.has(path) ? this.#dropFolder(path) : []
      for (const file of below) this.#files.delete(file)
      return below.length > 0
    }
    if (stats.isDirectory()) return false // what is in it counts
    this.#files.add(path)
    return true
  }
}

function watchOne(path: string, listener: (name: string | null) => void): FSWatcher {
  return watch(path, { persistent: false }, (_, name) => listener(name))
}

function nearestFolder(path: string): string {
  let folder = dirname(path)
  while (look(folder) === null && dirname(folder) !== folder) folder = dirname(folder)
  return folder
}

function look(path: string): Stats | null {
  try {
    return lstatSync(path)
  } catch {
    return null
  }
}
