import { readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { placeOf } from '../../supervisor/cgroup-place.ts'
import type { OpenFiles } from './open-files.ts'

/** What is used of something, and how much there may be; `most` is Infinity where it is not limited. */
export interface Use {
  readonly used: number
  readonly most: number
}

/** null everywhere: the system does not say. */
export interface LimitFacts {
  /** Open files of the daemon, or of this command, whose limit a daemon would get. */
  readonly files: { readonly used: number | null; readonly soft: number; readonly hard: number } | null
  /** Of the daemon's user. */
  readonly inotifyInstances: Use | null
  readonly inotifyWatches: Use | null
  /** Threads of the whole machine. */
  readonly threads: Use | null
  /** The nearest cgroup that limits them, and it. */
  readonly cgroupPids: (Use & { readonly path: string }) | null
  readonly somaxconn: number | null
  readonly memory: { readonly total: number; readonly available: number } | null
}

/** @param daemon its pid and open files; null: none runs */
export function lookAtLimits(
  daemon: { readonly pid: number; readonly uid: number; readonly openFiles: number | null } | null,
  { inotify }: OpenFiles,
): LimitFacts {
  const uid = daemon?.uid ?? process.geteuid?.() ?? 0
  const own = [...inotify].filter(([pid]) => ownerOf(pid) === uid).flatMap(([, watches]) => watches)
  return {
    files: filesOf(daemon),
    inotifyInstances: use(own.length, setting('fs/inotify/max_user_instances')),
    inotifyWatches: use(
      own.reduce((sum, watches) => sum + watches, 0),
      setting('fs/inotify/max_user_watches'),
    ),
    threads: threads(),
    cgroupPids: cgroupPids(daemon?.pid ?? null),
    somaxconn: setting('net/core/somaxconn'),
    memory: memory(),
  }
}

function filesOf(daemon: { readonly pid: number; readonly openFiles: number | null } | null): LimitFacts['files'] {
  const match = /^Max open files\s+(\S+)\s+(\S+)/m.exec(read(`/proc/${daemon?.pid ?? 'self'}/limits`) ?? '')
  if (match === null) return null
  const hard = numberOr(match[2], Number.POSITIVE_INFINITY)
  // Node raises the soft limit to the hard one when it starts.
  return { used: daemon?.openFiles ?? null, soft: numberOr(match[1], Number.POSITIVE_INFINITY), hard }
}

function threads(): Use | null {
  const used = Number(/\d+\/(\d+)/.exec(read('/proc/loadavg') ?? '')?.[1])
  const most = [setting('kernel/threads-max'), setting('kernel/pid_max')].flatMap((it) => it ?? [])
  return Number.isNaN(used) || most.length === 0 ? null : { used, most: Math.min(...most) }
}

/** Every cgroup above counts too; the nearest to full one is what stops us. */
function cgroupPids(daemon: number | null): LimitFacts['cgroupPids'] {
  const place = placeOf(read('/proc/self/mountinfo') ?? '', read(`/proc/${daemon ?? 'self'}/cgroup`) ?? '')
  let worst: LimitFacts['cgroupPids'] = null
  if (place.type === 'none') return null
  for (let dir = place.dir; dir !== dirname(dir); dir = dirname(dir)) {
    const most = Number(read(join(dir, 'pids.max'))?.trim())
    const used = Number(read(join(dir, 'pids.current'))?.trim())
    if (Number.isNaN(most) || Number.isNaN(used)) continue // `max`, or no such controller
    if (worst === null || used / most > worst.used / worst.most) worst = { path: dir, used, most }
  }
  return worst
}

function memory(): LimitFacts['memory'] {
  const text = read('/proc/meminfo') ?? ''
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024
  const [total, available] = [of('MemTotal'), of('MemAvailable')]
  return Number.isNaN(total) || Number.isNaN(available) ? null : { total, available }
}

function use(used: number, most: number | null): Use | null {
  return most === null ? null : { used, most }
}

function setting(name: string): number | null {
  const text = read(`/proc/sys/${name}`)
  return text === null ? null : Number(text.trim().split(/\s+/)[0])
}

function numberOr(text: string | undefined, otherwise: number): number {
  const number = Number(text)
  return Number.isNaN(number) ? otherwise : number
}

function ownerOf(pid: number): number | null {
  try {
    return statSync(`/proc/${pid}`).uid
  } catch {
    return null
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
