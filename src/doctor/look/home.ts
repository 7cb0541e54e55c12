import { accessSync, constants, lstatSync, readdirSync, statfsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { socketPath } from '../../state/paths.ts'

export interface HomeEntry {
  /** Relative to ECO_HOME. */
  readonly path: string
  readonly type: 'file' | 'folder' | 'socket' | 'other'
  readonly uid: number
  /** Permission bits: 0o600. */
  readonly mode: number
  readonly bytes: number
  readonly modifiedAt: number
}

export interface FileSystem {
  /** Magic number of statfs(2). */
  readonly type: number
  readonly freeBytes: number
  readonly totalBytes: number
  readonly freeInodes: number
  /** 0: the file system has no such limit. */
  readonly totalInodes: number
}

/** What ECO_HOME is, and all that lies in it. */
export interface HomeFacts {
  readonly path: string
  readonly me: number
  readonly folder: 'there' | 'missing' | 'not a folder' | 'closed'
  readonly uid: number
  readonly mode: number
  /** Why nothing can be written there, an error code; null: it can. */
  readonly unwritable: string | null
  readonly socketPath: string
  /** Of that path, the longest one that a socket can have. */
  readonly maxSocketPath: number
  /** Of ECO_HOME, or of where it would be made; null where that is not known. */
  readonly fileSystem: FileSystem | null
  readonly entries: readonly HomeEntry[]
}

export function lookAtHome(home: string): HomeFacts {
  const base = {
    path: home,
    me: process.geteuid?.() ?? 0,
    socketPath: socketPath(home),
    maxSocketPath: process.platform === 'linux' ? 107 : 103,
    fileSystem: fileSystemOf(home),
    entries: [],
  }
  try {
    const { uid, mode } = statSync(home)
    const about = { ...base, uid, mode: mode & 0o777 }
    if (!statSync(home).isDirectory()) return { ...about, folder: 'not a folder', unwritable: null }
    return { ...about, folder: 'there', unwritable: whyUnwritable(home), entries: [...entriesBelow(home, '')] }
  } catch (error) {
    const folder = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : 'closed'
    return { ...base, folder, uid: base.me, mode: 0o700, unwritable: whyUnwritable(firstThere(home)) }
  }
}

function whyUnwritable(folder: string): string | null {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return null
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'EIO'
  }
}

/** The path, or the nearest one above it that is there. */
export function firstThere(path: string): string {
  for (let at = path; ; at = dirname(at)) {
    try {
      statSync(at)
      return at
    } catch {
      if (at === dirname(at)) return at
    }
  }
}

export function fileSystemOf(home: string): FileSystem | null {
  try {
    const { type, bsize, bavail, bfree, blocks, ffree, files } = statfsSync(firstThere(home))
    // What is set aside for root counts for root.
    const free = process.geteuid?.() === 0 ? bfree : bavail
    return {
      type,
      freeBytes: free * bsize,
      totalBytes: blocks * bsize,
      freeInodes: ffree,
      totalInodes: files,
    }
  } catch {
    return null
  }
}

function* entriesBelow(home: string, folder: string): Generator<HomeEntry> {
  let names: string[]
  try {
    names = readdirSync(join(home, folder)).sort()
  } catch {
    return // its mode is told of
  }
  for (const name of names) {
    const path = join(folder, name)
    try {
      const stat = lstatSync(join(home, path))
      const type = stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : stat.isSocket() ? 'socket' : 'other'
      yield { path, type, uid: stat.uid, mode: stat.mode & 0o777, bytes: stat.size, modifiedAt: stat.mtimeMs }
      if (type === 'folder') yield* entriesBelow(home, path)
    } catch {
      // Gone meanwhile.
    }
  }
}
