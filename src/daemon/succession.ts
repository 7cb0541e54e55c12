/**
 * The old daemon's side of `eco daemon upgrade` (docs/adr/0020). Two daemons never act at once: until `go` the successor
 * only reads, and from then on this process only waits, with its event loop standing still, until it may end.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { EcoError } from '../errors.ts'
import type { Client } from './clients.ts'
import type { DaemonId, Program, Upgraded, WireError } from './protocol.ts'
import { type Estate, goneError, Successor } from './successor.ts'

/** To load and to read all state, on a machine with other things to do. */
const PREPARE_MS = 30_000
/**
 * To say that it begins, and to take over what runs. This process stands still meanwhile, so both together must leave room
 * in the watchdog of a service manager.
 */
const ACT_MS = 3000
const SERVE_MS = 12_000
const POLL_MS = 10

/** What the succession needs of the daemon. */
export interface Testator {
  readonly self: Program & DaemonId
  estate(): Estate
  /** What is not to be interrupted, a clause; null: nothing. */
  obstacle(client: Client): string | null
  /** Writes out what waits to be written. */
  flush(): Promise<void>
}

export class Succession {
  readonly #testator: Testator
  #successor: Successor | null = null
  #isUnderWay = false

  constructor(testator: Testator) {
    this.#testator = testator
  }

  /**
   * Hands over to another program and ends this process; returns only when nothing came of it, and then this daemon goes
   * on as before.
   *
   * @param tell told what it waits for
   * @throws EcoError why nothing came of it
   */
  async handOver(to: Program, client: Client, tell: (message: string) => void): Promise<never> {
    if (this.#isUnderWay) {
      throw new EcoError('LOCKED', 'Another "eco daemon upgrade" is under way.', { hint: 'wait for it to end' })
    }
    this.#isUnderWay = true
    console.error(`${new Date().toISOString()} hands over to ${to.node} ${to.entry}`)
    try {
      for (;;) {
        const prepared = await this.#prepare(to)
        await this.#testator.flush()
        // From here to the end in one turn of the loop.
        if (client.isThere && this.#testator.obstacle(client) === null && prepared.isUpToDate()) {
          this.#commit(prepared.successor, prepared.id, client)
          throw goneError()
        }
        // It must not keep open what this daemon closes meanwhile.
        this.cancel()
        await this.#whenFree(client, tell)
      }
    } finally {
      this.cancel()
      this.#isUnderWay = false
    }
  }

  /** This daemon ends, or goes on without it. */
  cancel(): void {
    this.#successor?.end()
    this.#successor = null
  }

  async #prepare(to: Program): Promise<{ successor: Successor; id: DaemonId; isUpToDate: () => boolean }> {
    const estate = this.#testator.estate()
    const successor = new Successor(to, estate)
    this.#successor = successor
    const deadline = performance.now() + PREPARE_MS
    for (let answer = successor.poll(); ; answer = successor.poll()) {
      if (this.#successor !== successor) throw new EcoError('DAEMON_UNREACHABLE', 'The daemon ends.')
      if (answer?.state === 'prepared') {
        const isUpToDate = (): boolean => keyOf(this.#testator.estate()) === keyOf(estate)
        return { successor, id: { pid: answer.pid, version: answer.version }, isUpToDate }
      }
      if (performance.now() > deadline) {
        throw new EcoError(
          'UPGRADE_FAILED',
          `The new daemon was not prepared within ${PREPARE_MS / 1000}s; this one goes on.`,
          { hint: 'eco daemon logs' },
        )
      }
      await sleep(POLL_MS)
    }
  }

  async #whenFree(client: Client, tell: (message: string) => void): Promise<void> {
    let told = ''
    for (;;) {
      if (!client.isThere) throw new EcoError('NOT_CONFIRMED', 'Whoever asked for the upgrade has left.')
      const obstacle = this.#testator.obstacle(client)
      if (obstacle === null) return
      if (obstacle !== told) {
        console.error(`waits with that for ${obstacle}`)
        tell(obstacle)
      }
      told = obstacle
      await sleep(POLL_MS)
    }
  }

  /** Never returns to the event loop, unless the successor was gone before it could act. */
  #commit(successor: Successor, to: DaemonId, client: Client): void {
    const { self } = this.#testator
    if (!successor.go(ACT_MS)) return
    const failure = this.#serves(successor)
    if (failure === null) {
      client.answerLast({ result: { from: { pid: self.pid, version: self.version }, to } satisfies Upgraded })
      process.exit(0)
    }
    // It may have acted, so this process does not know any more what runs. Another one of the same version finds out.
    successor.end()
    console.error(`eco ${to.version} could not take over (${failure}); eco ${self.version} starts again`)
    const pid = this.#startAgain()
    const after =
      pid === null
        ? 'no daemon runs now, and the next command starts one'
        : `eco ${self.version} runs again, pid ${pid}`
    const message = `eco ${to.version} could not take over: ${failure}; ${after}.`
    client.answerLast({
      error: { code: 'UPGRADE_FAILED', message, hint: 'eco daemon logs', details: [] } satisfies WireError,
    })
    process.exit(pid === null ? 1 : 0)
  }

  #startAgain(): number | null {
    const { self } = this.#testator
    try {
      const again = new Successor(self, this.#testator.estate())
      if (again.wait(PREPARE_MS)?.state === 'prepared' && again.go(ACT_MS) && this.#serves(again) === null) {
        return again.pid
      }
      again.end()
    } catch (error) {
      console.error(error)
    }
    return null
  }

  /** @returns why it does not; null: it serves */
  #serves(successor: Successor): string | null {
    try {
      return successor.wait(SERVE_MS)?.state === 'serving' ? null : `it did not serve within ${SERVE_MS / 1000}s`
    } catch {
      return 'it ended'
    }
  }
}

/** What the successor has inherited at its start must be what there is when it takes over. */
function keyOf({ sockets, inode }: Estate): string {
  return JSON.stringify([inode, sockets])
}
