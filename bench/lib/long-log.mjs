/**
 * A log that an app would have taken days to write: numbered lines at an even rate up to now, and the time index that the
 * daemon would have kept meanwhile, a point a second. Written with eco's own code, from dist/.
 */

import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { LINE_BYTES, lineOf } from './log-lines.mjs'

const api = new URL('../../dist/bench-api.js', import.meta.url)
const LINES_A_CHUNK = 10_000
const POINTS_A_CHUNK = 10_000
const NUMBER_BYTES = 9

/**
 * @param {string} home ECO_HOME
 * @param {{ path: string, bytes: number, spanMs: number }} log a new file, and what is to be in it
 * @returns {Promise<{ lines: number, numberAt: (at: number) => number }>} `numberAt`: the line that was written at a time
 */
export async function writeLongLog(home, { path, bytes, spanMs }) {
  const { appendPoints } = await import(api)
  const lines = Math.floor(bytes / LINE_BYTES)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeLines(path, lines)
  const end = Date.now()
  const start = end - spanMs
  const numberAt = (at) => Math.floor(((at - start) / spanMs) * lines)
  let points = [{ at: start, address: 0, kind: 'start' }]
  for (let at = start + 1000; at <= end; at += 1000) {
    points.push({ at, address: numberAt(at) * LINE_BYTES, kind: 'seen' })
    if (points.length < POINTS_A_CHUNK) continue
    appendPoints(home, path, points)
    points = []
  }
  points.push({ at: end, address: lines * LINE_BYTES, kind: 'end' })
  appendPoints(home, path, points)
  return { lines, numberAt }
}

function writeLines(path, lines) {
  const chunk = Buffer.from(lineOf(0).repeat(LINES_A_CHUNK))
  const fd = openSync(path, 'ax', 0o600)
  for (let first = 0; first < lines; first += LINES_A_CHUNK) {
    const count = Math.min(LINES_A_CHUNK, lines - first)
    for (let index = 0; index < count; index += 1) putNumber(chunk, index * LINE_BYTES, first + index)
    writeSync(fd, chunk, 0, count * LINE_BYTES)
  }
  closeSync(fd)
}

/** At both ends of a line. */
function putNumber(chunk, offset, number) {
  let rest = number
  for (let digit = NUMBER_BYTES - 1; digit >= 0; digit -= 1) {
    chunk[offset + digit] = chunk[offset + LINE_BYTES - 1 - NUMBER_BYTES + digit] = 48 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}
