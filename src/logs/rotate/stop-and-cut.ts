import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { removeFile } from '../../state/atomic-file.ts'
import { type Ledger, type PendingRotation, readLedger, type StoppedProcess, writeLedger } from '../ledger.ts'
import { pause } from '../pause.ts'
import { createPlain, writeAt } from './plain-file.ts'
import { settled } from './settled.ts'
import { isStopped, letGoOn, startTimeOf, Writers } from './writers.ts'

/** The longest that they stand still for nothing: one that waits for a disk cannot be stopped before it has it. */
const STOP_MS = 500

/** What the file is to hold afterwards, while it may not: `saved` before it is cut, `done` once it holds it. */
export function savedTail(path: string, state: 'saved' | 'done'): string {
  return join(dirname(path), `.${basename(path)}.${state}`)
}

/** Of a rotation that is over: the next one must not take them for its own. */
export function removeSavedTails(path: string): void {
  const saved = savedTail(path, 'saved')
  for (const one of [`${saved}.tmp`, saved, savedTail(path, 'done')]) removeFile(one)
}

/**
 * Stops all that write to the file, takes the archived bytes off its head, and has them go on.
 *
 * @param daemon never stopped
 * @throws Error when it could not be done; then the file is as it was, and they go on
 */
export function stopAndCut(home: string, path: string, daemon: number): void {
  const ledger = readLedger(home, path)
  const { pending } = ledger
  if (pending?.method !== 'stopped-copy' || pending.helper?.pid !== process.pid) throw new Error('it is not asked for')
  const fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW)
  const stopped: StoppedProcess[] = []
  let length: number
  try {
    const { ino, dev } = fstatSync(fd)
    if (ino !== ledger.inode) throw new Error('somebody else has replaced it meanwhile')
    stopWriters(new Writers({ dev, ino }), stopped, daemon, (all) =>
      writeLedger(home, { ...ledger, pending: { ...pending, stopped: all } }),
    )
    length = cut(path, fd, ledger, pending)
  } finally {
    letGoOn(stopped)
    closeSync(fd)
  }
  writeLedger(home, settled(ledger, pending, length))
  removeFile(savedTail(path, 'done'))
}

/** @returns what is left in the file, in bytes */
function cut(path: string, fd: number, { base }: Ledger, { archive }: PendingRotation): number {
  const from = archive.end - base
  const { size } = fstatSync(fd)
  if (size < from) throw new Error('somebody else has cut it short meanwhile')
  const tail = Buffer.allocUnsafe(size - from)
  for (let done = 0; done < tail.length;) done += readSync(fd, tail, done, tail.length - done, from + done)
  const saved = savedTail(path, 'saved')
  const copy = createPlain(`${saved}.tmp`)
  try {
    writeFileSync(copy, tail)
  } catch (error) {
    removeFile(`${saved}.tmp`)
    throw error
  } finally {
    closeSync(copy)
  }
  renameSync(`${saved}.tmp`, saved)
  putTail(fd, tail)
  renameSync(saved, savedTail(path, 'done'))
  return tail.length
}

export function putTail(fd: number, tail: Buffer): void {
  ftruncateSync(fd, 0)
  writeAt(fd, tail, 0)
}

/** Until there is no other any more: one that forks meanwhile is found with its child. */
function stopWriters(
  writers: Writers,
  stopped: StoppedProcess[],
  daemon: number,
  note: (all: StoppedProcess[]) => void,
): void {
  const deadline = performance.now() + STOP_MS
  for (;;) {
    const found = writers.find().filter((pid) => pid !== daemon)
    if (found.length === 0) return
    const running = found.filter((pid) => !isStopped(pid))
    for (const pid of running) {
      const startTime = startTimeOf(pid)
      if (startTime !== null) stopped.push({ pid, startTime })
    }
    // Before the first stands still: whoever finds this process dead knows whom to let go on.
    note(stopped)
    for (const pid of running) stop(pid)
    while (!running.every(isStopped)) {
      if (performance.now() > deadline)
        throw new Error(`a process that writes to it could not be stopped within ${STOP_MS} ms`)
      pause(0.2)
    }
  }
}

function stop(pid: number): void {
  try {
    process.kill(pid, 'SIGSTOP')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return
    throw new Error(`process ${pid}, which writes to it, could not be stopped: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
