/** Where the unix sockets of instances are: in folders of the daemon, under names that are short whatever the app is called. */

import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EcoError } from '../errors.ts'

/** What sockaddr_un has room for, without the closing zero. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103

/** Stands for an instance in a path. Sixteen characters. */
export function shortName(instance: string): string {
  return createHash('sha256').update(instance).digest('hex').slice(0, 16)
}

/**
 * A folder for sockets, made when it is not there: in ECO_HOME; where that is too long for a socket, or another user
 * cannot reach into it, in the system's own.
 *
 * @param kind its name in ECO_HOME
 * @param example the longest path that will be used in it
 * @param owner the user that must reach into it; null: the daemon's own
 * @throws EcoError GUARD when somebody else has a folder of this name
 */
export function socketFolder(home: string, kind: string, example: string, owner: number | null): string {
  const folder = socketFolderPath(home, kind, example, owner)
  try {
    mkdirSync(folder, { mode: 0o711 })
    chmodSync(folder, 0o711) // whatever the umask
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    // In a folder for everybody somebody else may have been first.
    const stat = lstatSync(folder)
    if (!stat.isDirectory() || stat.uid !== process.getuid?.()) {
      throw new EcoError('GUARD', `${folder} belongs to somebody else: ${kind} sockets cannot be put there.`, {
        hint: 'remove it, or set TMPDIR for the daemon',
      })
    }
  }
  return folder
}

export function socketFolderPath(home: string, kind: string, example: string, owner: number | null): string {
  const own = join(home, kind)
  if (owner === null && Buffer.byteLength(join(own, example)) <= MAX_PATH_BYTES) return own
  const digest = createHash('sha256').update(home).digest('hex').slice(0, 8)
  return join(tmpdir(), `eco-${process.getuid?.() ?? 0}-${digest}`)
}

export function isSocketAt(path: string): boolean {
  try {
    return lstatSync(path).isSocket()
  } catch {
    return false
  }
}

export function removeSocket(path: string): void {
  try {
    if (isSocketAt(path)) unlinkSync(path)
  } catch {
    // Gone meanwhile.
  }
}

/** Unless something is in it. */
export function removeFolder(path: string): void {
  try {
    rmdirSync(path)
  } catch {
    // Others are in use there.
  }
}
