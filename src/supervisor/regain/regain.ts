/**
 * The listening sockets of instances that an earlier daemon started: the very sockets, not others beside them
 * (docs/adr/0019). A Node instance gives them; from any other they are copied.
 */

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Listen } from '../../model/spec.ts'
import type { AppGroup } from '../app-group.ts'
import type { BoundHandle } from '../bind-socket.ts'
import { askForSockets } from '../control-sockets.ts'
import type { InstanceRunner } from '../instance-runner.ts'
import { listenKey, type SocketRegister } from '../sockets.ts'
import { placeOf } from './places.ts'
import { receiveSockets } from './receive.ts'
import { SocketTable } from './socket-table.ts'
import { SocketTaker } from './take.ts'

/** For one that does not run its event loop there are other ways. */
const GIVE_MS = 1000

/** Gets sockets back, of all apps at once, in the background. */
export class SocketRegain {
  readonly #sockets: SocketRegister
  readonly #tell: (group: AppGroup, problem: string) => void
  readonly #taker = new SocketTaker()

  /** @param tell told what could not be got back, and what follows from it, a sentence */
  constructor(sockets: SocketRegister, tell: (group: AppGroup, problem: string) => void) {
    this.#sockets = sockets
    this.#tell = tell
  }

  /** Begins with the sockets of an app; whoever needs them waits for `group.regaining`. */
  begin(group: AppGroup): void {
    if (group.regaining !== null || this.#missing(group).length === 0) return
    group.regaining = this.#regain(group).finally(() => {
      group.regaining = null
    })
  }

  async #regain(group: AppGroup): Promise<void> {
    // In the background: what the daemon was started for comes first.
    await nextTurn()
    await this.#beGiven(group)
    const reasons = await this.#take(group)
    for (const listen of this.#missing(group)) this.#bind(group, listen, reasons.get(listenKey(listen)) ?? null)
  }

  /** Addresses that its instances use, whose sockets we do not have. */
  #missing(group: AppGroup): readonly Listen[] {
    const wanted = new Map<string, Listen>()
    for (const { listens } of group.runners.filter(isUsing)) {
      for (const listen of listens) wanted.set(listenKey(listen), listen)
    }
    return [...wanted.values()].filter((listen) => !this.#sockets.isHeld(listen, group.owner))
  }

  /** First by one instance, and by all others when it does not answer, or has not got all of them. */
  async #beGiven(group: AppGroup): Promise<void> {
    const [first, ...others] = bestFirst(group).flatMap(({ privateFolder }) => privateFolder ?? [])
    const ask = (folder: string): Promise<void> => this.#ask(group, folder)
    if (first !== undefined) await ask(first)
    if (others.length > 0 && this.#missing(group).length > 0) await Promise.all(others.map(ask))
  }

  async #ask(group: AppGroup, folder: string): Promise<void> {
    const table = new SocketTable()
    let count = 0
    let enough = (): void => {}
    const receiver = await receiveSockets(folder, (handle, path) => {
      count++
      this.#keep(group, handle, path, table)
      enough()
    }).catch(() => null)
    if (receiver === null) return
    await askForSockets(folder, receiver.path, GIVE_MS, async (told) => {
      await new Promise<void>((resolve) => {
        enough = () => {
          if (count >= told()) resolve()
        }
        enough()
      })
    })
    receiver.close()
  }

  /** @returns why they could not be taken, by key: sentences without their subject */
  async #take(group: AppGroup): Promise<ReadonlyMap<string, string>> {
    const reasons = new Map<string, string>()
    const table = new SocketTable()
    await Promise.all(
      this.#missing(group).map(async (listen) => {
        const place = placeOf(listen, bestFirst(group), table)
        if (place === null) return
        const taken = await this.#taker.take(place)
        if (typeof taken === 'string') reasons.set(listenKey(listen), taken)
        else this.#keep(group, taken, listen.type === 'unix' ? listen.path : '', table)
      }),
    )
    return reasons
  }

  /** A socket of an address that the app uses. Others are none of our business. */
  #keep(group: AppGroup, handle: BoundHandle, path: string, table: SocketTable): void {
    const listen = this.#missing(group).find((it) => table.isAt(handle, it, path))
    if (listen === undefined) handle.close()
    else this.#sockets.takeIn(listen, group.owner, handle)
  }

  /**
   * Nobody has it any more, or it cannot be got. Then another beside it is better than none: it needs Node 22.12, for
   * both.
   *
   * @param reason why it could not be taken; null: no process of the app has it
   */
  #bind(group: AppGroup, listen: Listen, reason: string | null): void {
    const what = listen.type === 'tcp' ? `port ${listen.port}` : listen.path
    const why = reason === null ? '' : `: ${reason}`
    try {
      this.#sockets.acquire(listen, group.owner)
      if (reason === null) return
      this.#tell(
        group,
        `${group.app} shares ${what} between two sockets from now on${why}; what waits in the old one when its last instance ends is lost`,
      )
    } catch {
      if (group.socketsLost) return // told already
      group.socketsLost = true
      this.#tell(
        group,
        `${group.app} serves ${what}, but new instances cannot share it until "eco restart ${group.app}"${why}`,
      )
    }
  }
}

function isUsing({ process, instance }: InstanceRunner): boolean {
  return process !== null && instance.wanted === 'up'
}

/** Those that serve before those that start, the newest first. */
function bestFirst(group: AppGroup): readonly InstanceRunner[] {
  const rank = ({ instance: { phase }, id }: InstanceRunner): number => (phase.name === 'running' ? 1e9 : 0) + id.uid
  return group.runners.filter(isUsing).sort((a, b) => rank(b) - rank(a))
}
