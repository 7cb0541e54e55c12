/** Which process holds how many accepted connections of a port, by /proc. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { pids } from './proc.mjs'

const ESTABLISHED = '01'
/** What has been closed by the client, and may hold a request that has not been answered. */
const CLOSE_WAIT = '08'

/** @returns {Map<number, number>} connections by pid */
export function acceptedBy(port) {
  const inodes = serverSockets(port)
  const counts = new Map()
  for (const pid of pids()) {
    const held = socketsOf(pid).filter((inode) => inodes.has(inode)).length
    if (held > 0) counts.set(pid, held)
  }
  return counts
}

/** The server's ends. One that waits in the queue of a listening socket has no file, and so the inode 0. */
function serverSockets(port) {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = ['tcp', 'tcp6'].flatMap((file) => readFileSync(`/proc/net/${file}`, 'utf8').split('\n').slice(1))
  return new Set(
    lines
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => local?.endsWith(wanted) && (state === ESTABLISHED || state === CLOSE_WAIT))
      .map((fields) => fields[9])
      .filter((inode) => inode !== '0'),
  )
}

function socketsOf(pid) {
  try {
    const folder = `/proc/${pid}/fd`
    return readdirSync(folder).flatMap((fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`${folder}/${fd}`))?.[1] ?? [])
  } catch {
    return []
  }
}

function linkOf(path) {
  try {
    return readlinkSync(path)
  } catch {
    return '' // closed meanwhile
  }
}
