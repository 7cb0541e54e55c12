import { lstatSync, readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { Listen } from '../../model/spec.ts'
import { commandOf } from '../../supervisor/proc.ts'
import type { AppliedOne } from '../applied-apps.ts'
import type { Listener } from './listeners.ts'

/** As a daemon binds it, before it becomes eco.sock. */
const DOOR = /^\.sock\.\d+$/

/** A process that listens, and is none of ours. */
export interface Stranger {
  /** null: of another user, so it cannot be seen. */
  readonly pid: number | null
  readonly command: string | null
  /** Of the eco that runs it, where it is of one; null: of none. */
  readonly home: string | null
}

export interface AddressFacts {
  readonly app: AppliedOne
  readonly listen: Listen
  /** An instance, or the daemon, has it. */
  readonly isServed: boolean
  /** Who listens there too, or instead. */
  readonly strangers: readonly Stranger[]
  /** Of a unix socket, what is at its path. */
  readonly file: 'socket' | 'nothing' | 'no socket' | null
  /** Only root may bind it, or who was given the right to. */
  readonly isPrivileged: boolean
}

/**
 * @param ours every process of this ECO_HOME
 * @param daemon it holds the sockets too
 * @param isDaemonOpen its files can be looked at; when not, what nobody seems to hold may well be its own
 */
export function lookAtPorts(
  apps: readonly AppliedOne[],
  listeners: readonly Listener[],
  ours: ReadonlySet<number>,
  daemon: number | null,
  isDaemonOpen: boolean,
): AddressFacts[] {
  const isOurs = (pid: number): boolean => pid === daemon || ours.has(pid)
  const isHidden = (pids: readonly number[]): boolean => !isDaemonOpen && pids.length === 0
  return apps.flatMap((app) =>
    app.listens.map((listen): AddressFacts => {
      const there = listeners.filter(({ port, path }) =>
        listen.type === 'tcp' ? port === listen.port : path === listen.path,
      )
      return {
        app,
        listen,
        isServed: there.some(({ pids }) => pids.some(isOurs) || isHidden(pids)),
        strangers: there.flatMap(({ pids }): Stranger[] => {
          if (pids.some(isOurs) || isHidden(pids)) return []
          const [pid] = pids
          if (pid === undefined) return [{ pid: null, command: null, home: null }]
          return [{ pid, command: commandOf(pid), home: homeOf(pids, listeners) }]
        }),
        file: listen.type === 'unix' ? fileAt(listen.path) : null,
        isPrivileged: listen.type === 'tcp' && listen.port < firstFreePort() && !mayBindAny(daemon),
      }
    }),
  )
}

/** A daemon of another ECO_HOME is found by its own socket. It has the sockets of its apps, and whoever kills it frees none. */
function homeOf(pids: readonly number[], listeners: readonly Listener[]): string | null {
  const isDoor = ({ path, pids: them }: Listener): boolean =>
    DOOR.test(basename(path)) && them.some((pid) => pids.includes(pid))
  const door = listeners.find(isDoor)
  return door === undefined ? null : dirname(door.path)
}

function fileAt(path: string): AddressFacts['file'] {
  try {
    return lstatSync(path).isSocket() ? 'socket' : 'no socket'
  } catch {
    return 'nothing'
  }
}

function firstFreePort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))
  } catch {
    return 1024
  }
}

const CAP_NET_BIND_SERVICE = 10n

/** Of the daemon, or of this command, which would start one. */
function mayBindAny(daemon: number | null): boolean {
  try {
    const status = readFileSync(`/proc/${daemon ?? 'self'}/status`, 'utf8')
    const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1]
    return mask === undefined || ((BigInt(`0x${mask}`) >> CAP_NET_BIND_SERVICE) & 1n) === 1n
  } catch {
    return process.geteuid?.() === 0
  }
}
