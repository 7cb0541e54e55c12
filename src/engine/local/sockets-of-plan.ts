import { type ScopeId, scopeName } from '../../model/ids.ts'
import { asksForPorts } from '../../model/asks-for-ports.ts'
import type { PlannedChange } from '../../model/plan.ts'
import type { Listen } from '../../model/spec.ts'
import type { AppGroup } from '../../supervisor/app-group.ts'
import type { InstanceRunner } from '../../supervisor/instance-runner.ts'
import { forgetClosed } from '../../supervisor/learnt-ports.ts'
import { listenKey, type SocketRegister } from '../../supervisor/sockets.ts'
import { type GroupRegister, ownerName } from './group-register.ts'

/** Which app holds which socket, before, while and after a plan is carried out. */
export class SocketsOfPlan {
  readonly #sockets: SocketRegister
  readonly #groups: GroupRegister

  constructor(sockets: SocketRegister, groups: GroupRegister) {
    this.#sockets = sockets
    this.#groups = groups
  }

  /**
   * Binds what the plan needs.
   *
   * @throws EcoError GUARD when an address is taken; then every socket is where it was
   */
  acquire(scope: ScopeId, change: PlannedChange): void {
    const acquired: string[] = []
    const before: { readonly listen: Listen; readonly owner: string }[] = []
    const handedOver: { readonly listen: Listen; readonly from: string }[] = []
    try {
      for (const step of change.plan.steps) {
        const after = change.next[step.app]
        // What running instances hold can be bound only once they are gone.
        if (!after || step.action === 'stop' || this.#groups.of(scope).get(step.app)?.socketsLost) continue
        const owner = ownerName(scope, step.app)
        acquired.push(owner)
        for (const listen of after.spec.listen) {
          const from = this.#sockets.ownerOf(listen)
          if (from !== null && from !== owner && this.#givesUp(scope, change, from, listen)) {
            this.#sockets.handOver(listen, owner)
            handedOver.push({ listen, from })
          }
          const inForce = this.#sockets.inForce(listen)
          if (inForce) before.push({ listen: inForce, owner })
          this.#sockets.acquire(listen, owner)
        }
      }
    } catch (error) {
      for (const { listen, from } of handedOver) this.#sockets.handOver(listen, from)
      for (const { listen, owner } of before) this.#sockets.restore(listen, owner)
      for (const owner of acquired) this.keep(owner, [])
      throw error
    }
  }

  /** Gives back every socket of an app but these and those its instances use; they are as declared here from now on. */
  keep(owner: string, listens: readonly Listen[]): void {
    const kept = new Map<string, Listen>()
    for (const listen of [...listens, ...this.#inUse(owner)]) {
      if (!kept.has(listenKey(listen))) kept.set(listenKey(listen), listen)
    }
    for (const listen of kept.values()) this.#sockets.restore(listen, owner)
    this.#sockets.release(owner, [...kept.values()])
    this.#forgetClosed(owner)
  }

  /**
   * An address that only instances on their way out use, and none of those that stay: it closes with the last of them.
   * Held open by us, it would let clients wait for nobody, and reset them in the end.
   */
  closeAbandoned({ owner, runners }: AppGroup): void {
    const leaving = runners.filter(isLeaving)
    const staying = runners.filter((runner) => !isLeaving(runner))
    // Where none stay they may have successors yet: a restart, for which clients do wait.
    if (leaving.length === 0 || staying.length === 0) return
    for (const listen of leaving.flatMap(({ spec }) => spec.listen)) {
      if (!staying.some((runner) => needs(runner, listen))) this.#sockets.close(listen, owner)
    }
  }

  /** Gives back all of an app's sockets. */
  release(owner: string): void {
    this.#sockets.release(owner)
    this.#forgetClosed(owner)
  }

  /** Whether the plan takes an address away from the app that holds it now. */
  #givesUp(scope: ScopeId, change: PlannedChange, holder: string, listen: Listen): boolean {
    const prefix = `${scopeName(scope)}/`
    if (!holder.startsWith(prefix)) return false
    const app = holder.slice(prefix.length)
    const next = change.next[app]?.spec
    if (!next) return true
    // What it asked for it may ask for again: nobody has declared that it will not.
    const asked = asksForPorts(next) ? (this.#groups.of(scope).get(app)?.learnt ?? []) : []
    return ![...next.listen, ...asked].some((it) => listenKey(it) === listenKey(listen))
  }

  #forgetClosed(owner: string): void {
    for (const group of this.#groups.all()) if (group.owner === owner) forgetClosed(group, this.#sockets)
  }

  #inUse(owner: string): readonly Listen[] {
    for (const group of this.#groups.all()) {
      if (group.owner === owner) return group.runners.flatMap((runner) => runner.listens)
    }
    return []
  }
}

function needs(runner: InstanceRunner, listen: Listen): boolean {
  const key = listenKey(listen)
  if (runner.spec.listen.some((it) => listenKey(it) === key)) return true
  return asksForPorts(runner.spec) && runner.mayUse(listen)
}

function isLeaving({ instance: { wanted } }: InstanceRunner): boolean {
  return wanted === 'down'
}
