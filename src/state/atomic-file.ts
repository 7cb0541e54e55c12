import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes a file so that a reader, or a crash at any point, sees the old content or the new, never a part.
 *
 * @param durable survive a power cut too: fsync of the file and of its folder. Records that mean nothing after a boot
 *   (pids) do without.
 */
export function writeFileAtomic(path: string, content: string | Uint8Array, durable: boolean): void {
  const temporary = `${path}.${process.pid}.tmp`
  const fd = openForWriting(temporary)
  try {
    // Not writeSync: on a full disk that writes a part, and says so only in its result.
    writeFileSync(fd, content)
    if (durable) fsyncSync(fd)
  } catch (error) {
    closeSync(fd)
    unlinkSync(temporary)
    throw error
  }
  closeSync(fd)
  renameSync(temporary, path)
  if (durable) syncFolder(dirname(path))
}

export function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** The parsed file; `missing` when there is none; `damaged` with the reason when it cannot be used. */
export type ReadResult<T> =
  | { readonly type: 'value'; readonly value: T }
  | { readonly type: 'missing' }
  | { readonly type: 'damaged'; readonly reason: string }

/** @param check throws an Error that says what is wrong with the parsed value */
export function readJson<T>(path: string, check: (value: unknown) => T): ReadResult<T> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? { type: 'missing' } : { type: 'damaged', reason: message }
  }
  try {
    return { type: 'value', value: check(JSON.parse(text)) }
  } catch (error) {
    return { type: 'damaged', reason: (error as Error).message }
  }
}

function openForWriting(path: string): number {
  try {
    return openSync(path, 'w', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    return openSync(path, 'w', 0o600)
  }
}

function syncFolder(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
