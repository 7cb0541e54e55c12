/** `eco run` beside a test: what it prints, and when. */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { ECO } from './binary.ts'
import { eventually } from './eventually.ts'
import { kill, processesWith } from './processes.ts'
import type { Rig } from './rig.ts'

const DEADLINE_MS = 25_000

export interface Foreground {
  readonly child: ChildProcess
  readonly pid: number
  /** What came so far. */
  readonly stdout: () => string
  readonly stderr: () => string
  /** Waits until stdout and stderr together hold this. */
  until(text: string | RegExp): Promise<void>
  signal(signal: NodeJS.Signals): void
  /** @returns the exit code; -1 when a signal ended it */
  ended(): Promise<number>
  /** The lines of stdout. */
  lines(): string[]
}

export interface ForegroundOptions {
  readonly env?: Record<string, string>
  readonly cwd?: string
  /** Instead of `node eco.cjs`. */
  readonly command?: readonly string[]
}

export function runInForeground(rig: Rig, args: readonly string[] = [], options: ForegroundOptions = {}): Foreground {
  mkdirSync(temporaryFolder(rig), { recursive: true })
  const [file = '', ...rest] = options.command ?? [process.execPath, ECO]
  const child = spawn(file, [...rest, 'run', ...args], {
    cwd: options.cwd ?? rig.dir,
    env: { ...rig.env, TMPDIR: temporaryFolder(rig), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const end = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)))
  onTestFinished(({ task }) => {
    kill(child.pid ?? 0)
    if (task.result?.state === 'fail')
      process.stderr.write(`${task.name}\n--- stdout\n${stdout.slice(-4000)}--- stderr\n${stderr.slice(-6000)}`)
  })
  const holds = (text: string | RegExp): boolean => {
    const all = stdout + stderr
    return typeof text === 'string' ? all.includes(text) : text.test(all)
  }
  return {
    child,
    pid: child.pid ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    until: (text) =>
      eventually(() => {
        if (!holds(text)) throw new Error(`no ${String(text)} in\n${stdout.slice(-2000)}\n${stderr.slice(-4000)}`)
      }, DEADLINE_MS),
    signal: (signal) => child.kill(signal),
    ended: () =>
      Promise.race([
        end,
        new Promise<never>((_, reject) =>
          setTimeout(() => reject(new Error('eco run did not end in time')), DEADLINE_MS).unref(),
        ),
      ]),
    lines: () => stdout.split('\n').filter(Boolean),
  }
}

/** TMPDIR of its runs. */
export function temporaryFolder(rig: Rig): string {
  return join(dirname(rig.home), 't')
}

/** What a run has left: private folders, and processes. */
export function leftOf(rig: Rig): { readonly folders: string[]; readonly processes: number[] } {
  return {
    folders: readdirSync(temporaryFolder(rig)),
    processes: processesWith(`HOME=${rig.env['HOME']}`).filter((pid) => pid !== process.pid),
  }
}
