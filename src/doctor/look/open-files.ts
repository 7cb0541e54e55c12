import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { listPids } from '../../supervisor/proc.ts'

/** What the processes of this machine hold open, as far as this user may see it. */
export interface OpenFiles {
  /** Processes that hold a socket, by its inode. */
  readonly holders: ReadonlyMap<string, readonly number[]>
  /** Watches of each inotify instance, by the process that has it. */
  readonly inotify: ReadonlyMap<number, readonly number[]>
  /** Whose stdout or stderr is a file that was removed since. */
  readonly removedOutputs: ReadonlyMap<number, string>
}

const SOCKET = 'socket:['
const REMOVED = ' (deleted)'

/** One pass: on a machine with 300 processes some 10 ms. */
export function lookAtOpenFiles(): OpenFiles {
  const holders = new Map<string, number[]>()
  const inotify = new Map<number, number[]>()
  const removedOutputs = new Map<number, string>()
  for (const pid of listPids()) {
    for (const [fd, target] of linksOf(pid)) {
      if (target.startsWith(SOCKET)) {
        const inode = target.slice(SOCKET.length, -1)
        const known = holders.get(inode)
        if (known === undefined) holders.set(inode, [pid])
        else if (known.at(-1) !== pid) known.push(pid)
      } else if (target === 'anon_inode:inotify') {
        inotify.set(pid, [...(inotify.get(pid) ?? []), watchesOf(pid, fd)])
      } else if ((fd === '1' || fd === '2') && target.endsWith(REMOVED) && isFile(pid, fd)) {
        removedOutputs.set(pid, target.slice(0, -REMOVED.length))
      }
    }
  }
  return { holders, inotify, removedOutputs }
}

function linksOf(pid: number): [fd: string, target: string][] {
  const links: [string, string][] = []
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      try {
        links.push([fd, readlinkSync(`/proc/${pid}/fd/${fd}`)])
      } catch {
        // Closed meanwhile.
      }
    }
  } catch {
    // Gone, or somebody else's.
  }
  return links
}

/** A pipe that has lost its name, as those of `eco run`, loses nothing. */
function isFile(pid: number, fd: string): boolean {
  try {
    return statSync(`/proc/${pid}/fd/${fd}`).isFile()
  } catch {
    return false
  }
}

function watchesOf(pid: number, fd: string): number {
  try {
    return readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8').split('inotify wd:').length - 1
  } catch {
    return 0
  }
}
