import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { EcoError, errorCode } from '../errors.ts'
import { readStat } from '../supervisor/proc.ts'
import { type Answer, CONTROL_FD, HAND_OVER_FD, type InheritedSocket, type Offer, TAKE_OVER } from './hand-over.ts'
import type { Program } from './protocol.ts'
import { pause } from '../logs/pause.ts'
import { type Heard, SyncLines } from './sync-lines.ts'

/** A killed process is gone within this, or will run no instruction of its own any more. */
const DEATH_MS = 2000

/** What a successor inherits. */
export interface Estate {
  readonly from: Offer['from']
  readonly inode: number
  /** Descriptor of eco.sock. */
  readonly control: number
  readonly sockets: readonly InheritedSocket[]
  readonly environment: NodeJS.ProcessEnv
}

/** A daemon that waits to take over from this one, as a process. */
export class Successor {
  readonly pid: number
  readonly #lines: SyncLines
  readonly #child: ChildProcess

  /** @throws EcoError USAGE when there is no such program */
  constructor({ node, entry }: Program, { sockets, control, from, inode, environment }: Estate) {
    for (const [path, mode] of [
      [node, constants.X_OK],
      [entry, constants.R_OK],
    ] as const) {
      try {
        accessSync(path, mode)
      } catch (cause) {
        throw new EcoError('USAGE', `The daemon cannot start ${path}: ${(cause as Error).message}.`, {
          hint: "install Node and eco where the daemon's user can read them, then: eco daemon upgrade",
          cause,
        })
      }
    }
    // In this order, without a gap: Node keeps what it inherits so from the processes that it starts.
    const descriptors = [control, ...sockets.map(({ fd }) => fd)]
    this.#child = spawn(node, ['--max-semi-space-size=1', entry, TAKE_OVER], {
      cwd: '/',
      env: environment,
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', ...descriptors],
    })
    this.#child.on('error', () => {}) // it shows as the end of the conversation
    this.#child.unref()
    const pair = pairOf(this.#child)
    if (this.#child.pid === undefined || pair === null) {
      throw new EcoError('UPGRADE_FAILED', `The new daemon could not be started: ${node} ${entry}; this one goes on.`, {
        hint: 'eco daemon logs',
      })
    }
    pair.readStop() // what it says is read here, and not by the loop
    this.pid = this.#child.pid
    this.#lines = new SyncLines(pair.fd)
    const offered = sockets.map((socket, i) => ({ ...socket, fd: CONTROL_FD + 1 + i }))
    this.#lines.say({ hand_over: 1, from, inode, control: CONTROL_FD, sockets: offered } satisfies Offer)
  }

  /** @returns null: nothing yet. @throws EcoError when it has refused, or ended */
  poll(): Answer | null {
    return this.#understand(this.#lines.poll())
  }

  /** Blocks until it answers. @returns null: it does not. @throws as `poll` */
  wait(ms: number): Answer | null {
    return this.#understand(this.#lines.wait(ms))
  }

  /** Lets it act. @returns false: it is gone, and has not */
  go(ms: number): boolean {
    try {
      if (!this.#lines.say({ go: true })) return false
      if (this.wait(ms)?.state === 'acting') return true
      this.#kill()
      return this.poll()?.state === 'acting'
    } catch {
      return false
    }
  }

  /** Kills it. @returns once it cannot do anything any more */
  end(): void {
    this.#kill()
    this.#child.stdio[HAND_OVER_FD]?.destroy()
  }

  #kill(): void {
    this.#child.kill('SIGKILL')
    const deadline = performance.now() + DEATH_MS
    while (performance.now() < deadline) {
      const stat = readStat(this.pid)
      if (stat === null || stat.state === 'Z') return
      pause(2)
    }
  }

  #understand(heard: Heard): Answer | null {
    if (heard.type === 'silent') return null
    if (heard.type !== 'line') throw goneError()
    const answer = heard.value as Answer
    if (answer.state !== 'refused') return answer
    throw new EcoError(errorCode(answer.code), answer.message, {
      hint: answer.hint ?? undefined,
      details: answer.details,
    })
  }
}

/** @returns what an operator is told when the new daemon ended before it could do anything */
export function goneError(): EcoError {
  return new EcoError('UPGRADE_FAILED', 'The new daemon ended before it could take over; the one that runs goes on.', {
    hint: 'eco daemon logs',
  })
}

interface PairHandle {
  readonly fd: number
  readStop(): void
}

function pairOf(child: ChildProcess): PairHandle | null {
  return (child.stdio[HAND_OVER_FD] as unknown as { readonly _handle: PairHandle | null } | null)?._handle ?? null
}
