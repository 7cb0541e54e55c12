/**
 * One cgroup (v2) for each instance, where the kernel and our rights allow it: from it no process escapes by a new
 * session or by losing its parents. Synchronous: a write to cgroupfs costs some 0.1 ms.
 *
 *   the daemon's own cgroup, or the parent of its leaf `supervisor`     base
 *   ├── supervisor                     the daemon, where it has the base for itself (and so may enable controllers)
 *   └── eco-3f9a00112233               tree: one for each ECO_HOME
 *       └── shop:production:api:0:7:1  one for each run of an instance
 */

import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { parseOwnCgroup, placeOf } from './cgroup-place.ts'

/** Why there are no cgroups is a sentence for `eco doctor`. */
export type CgroupSupport =
  | { readonly tree: CgroupTree; readonly reason: null }
  | { readonly tree: null; readonly reason: string }

const LEAF = 'supervisor'
const TREE = /^eco-[0-9a-f]{12}$/

/**
 * Looks where instances of this ECO_HOME can have cgroups, and tries it out. Where the daemon is alone in a cgroup that
 * has controllers to give, it moves into a leaf: a cgroup may have processes or give controllers, not both.
 */
export function findCgroups(home: string): CgroupSupport {
  const mountinfo = readText('/proc/self/mountinfo')
  const own = readText('/proc/self/cgroup')
  if (mountinfo === null || own === null) return { tree: null, reason: 'this system has no cgroups' }
  const place = placeOf(mountinfo, own)
  if (place.type === 'none') return { tree: null, reason: place.reason }
  const base = baseOf(place.dir)
  const reason = whyNotWritable(base)
  if (reason !== null) return { tree: null, reason }
  leaveTree(place.dir, base)
  makeRoom(base)
  return { tree: new CgroupTree(base, homeDigest(home)), reason: null }
}

/** Names an ECO_HOME in the names of cgroups and in the environment of processes. 12 hex digits. */
export function homeDigest(home: string): string {
  let real = home
  try {
    real = realpathSync(home)
  } catch {
    // Not there yet: its name has to do.
  }
  return createHash('sha256').update(real).digest('hex').slice(0, 12)
}

/** The cgroups of one ECO_HOME. */
export class CgroupTree {
  readonly path: string
  /** Those that `enable` can give to instances: `memory`, `cpu`, `pids` … */
  readonly controllers: ReadonlySet<string>
  readonly #base: string
  readonly #enabled = new Set<string>()

  constructor(base: string, digest: string) {
    this.#base = base
    this.path = join(base, `eco-${digest}`)
    this.controllers = new Set(grantable(base))
  }

  /**
   * Makes a cgroup. A name says what it is for; one that exists (an incarnation that was never cleaned up) is used when
   * nothing lives in it.
   *
   * @throws Error when the kernel refuses, or when processes live in a cgroup of this name
   */
  create(name: string): Cgroup {
    const cgroup = this.#at(name)
    try {
      mkdirSync(cgroup.path)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EEXIST') {
        if (cgroup.isPopulated()) throw new Error(`the cgroup ${cgroup.path} is in use`, { cause: error })
      } else if (code === 'ENOENT') {
        mkdirSync(cgroup.path, { recursive: true })
        for (const controller of this.#enabled) this.#switchOn(controller)
      } else throw error
    }
    return cgroup
  }

  /** Gives the cgroups of instances a controller (its files appear in all of them). @returns whether it is there now */
  enable(controller: string): boolean {
    if (this.#enabled.has(controller)) return true
    if (!this.controllers.has(controller)) return false
    try {
      mkdirSync(this.path, { recursive: true })
      this.#switchOn(controller)
    } catch {
      return false
    }
    this.#enabled.add(controller)
    return true
  }

  /** Every cgroup that is there, those of earlier daemons included. */
  list(): Cgroup[] {
    return childrenOf(this.path).map((path) => new Cgroup(path))
  }

  /** The one of this name; null: there is none. */
  find(name: string): Cgroup | null {
    const cgroup = this.#at(name)
    return existsSync(cgroup.path) ? cgroup : null
  }

  /** Leaves nothing behind when nothing is in it. */
  close(): void {
    tryRemove(this.path)
  }

  #at(name: string): Cgroup {
    return new Cgroup(join(this.path, name.replace(/[^A-Za-z0-9._:-]/g, '_').slice(0, 255)))
  }

  #switchOn(controller: string): void {
    writeFileSync(join(this.#base, 'cgroup.subtree_control'), `+${controller}`)
    writeFileSync(join(this.path, 'cgroup.subtree_control'), `+${controller}`)
  }
}

/** One cgroup; everything asked of it includes the cgroups below it. */
export class Cgroup {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  get name(): string {
    return basename(this.path)
  }

  /** Moves a process in; what it forks from now on is born here. @throws Error */
  add(pid: number): void {
    this.write('cgroup.procs', String(pid))
  }

  /** The same, without making the daemon wait: after a pause the kernel takes 5 to 20 ms for it. */
  async join(pid: number): Promise<void> {
    await writeFile(join(this.path, 'cgroup.procs'), String(pid))
  }

  /** Whether a process is in this very cgroup. */
  holds(pid: number): boolean {
    const own = parseOwnCgroup(readText(`/proc/${pid}/cgroup`) ?? '')
    // Paths may begin differently inside a container, and a tree is named by its ECO_HOME.
    return own?.endsWith(`/${basename(dirname(this.path))}/${this.name}`) ?? false
  }

  /** SIGKILL for every process at once: none can fork its way out. Nothing happens when it is gone. */
  kill(): void {
    try {
      this.write('cgroup.kill', '1')
    } catch {
      this.signal('SIGKILL') // Linux before 5.14
    }
  }

  /** To every member. Those that end meanwhile are passed over. */
  signal(signal: NodeJS.Signals): void {
    for (const pid of this.members()) {
      try {
        process.kill(pid, signal)
      } catch {
        // Ended meanwhile.
      }
    }
  }

  /** Pids of its processes; none when it is gone. Zombies are not listed. */
  members(): number[] {
    const text = readText(join(this.path, 'cgroup.procs'))
    if (text === null && !existsSync(this.path)) return []
    const own = (text ?? '').split('\n').map(Number)
    // 0 stands for a process of another pid namespace.
    return [...own, ...childrenOf(this.path).flatMap((path) => new Cgroup(path).members())].filter((pid) => pid > 0)
  }

  /** Whether any process lives in it, or below. */
  isPopulated(): boolean {
    return readText(join(this.path, 'cgroup.events'))?.includes('populated 1') ?? false
  }

  /** Lets processes run on that somebody froze: until then no signal but SIGKILL reaches them. */
  thaw(): void {
    if (!readText(join(this.path, 'cgroup.events'))?.includes('frozen 1')) return
    try {
      this.write('cgroup.freeze', '0')
    } catch {
      // SIGKILL gets through all the same.
    }
  }

  /** The text of one of its files (`memory.current`, say), without the newline; null when there is none. */
  read(file: string): string | null {
    return readText(join(this.path, file))?.trimEnd() ?? null
  }

  /** @throws Error when the file is not there (its controller is not enabled) or does not take the value */
  write(file: string, value: string): void {
    writeFileSync(join(this.path, file), value)
  }

  /** @returns false while something lives in it */
  remove(): boolean {
    return tryRemove(this.path)
  }
}

/**
 * Where our cgroups go: beside the leaf we are in, or into our own. A daemon started from within an instance of an eco
 * (a deploy script, say) must not end with that instance.
 */
function baseOf(own: string): string {
  const parts = own.split('/')
  const tree = parts.findIndex((part) => TREE.test(part))
  if (tree > 0) return baseOf(parts.slice(0, tree).join('/') || '/')
  return basename(own) === LEAF && whyNotWritable(dirname(own)) === null ? dirname(own) : own
}

/** A process may be moved by those who may write to the cgroup.procs of the target and of the common ancestor. */
function whyNotWritable(base: string): string | null {
  try {
    accessSync(join(base, 'cgroup.procs'), constants.W_OK)
    const probe = join(base, `eco-probe-${process.pid}`)
    mkdirSync(probe)
    try {
      accessSync(join(probe, 'cgroup.procs'), constants.W_OK)
    } finally {
      rmdirSync(probe)
    }
    return null
  } catch (error) {
    return `${base} cannot be written to (${(error as NodeJS.ErrnoException).code ?? 'EIO'})`
  }
}

/** Out of the cgroup of the instance that started us. */
function leaveTree(own: string, base: string): void {
  const below = own.slice(base.length).split('/')
  if (below.some((part) => TREE.test(part))) moveToLeaf(base)
}

/**
 * Only where we are alone: the processes of others are not ours to move. The root of all may have both. Not where systemd
 * has put us: into a cgroup that gives controllers it could not put our successor, beside apps that live on. It puts us
 * into the leaf itself where it can (DelegateSubgroup).
 */
function makeRoom(base: string): void {
  if (process.env['SYSTEMD_EXEC_PID'] === String(process.pid)) return
  if (isRoot(base) || words(base, 'cgroup.controllers').length === 0) return
  if (words(base, 'cgroup.procs').join() === String(process.pid)) moveToLeaf(base)
}

function moveToLeaf(base: string): void {
  // The root of all may have processes beside cgroups, and is always there.
  const leaf = isRoot(base) ? base : join(base, LEAF)
  try {
    mkdirSync(leaf, { recursive: true })
    writeFileSync(join(leaf, 'cgroup.procs'), String(process.pid))
  } catch {
    // Then it stays where it is: without controllers, or to end with the instance that started it.
  }
}

/** Controllers that cgroups below can get. */
function grantable(base: string): string[] {
  const isFree = isRoot(base) || words(base, 'cgroup.procs').length === 0
  return words(base, isFree ? 'cgroup.controllers' : 'cgroup.subtree_control')
}

function isRoot(dir: string): boolean {
  return !existsSync(join(dir, 'cgroup.events'))
}

function words(dir: string, file: string): string[] {
  return (readText(join(dir, file)) ?? '').split(/\s+/).filter(Boolean)
}

function childrenOf(dir: string): string[] {
  try {
    if (statSync(dir).nlink === 2) return [] // `.` and the name itself: no folder below, and nothing to list
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(dir, entry.name))
  } catch {
    return []
  }
}

function tryRemove(dir: string): boolean {
  for (const child of childrenOf(dir)) tryRemove(child)
  try {
    rmdirSync(dir)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
