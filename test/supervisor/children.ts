/** Real processes for tests; all of them end with the test. */

import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process'
import { createInterface } from 'node:readline'
import { afterEach } from 'vitest'

const running = new Set<ChildProcess>()

afterEach(() => {
  for (const child of running) {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL')
    } catch {
      child.kill('SIGKILL')
    }
  }
  running.clear()
})

export interface Child {
  readonly pid: number
  readonly process: ChildProcess
  /** The next line it prints. */
  line(): Promise<string>
}

/** A process in a session of its own, as the supervisor starts them. */
export function startChild(command: readonly string[], options: SpawnOptions = {}): Child {
  const [file = '', ...args] = command
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true, ...options })
  running.add(child)
  if (!child.stdout || child.pid === undefined) throw new Error(`could not start ${file}`)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    pid: child.pid,
    process: child,
    line: async () => {
      const next = await lines.next()
      if (next.done) throw new Error(`${file} ended before it printed a line`)
      return next.value
    },
  }
}

/** A Node process that runs the given CommonJS. */
export function startNode(code: string, options: SpawnOptions = {}): Child {
  return startChild([process.execPath, '-e', code], options)
}

/** Waits until a condition holds, at most five seconds. */
export async function eventually(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`did not come true within 5 s: ${holds.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
