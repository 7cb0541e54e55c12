/** Files beside a log: in a folder that another user may own, who must not turn our rights against other files. */

import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { removeFile } from '../../state/atomic-file.ts'

/** A new one, in the place of whatever was there. @returns a descriptor for writing */
export function createPlain(path: string): number {
  removeFile(path)
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  return openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
}

/** @returns a descriptor for reading @throws Error when it is a link, or has another name too */
export function openPlain(path: string): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  const stat = fstatSync(fd)
  if (stat.isFile() && stat.nlink === 1) return fd
  closeSync(fd)
  throw new Error(`${path} is no plain file`)
}

/** All of it, at a place of its own. @throws the error of the file system */
export function writeAt(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done)
  }
}
