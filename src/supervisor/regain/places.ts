import { readdirSync } from 'node:fs'
import type { Listen } from '../../model/spec.ts'
import { FIRST_LISTEN_FD, SYSTEMD_FIRST_FD } from '../environment.ts'
import type { InstanceRunner } from '../instance-runner.ts'
import { listenKey } from '../sockets.ts'
import { inodeOf, type SocketTable } from './socket-table.ts'
import type { Place } from './take.ts'

/**
 * A descriptor of the app's that is bound to an address.
 *
 * @param runners those that are to be asked first come first
 */
export function placeOf(listen: Listen, runners: readonly InstanceRunner[], table: SocketTable): Place | null {
  const inodes = new Set(table.listening(listen))
  if (inodes.size > 0) return find(runners, inodes)
  // Nobody accepts yet, and the kernel lists tcp sockets only from then on: it is where it was handed over.
  for (const { process, spec } of runners) {
    const index = spec.listen.findIndex((it) => listenKey(it) === listenKey(listen))
    if (process === null || index === -1) continue
    for (const fd of [FIRST_LISTEN_FD + index, SYSTEMD_FIRST_FD + index]) {
      if (inodeOf(`/proc/${process.pid}/fd/${fd}`) !== null) return { pid: process.pid, fd }
    }
  }
  return null
}

function find(runners: readonly InstanceRunner[], inodes: ReadonlySet<string>): Place | null {
  for (const { process } of runners) {
    const place = process && among([process.pid], inodes)
    if (place) return place
  }
  // A wrapper may have closed what it handed on.
  for (const { group } of runners) {
    const place = group && among(group.others(), inodes)
    if (place) return place
  }
  return null
}

function among(pids: readonly number[], inodes: ReadonlySet<string>): Place | null {
  for (const pid of pids) {
    for (const fd of descriptorsOf(pid)) {
      if (inodes.has(inodeOf(`/proc/${pid}/fd/${fd}`) ?? '')) return { pid, fd }
    }
  }
  return null
}

function descriptorsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map(Number)
  } catch {
    return []
  }
}
