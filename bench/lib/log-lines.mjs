/**
 * The lines that apps/logs/ write, and what became of them. A line is 100 bytes long, and has its number at both ends, so
 * that one that was lost, torn or written twice is seen.
 */

import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'

export const LINE_BYTES = 100
const BETWEEN = ` ${'x'.repeat(79)} `
const FILLING = Buffer.from(BETWEEN)
const NUMBER_BYTES = 9
const NEWLINE = 10
/** What eco may put at the head of a file after a rotation, and its reader leaves out. */
const FILLER = '#eco'

export function lineOf(number) {
  const digits = String(number).padStart(NUMBER_BYTES, '0')
  return `${digits}${BETWEEN}${digits}\n`
}

/**
 * @param {string[]} files oldest first; `.gz` are unpacked
 * @param {number} total how many lines were written, numbered from 0
 * @param {{ from?: number }} [options] where in each file they begin, in bytes
 * @returns {Promise<{ lost: number, torn: number, doubled: number, backwards: number, filler: number }>} lines. `lost`:
 *   stand nowhere as a whole; `torn`: are not of the shape; `doubled`: once too often; `backwards`: after a later one
 */
export async function countLines(files, total, { from = 0 } = {}) {
  const seen = new Uint8Array(total)
  const count = { lost: 0, torn: 0, doubled: 0, backwards: 0, filler: 0 }
  let previous = -1
  for (const file of files) {
    for await (const line of linesOf(file, from)) {
      const number = numberOf(line)
      if (number === null || number >= total) {
        if (line.subarray(0, FILLER.length).toString('latin1') === FILLER) count.filler += 1
        else count.torn += 1
        continue
      }
      if (seen[number]) count.doubled += 1
      seen[number] = 1
      if (number < previous) count.backwards += 1
      previous = number
    }
  }
  for (const it of seen) if (it === 0) count.lost += 1
  return count
}

/** Each with its newline; the last one may have none. */
async function* linesOf(file, start) {
  const raw = createReadStream(file, { start, highWaterMark: 1 << 20 })
  let rest = Buffer.alloc(0)
  for await (const chunk of file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw) {
    const bytes = rest.length ? Buffer.concat([rest, chunk]) : chunk
    let from = 0
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, from)) {
      yield bytes.subarray(from, end + 1)
      from = end + 1
    }
    rest = bytes.subarray(from)
  }
  if (rest.length) yield rest
}

/** null: the line is not whole. */
function numberOf(line) {
  if (line.length !== LINE_BYTES || line[LINE_BYTES - 1] !== NEWLINE) return null
  const second = NUMBER_BYTES + FILLING.length
  if (line.compare(FILLING, 0, FILLING.length, NUMBER_BYTES, second) !== 0) return null
  let number = 0
  for (let at = 0; at < NUMBER_BYTES; at += 1) {
    const digit = line[at] - 48
    if (digit < 0 || digit > 9 || line[second + at] !== line[at]) return null
    number = number * 10 + digit
  }
  return number
}
