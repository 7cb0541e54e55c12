import type { ScopeId } from '../model/ids.ts'
import type { ObservedApp } from '../model/observed.ts'
import type { AppliedApp } from '../model/applied.ts'
import type { Listen } from '../model/spec.ts'
import { InstanceRunner } from './instance-runner.ts'
import type { RunnerHost } from './runner-host.ts'

/** The instances of one app. During a replacement a slot holds two: the old one and its successor. */
export class AppGroup {
  readonly scope: ScopeId
  readonly app: string
  readonly #host: RunnerHost
  /** The sockets of its adopted instances could not be taken back; until these are gone no other can serve the port. */
  socketsLost = false
  /** Resolves once it is known which sockets of its adopted instances there are; null: it is known. Never fails. */
  regaining: Promise<void> | null = null
  /** Ports that its instances were given on request, in the order of their coming. */
  learnt: readonly Listen[] = []
  #runners: InstanceRunner[] = []
  #nextUid = 1
  readonly #listeners = new Set<() => void>()

  constructor(scope: ScopeId, app: string, host: RunnerHost) {
    this.scope = scope
    this.app = app
    this.#host = host
  }

  get runners(): readonly InstanceRunner[] {
    return this.#runners
  }

  /** `scope/app`, by which the app owns sockets. */
  get owner(): string {
    return `${this.scope.project}/${this.scope.environment}/${this.app}`
  }

  /** A new instance, not started yet. */
  add(slot: number, applied: AppliedApp, uid = this.#nextUid): InstanceRunner {
    this.#nextUid = Math.max(this.#nextUid, uid) + 1
    const id = { scope: this.scope, app: this.app, slot, uid }
    const runner = new InstanceRunner(id, applied.version, applied.spec, this.#host)
    this.#runners.push(runner)
    runner.onChange(() => this.#tell())
    this.#runners.sort((a, b) => a.id.slot - b.id.slot || a.id.uid - b.id.uid)
    return runner
  }

  /** Forgets an instance whose process has ended. */
  drop(runner: InstanceRunner): void {
    runner.detach()
    this.#runners = this.#runners.filter((it) => it !== runner)
    if (!this.#runners.some((it) => it.process !== null)) this.socketsLost = false
    this.#host.removed(runner)
    this.#tell()
  }

  /** Told after every change of an instance. @returns a function that ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }

  /** The newest instance in a slot. */
  inSlot(slot: number): InstanceRunner | null {
    return this.#runners.findLast((runner) => runner.id.slot === slot) ?? null
  }

  observe(): ObservedApp {
    const instances = this.#runners.map((runner) => runner.observe())
    return this.socketsLost ? { instances, socketsLost: true } : { instances }
  }
}
