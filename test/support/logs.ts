import { type ChildProcess, spawn } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { ECO } from './binary.ts'
import type { Rig } from './rig.ts'

export interface LogFollower {
  readonly child: ChildProcess
  stdout(): string
  stderr(): string
  /** Whole lines so far. */
  lines(): string[]
  /** Their number, for waits: what is long is not put together anew each time. */
  count(): number
}

/** `eco logs` in the background. */
export function followLogs(rig: Rig, ...args: string[]): LogFollower {
  const child = spawn(process.execPath, [ECO, 'logs', ...args], {
    cwd: rig.dir,
    env: rig.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [out, err]: [Buffer[], Buffer[]] = [[], []]
  let count = 0
  child.stdout.on('data', (chunk: Buffer) => {
    out.push(chunk)
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) count++
  })
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const stdout = (): string => Buffer.concat(out).toString()
  return {
    child,
    stdout,
    stderr: () => Buffer.concat(err).toString(),
    lines: () => stdout().split('\n').slice(0, -1),
    count: () => count,
  }
}

/** What is not as it should be in lines of fixtures/processes/counts.mjs, of which each is to be there once. */
export function countFaults(lines: readonly string[], count: number): { lost: number; torn: number; doubled: number } {
  const seen = new Set<number>()
  let [torn, doubled] = [0, 0]
  for (const line of lines) {
    const match = /^(?:\S+ +[|!] )?line (\d{8}) \.{60}$/.exec(line)
    if (match === null) torn++
    else if (seen.has(Number(match[1]))) doubled++
    else seen.add(Number(match[1]))
  }
  return { lost: count - seen.size, torn, doubled }
}
