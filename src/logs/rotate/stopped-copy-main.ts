/**
 * `node stopped-copy.cjs ECO_HOME LOG`: the part of a rotation during which those who write to the log stand still, in a
 * process of its own, so that they go on whatever becomes of the daemon. It begins once it reads a byte; when the daemon
 * ends before that, nothing has happened.
 */

import { readSync } from 'node:fs'
import { stopAndCut } from './stop-and-cut.ts'

const daemon = process.ppid
const [home = '', path = ''] = process.argv.slice(2)
if (readSync(0, Buffer.alloc(1)) === 1) {
  try {
    stopAndCut(home, path, daemon)
  } catch (error) {
    process.stderr.write((error as Error).message)
    process.exitCode = 1
  }
}
