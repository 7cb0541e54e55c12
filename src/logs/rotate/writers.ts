/** The processes that have a file open for writing; stopping them, and having them go on. */

import { readdirSync, readFileSync, statSync } from 'node:fs'
import type { StoppedProcess } from '../ledger.ts'

export interface FileId {
  readonly dev: number
  readonly ino: number
}

export class Writers {
  readonly #file: FileId
  readonly #seen = new Set<number>()

  constructor(file: FileId) {
    this.#file = file
  }

  /** Those among the processes that have come up since the last look, and of the first time all. */
  find(): number[] {
    const pids = numbersIn('/proc').filter((pid) => pid !== process.pid && !this.#seen.has(pid))
    for (const pid of pids) this.#seen.add(pid)
    return pids.filter((pid) => this.#writes(pid))
  }

  #writes(pid: number): boolean {
    return numbersIn(`/proc/${pid}/fd`).some((fd) => {
      try {
        const { dev, ino } = statSync(`/proc/${pid}/fd/${fd}`)
        if (ino !== this.#file.ino || dev !== this.#file.dev) return false
        const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0'
        return (Number.parseInt(flags, 8) & 3) !== 0
      } catch {
        return false
      }
    })
  }
}

/** In clock ticks since the boot: with its pid it names a process. null: it has ended. */
export function startTimeOf(pid: number): number | null {
  const fields = statFields(`/proc/${pid}/stat`)
  return fields === null ? null : Number(fields[19])
}

/** Of the program that it runs. */
export function nameOf(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return null
  }
}

/** It is stopped already, by somebody else: it is not ours to let it go on. */
export function isStopped(pid: number): boolean {
  const tasks = numbersIn(`/proc/${pid}/task`)
  return tasks.every((task) => /^[TtZX]$/.test(statFields(`/proc/${pid}/task/${task}/stat`)?.[0] ?? 'X'))
}

export function letGoOn(stopped: readonly StoppedProcess[]): void {
  for (const { pid, startTime } of stopped) {
    try {
      if (startTimeOf(pid) === startTime) process.kill(pid, 'SIGCONT')
    } catch {
      // It has ended.
    }
  }
}

export function isThere({ pid, startTime }: StoppedProcess): boolean {
  const fields = statFields(`/proc/${pid}/stat`)
  return fields !== null && Number(fields[19]) === startTime && fields[0] !== 'Z'
}

/** From the state on: what is before it holds a name that may have anything in it. */
function statFields(path: string): string[] | null {
  try {
    const text = readFileSync(path, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}

function numbersIn(folder: string): number[] {
  try {
    return readdirSync(folder).flatMap((name) => (/^\d+$/.test(name) ? Number(name) : []))
  } catch {
    return []
  }
}
