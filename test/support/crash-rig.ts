/** A daemon that kills itself at a point that a test names, and what the kernel says runs afterwards. */

import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { dirname, join } from 'node:path'
import { ECO, ROOT } from './binary.ts'
import { eventually } from './eventually.ts'
import { environmentOf, isRunning, processesWith } from './processes.ts'
import { createRig, type Rig } from './rig.ts'

export type Side = 'before' | 'after'

export interface CrashRig extends Rig {
  /** Starts the daemon that is to crash; from the beginning it counts only when `isArmed`. */
  startDaemon(at: number, side: Side, isArmed?: boolean): Promise<number>
  /** From now on points count. */
  arm(): void
  /** What the daemon did since it was armed, a line for each point. */
  trace(): string[]
  /** The runs that live, by the names in the environment of their processes. */
  runs(): LiveRun[]
}

export interface LiveRun {
  readonly app: string
  readonly slot: number
  /** VERSION in its environment. */
  readonly version: string
  readonly pids: readonly number[]
}

export async function createCrashRig(): Promise<CrashRig> {
  const rig = await createRig()
  const armFile = join(dirname(rig.home), 'armed')
  const traceFile = join(dirname(rig.home), 'trace')
  const arm = (): void => writeFileSync(armFile, '')
  writeFileSync(traceFile, '')

  const startDaemon = async (at: number, side: Side, isArmed = false): Promise<number> => {
    if (isArmed) arm()
    mkdirSync(rig.home, { recursive: true, mode: 0o700 })
    const log = openSync(join(rig.home, 'daemon.log'), 'a', 0o600)
    const hook = join(ROOT, 'test/support/crash-hook.cjs')
    const child = spawn(
      process.execPath,
      ['--require', hook, '--max-semi-space-size=1', join(dirname(ECO), 'daemon.cjs')],
      {
        cwd: '/',
        env: {
          ...rig.env,
          CRASH_ARM: armFile,
          CRASH_AT: String(at),
          CRASH_SIDE: side,
          CRASH_TRACE: traceFile,
        },
        detached: true,
        stdio: ['ignore', log, log],
      },
    )
    closeSync(log)
    child.unref()
    const { pid = 0 } = child
    await eventually(async () => !isRunning(pid) || (await answers(join(rig.home, 'eco.sock'))))
    return pid
  }
  return Object.assign(rig, {
    arm,
    startDaemon,
    trace: () => readFileSync(traceFile, 'utf8').split('\n').filter(Boolean),
    runs: () => liveRuns(rig.env['HOME'] ?? ''),
  })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function liveRuns(home: string): LiveRun[] {
  const runs = new Map<string, LiveRun>()
  for (const pid of processesWith(`HOME=${home}`)) {
    let env: Record<string, string>
    try {
      env = environmentOf(pid)
    } catch {
      continue
    }
    const name = env['ECO_RUN']
    if (name === undefined || !isRunning(pid)) continue
    const [, , app = '', slot = ''] = name.split(':')
    const known = runs.get(name)
    const run = { app, slot: Number(slot), version: env['VERSION'] ?? '', pids: [...(known?.pids ?? []), pid] }
    runs.set(name, run)
  }
  return [...runs.values()].sort((a, b) => a.app.localeCompare(b.app) || a.slot - b.slot)
}
