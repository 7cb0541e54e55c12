import { spawn } from 'node:child_process'
import { fstatSync, lstatSync, renameSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Rotation } from '../../model/spec.ts'
import { removeFile } from '../../state/atomic-file.ts'
import { archivePath } from '../by-address.ts'
import { isDone } from '../current-place.ts'
import type { FollowedFile } from '../followed-file.ts'
import { archiveName } from '../layout.ts'
import type { Archive, PendingRotation } from '../ledger.ts'
import { copyToArchive, unfinishedArchive } from './archive-copy.ts'
import { collapse, newMark, takeBack, takenBytes, writeFiller, writeMark } from './collapse.ts'
import type { Cut } from './cut.ts'
import { findCut } from './find-cut.ts'
import { openLogFile } from './log-handle.ts'
import { rotationMethod } from './method.ts'
import { recover } from './recover.ts'
import { removeSavedTails } from './stop-and-cut.ts'
import { startTimeOf } from './writers.ts'

export interface RotationOrder {
  readonly home: string
  /** The entry point of the process that stops writers (stopped-copy-main.ts). */
  readonly helper: string
  readonly policy: Rotation
  /** As much as possible, as an operator and an age ask for; else the last words stay in the file. */
  readonly all: boolean
}

export type Rotated =
  | {
      readonly type: 'rotated'
      readonly archive: Archive
      readonly method: PendingRotation['method']
      readonly isTorn: boolean
    }
  | { readonly type: 'empty' }
  /** It has lines of which none has ended. */
  | { readonly type: 'unfinished' }
  | { readonly type: 'refused'; readonly why: string }
  | { readonly type: 'failed'; readonly why: string; readonly isFull: boolean }

/** A line longer than so many files is cut in two: else it would fill the disk. */
const TORN_AT = 4

type Method = PendingRotation['method']

/** Moves what is in a log file to an archive beside it; never rejects. Nobody else may rotate the file meanwhile. */
export async function rotateFile(file: FollowedFile, order: RotationOrder): Promise<Rotated> {
  try {
    const method: Method = order.policy.method === 'copytruncate' ? 'copytruncate' : methodOf(file)
    const result = await rotateBy(method, file, order)
    // What the probe said holds for most files: not for one that a program has mapped, or that is no whole blocks.
    const isOther = method === 'collapse' && result.type === 'failed' && !result.isFull
    return isOther ? await rotateBy('stopped-copy', file, order) : result
  } catch (error) {
    return failed(error)
  }
}

function methodOf({ path }: FollowedFile): Method {
  return rotationMethod(dirname(path)).method
}

async function rotateBy(method: Method, file: FollowedFile, order: RotationOrder): Promise<Rotated> {
  const opened = await openLogFile(file.path)
  if (opened.type === 'missing') return { type: 'empty' }
  if (opened.type === 'refused') return opened
  // It boots while we copy.
  const helper = method === 'stopped-copy' ? new Helper(order.helper, order.home, file.path) : null
  try {
    file.look(Date.now())
    const { filler, base, size } = file.ledger
    if (size <= filler) return { type: 'empty' }
    const cut = await cutOf(method, opened.file, file, order)
    if (cut === null) return { type: 'unfinished' }
    await copyToArchive(file.path, opened.file, { start: filler, end: cut.end, uid: opened.uid, gid: opened.gid })
    const archive = archiveOf(file, base + filler, base + cut.end)
    const taken = method === 'collapse' ? cut.taken : cut.end
    const pending: PendingRotation = {
      method,
      archive,
      base: base + taken,
      filler: cut.end - taken,
      size,
      mark: method === 'collapse' && taken > 0 ? newMark() : '',
      isMarked: false,
      helper: helper?.process ?? null,
      stopped: [],
    }
    if (lstatSync(file.path).ino !== file.ledger.inode) throw new Error('somebody else has replaced it meanwhile')
    // One that was killed last of all left them.
    if (helper !== null) removeSavedTails(file.path)
    file.begin(pending)
    renameSync(unfinishedArchive(file.path), archivePath(file, archive))
    await carryOut(method, opened.file, file, helper)
    if (file.ledger.archives.at(-1)?.name === archive.name)
      return { type: 'rotated', archive, method, isTorn: cut.isTorn }
    return { type: 'failed', why: helper?.said ?? 'somebody else has changed it meanwhile', isFull: false }
  } catch (error) {
    if (file.ledger.pending !== null) file.replace(recover(order.home, file.ledger))
    return failed(error)
  } finally {
    helper?.dismiss()
    removeFile(unfinishedArchive(file.path))
    await opened.file.close().catch(() => {})
  }
}

async function cutOf(
  method: Method,
  handle: FileHandle,
  file: FollowedFile,
  { all, policy }: RotationOrder,
): Promise<Cut | null> {
  const { filler, size } = file.ledger
  if (method === 'copytruncate') return { end: size, taken: size, isTorn: false }
  const { blockSize } = rotationMethod(dirname(file.path))
  return findCut(handle, { filler, size, blockSize, all, mayTear: size - filler >= TORN_AT * policy.maxSizeBytes })
}

function archiveOf(file: FollowedFile, start: number, end: number): Archive {
  const { path, ledger } = file
  const last = ledger.archives.at(-1)
  let at = Date.now()
  // The clock may have been set back, or stand still for a millisecond.
  while (last !== undefined && archiveName(path, at, 'none') <= last.name.replace(/\.(gz|zst)$/, '')) at++
  const [firstAt, lastAt] = file.timesOf(start, end)
  return { name: archiveName(path, at, 'none'), start, end, firstAt, lastAt, bytes: end - start, compression: 'none' }
}

async function carryOut(method: Method, handle: FileHandle, file: FollowedFile, helper: Helper | null): Promise<void> {
  const { ledger } = file
  const { pending } = ledger
  if (pending === null) return
  if (method === 'copytruncate') {
    await handle.truncate(0)
    return file.settle()
  }
  if (helper !== null) {
    await helper.go()
    return file.reload()
  }
  const taken = takenBytes(ledger, pending)
  if (taken > 0) writeMark(handle.fd, pending)
  await file.noteDurably({ ...pending, isMarked: true })
  writeFiller(handle.fd, ledger, pending)
  const why = taken > 0 ? await collapse(handle.fd, taken) : null
  if (why === null) return file.settle()
  if (!isDone(file.path, { ...pending, isMarked: true })) {
    takeBack(handle.fd, ledger, pending)
    file.change({ pending: null })
    removeFile(archivePath(file, pending.archive))
    throw new Error(why)
  }
  // Whoever did it ended before it could say so.
  if (fstatSync(handle.fd).size >= ledger.size - taken) return file.settle()
  // Cut short by somebody else just now: what it was is in the archive.
  file.change({ archives: [...ledger.archives, pending.archive], pending: null })
}

function failed(error: unknown): Rotated {
  // Of another process there are only words.
  const { message } = error as Error
  return { type: 'failed', why: message, isFull: /ENOSPC|EDQUOT|no space left/i.test(message) }
}

/** The process that stops those who write. */
class Helper {
  readonly #child
  readonly #ended: Promise<number | string | null>
  said = ''

  constructor(entry: string, home: string, path: string) {
    // Of no group and no session of ours: what ends us does not end it.
    const child = spawn(process.execPath, [entry, home, path], { detached: true, stdio: ['pipe', 'ignore', 'pipe'] })
    this.#child = child
    child.stderr.on('data', (text) => (this.said += String(text)))
    child.stdin.on('error', () => {})
    this.#ended = new Promise((resolve) =>
      child.once('error', () => resolve(null)).once('close', (code, signal) => resolve(code ?? signal)),
    )
  }

  get process(): { pid: number; startTime: number } | null {
    const { pid } = this.#child
    const startTime = pid === undefined ? null : startTimeOf(pid)
    return pid === undefined || startTime === null ? null : { pid, startTime }
  }

  async go(): Promise<void> {
    this.#child.stdin.end('x')
    const code = await this.#ended
    if (code !== 0) throw new Error(this.said || `the process that stops those who write to it ended with ${code}`)
  }

  /** Before `go` it has done nothing, and does nothing. */
  dismiss(): void {
    this.#child.stdin.destroy()
  }
}
