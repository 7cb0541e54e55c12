import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { removeFile } from '../../state/atomic-file.ts'

const CHUNK_BYTES = 1 << 20

/** Of one log file there is never more than one: a daemon that died in the middle leaves it, and the next one takes its place. */
export function unfinishedArchive(path: string): string {
  return join(dirname(path), `.${basename(path)}.rotating`)
}

/**
 * Copies a part of a log file beside it; on the disk when it resolves. Its name is that of `unfinishedArchive`.
 *
 * @throws the error of the file system, ENOSPC among others; then nothing is left of it
 */
export async function copyToArchive(
  path: string,
  file: FileHandle,
  { start, end, uid, gid }: { start: number; end: number; uid: number; gid: number },
): Promise<void> {
  const target = unfinishedArchive(path)
  removeFile(target)
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  const archive = await open(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    if (uid !== process.geteuid?.() || gid !== process.getegid?.()) await archive.chown(uid, gid).catch(() => {})
    const bytes = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - start))
    for (let at = start; at < end;) {
      const { bytesRead } = await file.read(bytes, 0, Math.min(bytes.length, end - at), at)
      if (bytesRead === 0) throw new Error('somebody else has cut it short meanwhile')
      await archive.writeFile(bytes.subarray(0, bytesRead))
      at += bytesRead
    }
    // Before it goes from the log: after a power cut it would be in neither.
    await archive.datasync()
  } catch (error) {
    await archive.close()
    removeFile(target)
    throw error
  }
  await archive.close()
}
