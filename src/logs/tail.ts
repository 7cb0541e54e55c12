import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'

const CHUNK_BYTES = 64 * 1024
/** Larger strings are garbage for long: of reads of 1 MiB, a daemon had 200 MB while an app wrote 100 without a newline. */
const NEW_BYTES = 32 * 1024
/** Lines are cut after this much, so that one endless line cannot fill the memory of whoever reads it. */
const MAX_LINE = 8 * 1024

/**
 * The last lines of a file, oldest first, read from its end.
 *
 * @param from byte offset before which nothing is read
 * @returns no lines when the file is missing or empty
 */
export function lastLines(path: string, count: number, from = 0): string[] {
  if (count <= 0) return []
  let fd: number
  try {
    fd = openToRead(path)
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
      // Less comes when the file is cut short meanwhile.
      const whole = Buffer.alloc(length)
      const chunk = whole.subarray(0, readSync(fd, whole, 0, length, at))
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

/** Where a reader of a growing file stands. */
export interface TailPosition {
  readonly path: string
  offset: number
  /** The start of a line whose end has not been written yet. */
  rest: string
}

/** Whole lines written since the last look, at most 32 KiB of them; moves the position. A file cut short starts again. */
export function readNewLines(position: TailPosition): string[] {
  const text = readNewText(position)
  const lines = (position.rest + text).split('\n')
  position.rest = (lines.pop() ?? '').slice(-MAX_LINE * 8)
  return lines
}

function readNewText(position: TailPosition): string {
  const size = sizeOf(position.path)
  if (size < position.offset) {
    position.offset = 0
    position.rest = ''
  }
  if (size === position.offset) return ''
  let fd: number
  try {
    fd = openToRead(position.path)
  } catch {
    return ''
  }
  try {
    const bytes = Buffer.alloc(Math.min(size - position.offset, NEW_BYTES))
    const length = wholeCharacters(bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, position.offset)))
    position.offset += length
    return bytes.toString('utf8', 0, length)
  } finally {
    closeSync(fd)
  }
}

/** The length without a character at the end of which only the first bytes have been written. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) break
    if (byte < 0xc0) continue // not the first byte of its character
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    return size > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}

/** Size in bytes; 0 when there is no such file. */
export function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}

/**
 * What stands where a log should be may be anything: nobody is to wait for the writer of a FIFO, nor to be shown what a
 * symlink leads to.
 */
function openToRead(path: string): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  if (fstatSync(fd).isFile()) return fd
  closeSync(fd)
  throw new Error(`${path} is no file`)
}
