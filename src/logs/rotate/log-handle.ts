import { constants, lstatSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

export type Opened =
  | {
      readonly type: 'file'
      readonly file: FileHandle
      readonly size: number
      readonly uid: number
      readonly gid: number
    }
  | { readonly type: 'missing' }
  | { readonly type: 'refused'; readonly why: string }

/** Opens a log file to take away from it. Whoever may write to its folder must not turn that against other files. */
export async function openLogFile(path: string): Promise<Opened> {
  const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants
  let file: FileHandle
  try {
    file = await open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return { type: 'missing' }
    const isLink = code === 'ELOOP' || lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
    return { type: 'refused', why: isLink ? 'it is a symbolic link' : message }
  }
  const stat = await file.stat()
  const why = !stat.isFile()
    ? 'it is no regular file'
    : stat.nlink > 1
      ? 'it has more than one name (hard links)'
      : null
  if (why === null) return { type: 'file', file, size: stat.size, uid: stat.uid, gid: stat.gid }
  await file.close()
  return { type: 'refused', why }
}
