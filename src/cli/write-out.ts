import { writeSync } from 'node:fs'

/**
 * Writes to stdout without the stream: synchronously, and by the stream where a pipe is full for the moment.
 *
 * @returns whether all of it is written; when not, the process must not exit before the stream has ended
 */
export function writeOut(text: string): boolean {
  const bytes = Buffer.from(text)
  let at = 0
  while (at < bytes.length) {
    try {
      at += writeSync(1, bytes, at)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE') return true // the reader has seen enough
      if (code !== 'EAGAIN') throw error
      // A non-blocking pipe whose reader is slow: the stream waits for it.
      process.stdout.write(bytes.subarray(at))
      return false
    }
  }
  return true
}
