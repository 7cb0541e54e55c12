/**
 * Takes what has been archived off the head of a log file. Nobody who writes to it is held up for longer than the file
 * system needs. The order, and what a daemon that finds it half done makes of it: docs/adr/0025.
 */

import { spawn, spawnSync } from 'node:child_process'
import { closeSync, fstatSync, readSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import type { Ledger, PendingRotation } from '../ledger.ts'
import { archivePath } from '../by-address.ts'
import { pause } from '../pause.ts'
import { COLLAPSE_PROGRAM, collapseCommand } from './collapse-command.ts'
import { fillerOf } from './cut.ts'
import { openPlain, writeAt } from './plain-file.ts'
import { nameOf, Writers } from './writers.ts'

/** A file system that has to write first takes its time, and cannot be interrupted. */
const OTHERS_MS = 10_000

/** Never a line of an app. */
export function newMark(): string {
  return `eco rotates this file ${randomBytes(16).toString('hex')}\n`
}

export function takenBytes({ base }: Pick<Ledger, 'base'>, pending: PendingRotation): number {
  return pending.base - base
}

/** At the head, where everything is in the archive already. As long as it is there, nothing has been taken off. */
export function writeMark(fd: number, { mark }: PendingRotation): void {
  overwrite(fd, Buffer.from(mark), 0)
}

export function writeFiller(fd: number, ledger: Ledger, pending: PendingRotation): void {
  overwrite(fd, fillerOf(pending.filler, ledger.path, pending.base), takenBytes(ledger, pending))
}

/** @returns why it was not done; null: it was */
export function collapse(fd: number, length: number): Promise<string | null> {
  const [file, ...args] = collapseCommand(length)
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: [fd, 'ignore', 'pipe'] })
    let said = ''
    child.stderr?.on('data', (text) => (said += String(text)))
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) =>
      resolve(code === 0 ? null : said.trim() || `${file} ended with ${code ?? signal}`),
    )
  })
}

/** One that a daemon before has begun may still be at it: done twice, it would take what nobody has copied. */
export function endOthers(fd: number): void {
  const { dev, ino } = fstatSync(fd)
  const deadline = performance.now() + OTHERS_MS
  for (;;) {
    const found = new Writers({ dev, ino }).find().filter((pid) => nameOf(pid) === COLLAPSE_PROGRAM)
    if (found.length === 0 || performance.now() > deadline) return
    for (const pid of found) kill(pid)
    pause(2)
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

export function collapseNow(fd: number, length: number): string | null {
  const [file, ...args] = collapseCommand(length)
  const { status, stderr, error } = spawnSync(file, args, { stdio: [fd, 'ignore', 'pipe'], encoding: 'utf8' })
  return error ? error.message : status === 0 ? null : stderr.trim() || `${file} ended with ${status}`
}

/**
 * Puts back what the mark and the filler have overwritten.
 *
 * @param isFillerWritten perhaps
 */
export function takeBack(
  fd: number,
  ledger: Ledger,
  pending: PendingRotation,
  archive = archivePath(ledger, pending.archive),
): void {
  const copy = openPlain(archive)
  try {
    const restore = (from: number, to: number): void => {
      if (to <= from) return
      const bytes = Buffer.alloc(to - from)
      const length = readSync(copy, bytes, 0, bytes.length, from - ledger.filler)
      overwrite(fd, bytes.subarray(0, length), from)
    }
    const taken = takenBytes(ledger, pending)
    const end = taken + pending.filler
    const marked = Math.min(Buffer.byteLength(pending.mark), end)
    overwrite(fd, fillerOf(ledger.filler, ledger.path, ledger.base).subarray(0, marked), 0)
    restore(ledger.filler, Math.max(ledger.filler, marked))
    restore(Math.max(taken, ledger.filler), end)
  } finally {
    closeSync(copy)
  }
}

/** @throws the error of the file system; of a full disk too, which it cannot be for bytes that are there */
function overwrite(fd: number, bytes: Uint8Array, position: number): void {
  if (fstatSync(fd).size < position + bytes.length) throw new Error('somebody else has cut it short meanwhile')
  writeAt(fd, bytes, position)
}
