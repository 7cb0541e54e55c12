import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, type Stats } from 'node:fs'
import { dirname } from 'node:path'

/** It cannot be written at the moment, through no fault of the file: a full disk, a file system mounted read-only. */
const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS'])

/**
 * Opens a log file to append to it, and makes it and its folders where they are missing: 0600 and 0700, whatever the
 * folder, for an app may print secrets. Never follows a symlink, which would be a way to write elsewhere, and never waits
 * for the reader of a FIFO.
 *
 * @throws the error of the file system, or an Error with a reason for people where there is something else than a file
 */
export function openLog(path: string): number {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants
  // O_NONBLOCK means nothing to a file.
  const flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
  let fd: number
  try {
    fd = openSync(path, flags, 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    fd = openSync(path, flags, 0o600)
  }
  const stat = fstatSync(fd)
  if (stat.isFile()) return fd
  closeSync(fd)
  throw new Error(notAFile(path, stat))
}

/** Whether a log can be written again by itself, so that nobody has to stay down for it. */
export function isForWantOfRoom(error: unknown): boolean {
  return NO_ROOM.has((error as NodeJS.ErrnoException).code ?? '')
}

/** Why a log file could not be opened, and what to do, for people. */
export function explainLog(path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  const stat = lookAt(path)
  if (stat?.isSymbolicLink() === true) {
    return `its log ${path} is a symlink, which eco does not follow: it could lead anywhere; remove it (rm ${path}), or name the file itself under logs`
  }
  if (stat !== null && !stat.isFile()) return notAFile(path, stat)
  if (code === 'EACCES' || code === 'EPERM') {
    return `its log ${path} may not be written by uid ${process.geteuid?.()} (${code}): see namei -l ${path}`
  }
  if (code === 'ENOTDIR' || code === 'EEXIST') {
    return `its log ${path} cannot be made: something in the path is not a folder: see namei -l ${path}`
  }
  if (code !== undefined && NO_ROOM.has(code)) {
    const why = code === 'EROFS' ? 'its file system is read-only' : `there is no room for it (${code}): df ${path}`
    return `its log ${path} cannot be written, ${why}`
  }
  return code === undefined ? message : `its log ${path} cannot be opened: ${message}`
}

function notAFile(path: string, stat: Stats): string {
  const what = stat.isDirectory()
    ? 'a folder'
    : stat.isFIFO()
      ? 'a FIFO'
      : stat.isSocket()
        ? 'a socket'
        : stat.isFile()
          ? 'a file'
          : 'a device'
  return `its log ${path} is ${what}, and eco writes logs to files only: move it away, or name a file under logs (or none)`
}

function lookAt(path: string): Stats | null {
  try {
    return lstatSync(path)
  } catch {
    return null
  }
}
