/** The service by which the machine starts this daemon at boot, as `eco startup` wrote it. */

import { ASKED_TO_END } from '../startup/service.ts'
import type { OwnUnit } from './move-in.ts'
import { SdNotify } from './sd-notify.ts'

const STATUS_MS = 5000
/** How much longer systemd is to wait for the apps to stop, each time it is asked. */
const EXTENSION_MS = 30_000

export class OwnService {
  /** `eco.service`. */
  readonly name: string
  /** `system` or `user`. */
  readonly scope: string
  readonly #notify: SdNotify | null
  #last = ''

  /** @returns null: somebody's shell started this daemon, or a command of eco did */
  static ofEnvironment(env: NodeJS.ProcessEnv, install: string): OwnService | null {
    const notify = SdNotify.open(env, install)
    const { ECO_UNIT: unit } = env
    const [scope, name] = unit?.split('/') ?? []
    return scope && name ? new OwnService(scope, name, notify) : null
  }

  private constructor(scope: string, name: string, notify: SdNotify | null) {
    this.scope = scope
    this.name = name
    this.#notify = notify
  }

  /** As systemd knows it; null: another init system keeps this daemon. */
  get ownUnit(): OwnUnit | null {
    return this.#isSystemd ? { name: this.name, isOfUser: this.scope === 'user' } : null
  }

  get #isSystemd(): boolean {
    return this.name.endsWith('.service')
  }

  /** What the daemon ends with when `eco daemon stop` asks: other init systems know no code that means it. */
  get askedCode(): number {
    return this.#isSystemd ? ASKED_TO_END : 0
  }

  /** What a successor of this daemon needs in its environment to take its place in the unit. */
  get successorEnvironment(): Readonly<Record<string, string>> {
    return { ECO_UNIT: `${this.scope}/${this.name}`, ...this.#notify?.successorEnvironment }
  }

  /** That process takes our place in the unit. */
  async handOver(pid: number): Promise<void> {
    await this.#notify?.handOver(pid)
  }

  /** All is adopted and the control socket answers. From now on the loop must show that it turns. */
  ready(status: () => string): void {
    const notify = this.#notify
    if (!notify) return
    this.#last = status()
    void notify.tell({ READY: 1, STATUS: this.#last })
    if (notify.watchdogMs !== null) {
      setInterval(() => void notify.tell({ WATCHDOG: 1 }), notify.watchdogMs / 2)
    }
    setInterval(() => {
      const text = status()
      if (text === this.#last) return
      this.#last = text
      void notify.tell({ STATUS: text })
    }, STATUS_MS).unref()
  }

  /** Whoever asks next is told that we are on our way. */
  async stopping(): Promise<void> {
    await this.#notify?.tell({ STOPPING: 1 })
  }

  /** The machine (or the user's own systemd) goes down: systemd waits for the apps as long as they take to stop. */
  async stopAll(stopApps: () => Promise<unknown>): Promise<void> {
    await this.stopping()
    this.extend()
    const timer = setInterval(() => this.extend(), EXTENSION_MS / 4)
    await stopApps()
    clearInterval(timer)
  }

  /** More time for the phase of the stop that systemd is in. */
  extend(): void {
    void this.#notify?.tell({
      EXTEND_TIMEOUT_USEC: EXTENSION_MS * 1000,
      STATUS: 'the machine goes down: stopping the apps',
    })
  }
}
