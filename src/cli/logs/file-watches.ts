import { type FSWatcher, watch } from 'node:fs'

/**
 * Tells once that a file changes; then it must be armed again. A watch that stayed would tell of every write of a busy
 * app, which costs ten times as much.
 */
export class FileWatches {
  readonly #changed: (path: string) => void
  readonly #watchers = new Map<string, FSWatcher>()
  #isExhausted = false

  constructor(changed: (path: string) => void) {
    this.#changed = changed
  }

  /** The system has no watches left: somebody must look from time to time. */
  get isExhausted(): boolean {
    return this.#isExhausted
  }

  /** A file that is not there is not watched. */
  arm(path: string): void {
    if (this.#isExhausted || this.#watchers.has(path)) return
    try {
      const watcher = watch(path, () => this.#fire(path))
      watcher.on('error', () => this.#fire(path))
      this.#watchers.set(path, watcher)
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (code === 'ENOSPC' || code === 'EMFILE' || code === 'ENFILE') this.#isExhausted = true
    }
  }

  #fire(path: string): void {
    this.#watchers.get(path)?.close()
    this.#watchers.delete(path)
    this.#changed(path)
  }
}
