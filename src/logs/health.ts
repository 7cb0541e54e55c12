/** What becomes of output: whether there is room for it, and whether it goes where its path says. Pure. */

import { basename } from 'node:path'

/** Of a file system, for those who write there. */
export interface Room {
  readonly freeBytes: number
  readonly totalBytes: number
}

/** As near to its end as to make no difference: a busy app writes that within a second. */
const FULL_BYTES = 2 ** 20
/** Of a small file system. */
const FULL_SHARE = 0.01
/** Somebody made room, and not only a few bytes came and went. */
const ROOMY_FACTOR = 4

/** @param wasFull it was so the last time: an episode ends with some room to spare, not with the first free block */
export function isFull({ freeBytes, totalBytes }: Room, wasFull: boolean): boolean {
  const least = Math.min(FULL_BYTES, totalBytes * FULL_SHARE)
  return freeBytes < least * (wasFull ? ROOMY_FACTOR : 1)
}

/** A file as the kernel knows it: `dev:ino`. */
export type FileIdentity = string

/** What stands at the path of a log. */
export type AtPath =
  | { readonly type: 'file'; readonly identity: FileIdentity }
  | { readonly type: 'symlink'; readonly target: string }
  | { readonly type: 'missing' | 'other' }

/** What a process has open as its output. */
export interface Held {
  readonly identity: FileIdentity
  /** Of the link in /proc: its path now, ` (deleted)` behind it when it has none. */
  readonly link: string
}

/** Why a process does not write into the file at the path of its log. */
export type Loss =
  | { readonly type: 'removed'; readonly isReplaced: boolean }
  | { readonly type: 'moved'; readonly to: string }
  | { readonly type: 'symlink'; readonly target: string }

const DELETED = ' (deleted)'

/**
 * @param held null: not a file, or it cannot be seen
 * @param wasRight it was seen to write into the file at the path
 * @returns null: all is well, or the app itself has redirected its output
 */
export function judgeFile(path: string, at: AtPath, held: Held | null, wasRight: boolean): Loss | null {
  if (held === null) return null
  if (at.type === 'file' && at.identity === held.identity) return null
  const isDeleted = held.link.endsWith(DELETED)
  const now = isDeleted ? held.link.slice(0, -DELETED.length) : held.link
  // By its folder it is not known: the kernel tells that without the symlinks in its path.
  if (!wasRight && !basename(now).startsWith(basename(path))) return null
  if (at.type === 'symlink') return { type: 'symlink', target: at.target }
  return isDeleted ? { type: 'removed', isReplaced: at.type !== 'missing' } : { type: 'moved', to: now }
}

/** What an operator is told of it, without a subject. @param reload the command that opens the file anew */
export function lossText(path: string, loss: Loss, reload: string): string {
  const keeps = 'and it goes on writing there'
  const anew = `${reload} opens a new one`
  switch (loss.type) {
    case 'removed':
      return loss.isReplaced
        ? `its log file ${path} was removed, and another one is in its place: what it writes goes into the removed file, and is gone when it ends; ${anew}`
        : `its log file ${path} was removed: what it writes goes into the removed file, which eco logs shows until it ends; ${anew}`
    case 'moved':
      return `its log file ${path} was moved to ${loss.to}, ${keeps}; ${anew} (eco rotates by itself: eco explain logs)`
    case 'symlink':
      return `its log file ${path} was replaced by a symlink to ${loss.target}, which eco never writes through: its next start is refused; rm ${path}, then ${anew}`
  }
}
