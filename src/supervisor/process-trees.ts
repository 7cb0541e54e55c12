import { Cgroup, type CgroupTree, findCgroups, homeDigest } from './cgroup.ts'
import { enclose } from './enclose.ts'
import { Group, type Nest } from './group.ts'
import { identify, type ProcIdentity } from './proc.ts'
import { newRunName, type Run, RUN_VARIABLE } from './run-name.ts'
import { SessionSweep } from './session-sweep.ts'

/** Keeps the process trees of all instances of one ECO_HOME apart from each other and from strangers. */
export class ProcessTrees {
  readonly sweep: SessionSweep
  /** null: there can be none, and `noCgroups` says why. */
  readonly cgroups: CgroupTree | null
  readonly noCgroups: string | null
  readonly #digest: string

  constructor(home: string) {
    this.#digest = homeDigest(home)
    this.sweep = new SessionSweep(this.#digest)
    const support = findCgroups(home)
    this.cgroups = support.tree
    this.noCgroups = support.reason
  }

  /** Before a spawn: a name for the run, and a cgroup where there can be one. */
  begin(run: Run): Nest {
    const name = newRunName(run)
    return { run: name, cgroup: this.#createCgroup(name), isEnclosed: false }
  }

  /** The spawn failed. */
  abandon({ cgroup }: Nest): void {
    if (cgroup !== null) new Cgroup(cgroup).remove()
  }

  /** What a process to be spawned, and all it starts, have in their environment. */
  environment({ run }: Nest): Record<string, string> {
    return { [RUN_VARIABLE]: `${this.#digest}/${run}` }
  }

  /** The group of a child that was just spawned. */
  ofChild(pid: number, nest: Nest): Group {
    const group = new Group(identify(pid) ?? { pid, startTime: 0, bootId: '' }, nest, this.sweep)
    if (group.cgroup) group.enclosing = enclose(group, pid, `${RUN_VARIABLE}=${this.#digest}/`)
    return group
  }

  /** The group of a process that an earlier daemon started; `nest` is null when an older eco did. */
  ofAdopted(process: ProcIdentity, nest: Nest | null): Group {
    const run = nest?.run ?? ''
    // A path out of a file must lead to a cgroup of ours.
    const cgroup = nest?.cgroup?.endsWith(`/eco-${this.#digest}/${run}`) ? nest.cgroup : null
    return new Group(process, { run, cgroup, isEnclosed: nest?.isEnclosed ?? false }, this.sweep)
  }

  /**
   * For processes that were moved to where this daemon's own are: a cgroup here, as those of a new run get.
   *
   * @returns what tells them from others now; what they fork meanwhile may be outside
   */
  rehome({ run }: Nest, pids: readonly number[]): Nest {
    const cgroup = this.cgroups?.find(run)?.path ?? this.#createCgroup(run)
    for (const pid of cgroup === null ? [] : pids) {
      try {
        new Cgroup(cgroup ?? '').add(pid)
      } catch {
        // Ended meanwhile.
      }
    }
    return { run, cgroup, isEnclosed: false }
  }

  /** Removes the cgroups of runs that are over. */
  removeEmptyCgroups(): void {
    for (const cgroup of this.cgroups?.list() ?? []) cgroup.remove()
  }

  /** Before the daemon ends. */
  close(): void {
    this.removeEmptyCgroups()
    this.cgroups?.close()
  }

  #createCgroup(name: string): string | null {
    try {
      return this.cgroups?.create(name).path ?? null
    } catch {
      return null // its name in the environment has to do
    }
  }
}
