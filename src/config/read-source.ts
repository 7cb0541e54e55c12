import { isUtf8 } from 'node:buffer'
import { readFileSync, statSync } from 'node:fs'
import { EcoError } from '../errors.ts'
import type { Report } from './problem.ts'

const MAX_BYTES = 4 * 1024 * 1024

/**
 * Reads an ecosystem file as text, without a byte order mark.
 *
 * @param report told what is wrong inside the text: not UTF-8, a NUL byte
 * @throws EcoError for what is wrong with the file itself: missing, no regular file, unreadable, too large
 */
export function readSource(file: string, report: Report): string {
  const bytes = readBytes(file)
  const utf16 = utf16Name(bytes)
  if (utf16) {
    report(null, `the file is ${utf16}, but eco reads UTF-8`, 'save it as UTF-8')
    return ''
  }
  // TextDecoder drops a UTF-8 byte order mark.
  const text = new TextDecoder().decode(bytes)
  const nul = text.indexOf('\0')
  if (nul >= 0) report({ start: nul, length: 1 }, 'the file contains a NUL byte', 'remove it; is this a text file?')
  const bad = text.indexOf('\ufffd')
  if (bad >= 0 && !isUtf8(bytes)) {
    report({ start: bad, length: 1 }, 'the file is not valid UTF-8', 'save it as UTF-8')
  }
  return text
}

function readBytes(file: string): Buffer {
  try {
    const stat = statSync(file)
    if (stat.isDirectory()) throw new EcoError('CONFIG_INVALID', `${file} is a directory, not an ecosystem file.`)
    if (!stat.isFile()) throw new EcoError('CONFIG_INVALID', `${file} is not a regular file.`)
    if (stat.size > MAX_BYTES) {
      const size = (stat.size / 1024 / 1024).toFixed(1)
      throw new EcoError('CONFIG_INVALID', `${file} is ${size} MiB large; an ecosystem file has at most 4 MiB.`)
    }
    return readFileSync(file)
  } catch (error) {
    if (error instanceof EcoError) throw error
    const code = errnoOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new EcoError('CONFIG_NOT_FOUND', `There is no file ${file}.`, { cause: error })
    }
    throw new EcoError('CONFIG_INVALID', `Cannot read ${file}: ${reasonOf(code)}.`, { cause: error })
  }
}

/** The code of a system error, such as ENOENT. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** What a file system error means, in words. */
export function reasonOf(code: string | undefined): string {
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied'
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'it does not exist'
  if (code === 'EISDIR') return 'it is a directory'
  return code ?? 'unknown error'
}

/** UTF-16 by its byte order mark. */
function utf16Name(bytes: Buffer): string | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'UTF-16 (little endian)'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'UTF-16 (big endian)'
  return null
}
