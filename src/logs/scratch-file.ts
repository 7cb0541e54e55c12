import { randomBytes } from 'node:crypto'
import { constants, openSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Of open(2), which Node has no name for. */
const O_TMPFILE = 0o20000000

/**
 * A file to try something on. Where the file system can, one that never has a name: who only looks leaves no trace.
 *
 * @throws the error of the file system
 */
export function openScratch(folder: string): number {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY } = constants
  try {
    return openSync(folder, O_TMPFILE | O_DIRECTORY | O_RDWR, 0o600)
  } catch {
    const path = join(folder, `.eco-probe.${process.pid}.${randomBytes(4).toString('hex')}`)
    const fd = openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    unlinkSync(path)
    return fd
  }
}
