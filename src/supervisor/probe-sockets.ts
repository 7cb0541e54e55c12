/**
 * The private ways into an instance. Several instances share one listening socket, and the kernel picks who accepts; so
 * each one that eco's preload runs in listens on a unix socket of its own too, and hands what comes there to the same
 * server. ECO_PROBE_DIR names its folder; the socket of the n-th address of `listen` is the file n in it. Beside them are
 * those of control-sockets.ts.
 */

import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isSocketAt, removeFolder, removeSocket, shortName, socketFolder, socketFolderPath } from './socket-folders.ts'

/** The file that tells processes which have no socket yet that the instance accepts already. */
export const OPENED = 'open'

const KIND = 'probe'
const EXAMPLE = '0123456789abcdef/c.4194304.99'

/** The folders of instances. Their paths follow from the names: the next daemon finds them again. */
export class ProbeSockets {
  readonly #home: string

  constructor(home: string) {
    this.#home = home
  }

  /**
   * @param instance its name for good: scope, app, slot and copy
   * @param owner the user it runs as; null: the daemon's own
   */
  path(instance: string, owner: number | null): string {
    return join(socketFolderPath(this.#home, KIND, EXAMPLE, owner), shortName(instance))
  }

  /**
   * Makes the folder of an instance, empty, and closed to all but its user.
   *
   * @returns its path
   * @throws Error when it cannot be made
   */
  open(instance: string, owner: number | null): string {
    const path = this.path(instance, owner)
    this.remove(path)
    socketFolder(this.#home, KIND, EXAMPLE, owner)
    mkdirSync(path, { mode: 0o700 })
    chmodSync(path, 0o700) // whatever the umask
    if (owner !== null) chownSync(path, owner, -1)
    return path
  }

  remove(path: string): void {
    for (const name of entriesOf(path)) removeSocket(join(path, name))
    rmSync(join(path, OPENED), { force: true })
    removeFolder(path)
    removeFolder(dirname(path)) // with the last of them
  }

  /** Removes what instances left that ended while no daemon ran. */
  keepOnly(paths: ReadonlySet<string>): void {
    const folder = join(this.#home, KIND)
    for (const path of entriesOf(folder).map((name) => join(folder, name))) {
      if (paths.has(path)) continue
      // Where a daemon before us awaited sockets.
      if (isSocketAt(path)) removeSocket(path)
      else this.remove(path)
    }
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
