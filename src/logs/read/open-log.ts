import { closeSync, constants, fstatSync, openSync } from 'node:fs'

/** Who writes a log file, and on which of its descriptors: the way to a file that has no name any more. */
export interface Writer {
  readonly pid: number
  readonly fd: 1 | 2
}

/**
 * @returns an open descriptor; null: there is no such file yet
 * @throws Error when it cannot be read, or is no file
 */
export function openLog(path: string, writer: Writer | null): number | null {
  const named = openFile(path)
  if (named !== null) return named
  // The folder was removed, and the app writes on.
  return writer === null ? null : openFile(`/proc/${writer.pid}/fd/${writer.fd}`, true)
}

function openFile(path: string, quietly = false): number | null {
  let fd: number
  try {
    // A fifo without a writer would hold us for ever.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR' || quietly) return null
    throw error
  }
  if (fstatSync(fd).isFile()) return fd
  closeSync(fd)
  if (quietly) return null
  throw new Error(`${path} is no file: what is written there is gone`)
}
