import { join } from 'node:path'
import type { Listen } from '../model/spec.ts'
import { isSocketAt } from './socket-folders.ts'
import { listenKey } from './sockets.ts'

/** For a server to begin to listen on what it was given. */
const SETTLED_MS = 5000

/** The ports that one run of an instance was given on request. */
export class GivenPorts {
  /** In the order of their private sockets; grows. */
  readonly all: readonly Listen[]
  readonly #all: Listen[]
  /** When it was given which last. */
  readonly #givenAt = new Map<string, number>()

  constructor(known: readonly Listen[]) {
    this.#all = [...known]
    this.all = this.#all
  }

  /** @returns its place, by which its private socket is named */
  add(port: Listen): number {
    const key = listenKey(port)
    this.#givenAt.set(key, performance.now())
    const known = this.#indexOf(key)
    return known === -1 ? this.#all.push(port) - 1 : known
  }

  /**
   * Whether the instance may listen on a port: a while after it was given, its private socket shows it.
   *
   * @param folder of its private sockets; null: it has none, so nobody can tell
   */
  mayUse(port: Listen, folder: string | null): boolean {
    const key = listenKey(port)
    const index = this.#indexOf(key)
    if (index === -1) return false
    if (performance.now() - (this.#givenAt.get(key) ?? -Infinity) < SETTLED_MS) return true
    return folder === null || isSocketAt(join(folder, String(index)))
  }

  #indexOf(key: string): number {
    return this.#all.findIndex((it) => listenKey(it) === key)
  }
}
