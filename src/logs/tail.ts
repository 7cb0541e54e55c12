import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const CHUNK_BYTES = 64 * 1024
/** Lines are cut after this much, so that one endless line cannot fill the memory of whoever reads it. */
const MAX_LINE = 8 * 1024

/**
 * The last lines of a file, oldest first, read from its end.
 *
 * @param from byte offset before which nothing is read
 * @returns no lines when the file is missing or empty
 */
export function lastLines(path: string, count: number, from = 0): string[] {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return []
  }
  try {
    const end = fstatSync(fd).size
    const chunks: Buffer[] = []
    let newlines = 0
    let at = end
    let total = 0
    while (at > from && newlines <= count && total < MAX_LINE * count + CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, at - from)
      at -= length
      const chunk = Buffer.alloc(length)
      readSync(fd, chunk, 0, length, at)
      for (const byte of chunk) if (byte === 10) newlines++
      chunks.unshift(chunk)
      total += length
    }
    const lines = Buffer.concat(chunks).toString('utf8').split('\n')
    if (lines.at(-1) === '') lines.pop()
    return lines.slice(-count).map((line) => (line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line))
  } finally {
    closeSync(fd)
  }
}
