import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { placeOf } from '../../supervisor/cgroup-place.ts'
import { homeDigest } from '../../supervisor/cgroup.ts'

export interface CgroupFacts {
  /** Why apps get no cgroups; null: they can have them. */
  readonly reason: string | null
  /** Where they are, or would be; null: nowhere. */
  readonly base: string | null
  /** What an app can get: memory, cpu, pids … */
  readonly controllers: readonly string[]
  /** Cgroups of runs of this ECO_HOME, and how many of them are empty. */
  readonly runs: number
  readonly empty: number
}

/**
 * What the daemon finds when it looks (supervisor/cgroup.ts), without trying it out by making one.
 *
 * @param daemon whose cgroup counts; null: that of this command, from which a daemon would be started
 */
export function lookAtCgroups(home: string, daemon: number | null): CgroupFacts {
  const none = { base: null, controllers: [], runs: 0, empty: 0 }
  const [mountinfo, own] = [read('/proc/self/mountinfo'), read(`/proc/${daemon ?? 'self'}/cgroup`)]
  if (mountinfo === null || own === null) return { ...none, reason: 'this system has no cgroups' }
  const place = placeOf(mountinfo, own)
  if (place.type === 'none') return { ...none, reason: place.reason }
  const base = baseOf(place.dir)
  const tree = join(base, `eco-${homeDigest(home)}`)
  const runs = foldersIn(tree)
  const empty = runs.filter((name) => !read(join(tree, name, 'cgroup.events'))?.includes('populated 1')).length
  return { reason: whyNotWritable(base), base, controllers: controllersOf(base), runs: runs.length, empty }
}

const LEAF = 'supervisor'

function baseOf(own: string): string {
  const parts = own.split('/')
  const tree = parts.findIndex((part) => /^eco-[0-9a-f]{12}$/.test(part))
  if (tree > 0) return baseOf(parts.slice(0, tree).join('/') || '/')
  return basename(own) === LEAF && whyNotWritable(dirname(own)) === null ? dirname(own) : own
}

function whyNotWritable(base: string): string | null {
  try {
    accessSync(base, constants.W_OK | constants.X_OK)
    accessSync(join(base, 'cgroup.procs'), constants.W_OK)
    return null
  } catch (error) {
    return `${base} cannot be written to (${(error as NodeJS.ErrnoException).code ?? 'EIO'})`
  }
}

function controllersOf(base: string): string[] {
  const words = (file: string): string[] => (read(join(base, file)) ?? '').split(/\s+/).filter(Boolean)
  const isRoot = !existsSync(join(base, 'cgroup.events'))
  // A cgroup has processes of its own, or controllers to give; alone in it, the daemon moves aside.
  const isFree = isRoot || words('cgroup.procs').length <= 1
  return words(isFree ? 'cgroup.controllers' : 'cgroup.subtree_control')
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  } catch {
    return []
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
