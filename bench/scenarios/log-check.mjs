/**
 * Does the counter of the log scenarios see what it should? Files are damaged in known ways, an archive among them; counted
 * is what it says otherwise.
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { countLines, lineOf } from '../lib/log-lines.mjs'
import { row } from '../lib/stats.mjs'

export const rounds = 1

const TOTAL = 30_000
const NONE = { lost: 0, torn: 0, doubled: 0, backwards: 0, filler: 0 }
const whole = Array.from({ length: TOTAL }, (_, number) => lineOf(number))

/**
 * What is done to the lines, and what is to be found afterwards.
 *
 * @type {Record<string, [(lines: string[]) => string[], Partial<typeof NONE>]>}
 */
const DAMAGES = {
  'nothing at all': [(lines) => lines, {}],
  'three lines left out': [(lines) => lines.toSpliced(20_000, 3), { lost: 3 }],
  'the end left out': [(lines) => lines.slice(0, -1), { lost: 1 }],
  'a line without its end': [(lines) => lines.with(20_000, lineOf(20_000).slice(0, 40)), { lost: 2, torn: 1 }],
  'the last line without its newline': [
    (lines) => lines.with(TOTAL - 1, lineOf(TOTAL - 1).slice(0, -1)),
    { lost: 1, torn: 1 },
  ],
  'the halves of two lines in one': [
    (lines) => lines.toSpliced(20_000, 2, lineOf(20_000).slice(0, 50) + lineOf(20_001).slice(50)),
    { lost: 2, torn: 1 },
  ],
  'zeros where lines were': [(lines) => lines.with(20_000, `${'\0'.repeat(99)}\n`), { lost: 1, torn: 1 }],
  'two lines twice': [
    (lines) => lines.toSpliced(20_002, 0, lineOf(20_000), lineOf(20_001)),
    { doubled: 2, backwards: 1 },
  ],
  'two lines in the wrong order': [
    (lines) => lines.toSpliced(20_000, 2, lineOf(20_001), lineOf(20_000)),
    { backwards: 1 },
  ],
  "eco's filler": [(lines) => lines.toSpliced(20_000, 0, '#eco filler\n'), { filler: 1 }],
}

export async function run({ scratch }) {
  const rows = []
  for (const [label, [damage, expected]] of Object.entries(DAMAGES)) {
    const lines = damage(whole)
    const [archive, live] = [join(scratch.folder, 'writer.log.1.gz'), join(scratch.folder, 'writer.log')]
    writeFileSync(archive, gzipSync(lines.slice(0, 10_000).join('')))
    writeFileSync(live, lines.slice(10_000).join(''))
    const found = await countLines([archive, live], TOTAL)
    const wrong = Object.entries({ ...NONE, ...expected }).filter(([key, count]) => found[key] !== count)
    rows.push(
      row(`${label}: counted wrong`, 'failed', [wrong.length], {
        atMost: 0,
        note: wrong.map(([key, count]) => `${found[key]} ${key}, not ${count}`).join(', '),
      }),
    )
  }
  return rows
}
