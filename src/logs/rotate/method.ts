/** By which means a log file can be rotated without losing a line: that depends on its file system. */

import { spawnSync } from 'node:child_process'
import { closeSync, fstatSync, ftruncateSync, readSync, statSync, statfsSync } from 'node:fs'
import { openScratch } from '../scratch-file.ts'
import { collapseCommand } from './collapse-command.ts'

export interface RotationMethod {
  /** `collapse`: bytes are taken off its head. `stopped-copy`: its writers are stopped for some milliseconds. */
  readonly method: 'collapse' | 'stopped-copy'
  readonly why: string
  /** Of the file system, in bytes: what is taken off is a multiple of it. */
  readonly blockSize: number
}

/** A file system does not change; what is installed may. */
const ASKED_AGAIN_MS = 600_000
const known = new Map<number, { readonly found: RotationMethod; readonly at: number }>()

/**
 * Tries it on a scratch file, once for each file system.
 *
 * @throws the error of the file system when the folder is not there, or cannot be written to
 */
export function rotationMethod(folder: string): RotationMethod {
  const { dev } = statSync(folder)
  const before = known.get(dev)
  if (before && (before.found.method === 'collapse' || performance.now() - before.at < ASKED_AGAIN_MS)) {
    return before.found
  }
  const blockSize = statfsSync(folder).bsize
  const refusal = tryCollapse(folder, blockSize)
  const found: RotationMethod =
    refusal === null
      ? { method: 'collapse', why: 'its file system takes bytes off the head of a file', blockSize }
      : { method: 'stopped-copy', why: refusal, blockSize }
  known.set(dev, { found, at: performance.now() })
  return found
}

/** @returns why it does not work here; null: it does */
function tryCollapse(folder: string, blockSize: number): string | null {
  if (process.platform !== 'linux') return 'only Linux takes bytes off the head of a file'
  const fd = openScratch(folder)
  try {
    ftruncateSync(fd, 2 * blockSize + 1)
    const [file, ...args] = collapseCommand(blockSize)
    const { status, stderr, error } = spawnSync(file, args, { stdio: [fd, 'ignore', 'pipe'], encoding: 'utf8' })
    if (error) return 'the program fallocate (util-linux) was not found'
    const left = fstatSync(fd).size
    if (status === 0 && left === blockSize + 1 && readSync(fd, Buffer.alloc(1), 0, 1, 0) === 1) return null
    if (/unrecognized option|usage|invalid option/i.test(stderr)) return 'this fallocate has no --collapse-range'
    return `its file system does not take bytes off the head of a file (${stderr.trim().split(': ').at(-1) ?? status})`
  } finally {
    closeSync(fd)
  }
}
