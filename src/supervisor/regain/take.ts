/** Copies of descriptors that other processes have, by a program of the system. */

import { type ChildProcess, spawn } from 'node:child_process'
import { getSystemErrorName } from 'node:util'
import type { BoundHandle } from '../bind-socket.ts'
import { type Program, takePrograms } from './take-script.ts'

/** Far longer than it takes: 5 to 100 ms. */
const LONGEST_MS = 3000
/** The system allows some arguments, not any number. */
const MOST = 500

/** A descriptor of a process. */
export interface Place {
  readonly pid: number
  readonly fd: number
}

type Taken = BoundHandle | string

interface Asked {
  readonly place: Place
  readonly answer: (taken: Taken) => void
}

/** Takes descriptors; all that are asked for in one turn of the loop by one program. */
export class SocketTaker {
  #waiting: Asked[] = []
  #isRunning = false

  /** @returns a sentence without its subject when it cannot be taken: why */
  take(place: Place): Promise<Taken> {
    return new Promise((answer) => {
      this.#waiting.push({ place, answer })
      if (this.#isRunning) return
      this.#isRunning = true
      setImmediate(() => void this.#run())
    })
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const asked = this.#waiting.splice(0, MOST)
      await takeAll(asked)
    }
    this.#isRunning = false
  }
}

async function takeAll(asked: readonly Asked[]): Promise<void> {
  if (process.platform !== 'linux')
    return refuse(asked, 'this system has no way to copy a descriptor of another process')
  const programs = takePrograms()
  for (const program of programs) if (await runs(program, asked)) return
  refuse(
    asked,
    `copying it out of the process needs ${programs.map(({ file }) => file).join(' or ')}, and there is none`,
  )
}

function refuse(asked: readonly Asked[], why: string): void {
  for (const { answer } of asked) answer(why)
}

/** @returns false: there is no such program */
function runs({ file, args }: Program, asked: readonly Asked[]): Promise<boolean> {
  const open = new Map(asked.map((one) => [nameOf(one.place), one]))
  return new Promise((resolve) => {
    const child = spawn(file, [...args, ...open.keys()], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      timeout: LONGEST_MS,
      killSignal: 'SIGKILL',
    })
    const answer = (name: unknown, taken: Taken): void => {
      const one = typeof name === 'string' ? open.get(name) : undefined
      if (one === undefined) return typeof taken === 'string' ? undefined : taken.close()
      open.delete(nameOf(one.place))
      one.answer(taken)
    }
    child.on('message', (message: { of?: unknown; errno?: unknown; done?: unknown }, handle) => {
      if (handle) answer(message.of, handle as unknown as BoundHandle)
      else if (typeof message.errno === 'number')
        answer(message.of, `the system refuses to copy it out of the process (${getSystemErrorName(-message.errno)})`)
      else if (message.done === true) disconnect(child)
    })
    child.once('error', () => {
      if (child.pid === undefined) resolve(false)
    })
    // Not `close`: that does not come when it is us who close the channel.
    child.once('exit', () => {
      for (const { answer: refused } of open.values()) refused(`${file} did not copy it out of the process`)
      open.clear()
      resolve(true)
    })
  })
}

function disconnect(child: ChildProcess): void {
  if (child.connected) child.disconnect()
}

function nameOf({ pid, fd }: Place): string {
  return `${pid}:${fd}`
}
