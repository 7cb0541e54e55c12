/** Gives back the room of a part of a file, which keeps its length. Node has no fallocate(2). */

import { spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync } from 'node:fs'
import { openScratch } from './scratch-file.ts'

const TRIED_BYTES = 4096

/** @param from in bytes, as `length` */
export function punchCommand(path: string, from: number, length: number): [file: string, args: string[]] {
  return ['fallocate', ['--punch-hole', '--offset', String(from), '--length', String(length), path]]
}

/** @returns why it does not work there; null: it does @throws the error of the file system */
export function whyNoHoles(folder: string): string | null {
  const fd = openScratch(folder)
  try {
    ftruncateSync(fd, TRIED_BYTES)
    const [file, args] = punchCommand('/proc/self/fd/0', 0, TRIED_BYTES)
    const { status, stderr, error } = spawnSync(file, args, { stdio: [fd, 'ignore', 'pipe'], encoding: 'utf8' })
    if (error) return 'the program fallocate (util-linux) was not found'
    return status === 0 ? null : stderr.trim().split('\n')[0] || `fallocate ended with ${status}`
  } finally {
    closeSync(fd)
  }
}
