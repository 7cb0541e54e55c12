/** One app of fixtures/real-apps under eco: the commands an operator types, in the folder where the app lives. */

import { mkdirSync, readlinkSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'
import { ROOT } from '../support/binary.ts'
import { isRunning, processesWith } from '../support/processes.ts'
import type { EcoResult, Rig } from '../support/rig.ts'

export interface RealApp {
  /** In fixtures/real-apps. */
  readonly folder: string
  /** default: ecosystem.yaml */
  readonly file?: string
  /** The project in the file; default: the folder. */
  readonly project?: string
  /** The service in the file that answers. */
  readonly service: string
  /** What the file takes from the shell: ports and folders of this test. */
  readonly env: Readonly<Record<string, string>>
}

/** The longest command: an apply that builds a Next.js app on a busy machine. */
const COMMAND_TIMEOUT_MS = 100_000

export function folderOf(app: RealApp): string {
  return join(ROOT, 'fixtures/real-apps', app.folder)
}

/** The reason why tests of this app cannot run here, or false. */
export function missing(folder: string): string | false {
  return inject('notInstalled')[folder] ?? false
}

/** Throws away what an earlier run has left. */
export function freshData(app: RealApp): void {
  const data = join(folderOf(app), 'data')
  rmSync(data, { recursive: true, force: true })
  mkdirSync(data)
}

export function ecoIn(rig: Rig, app: RealApp, args: readonly string[]): Promise<EcoResult> {
  return rig.eco(args, { cwd: folderOf(app), env: { ...app.env }, timeoutMs: COMMAND_TIMEOUT_MS })
}

export function applyApp(rig: Rig, app: RealApp, file = app.file ?? 'ecosystem.yaml'): Promise<EcoResult> {
  return ecoIn(rig, app, ['apply', file, '--yes'])
}

/**
 * All that runs of a rig, apart from its daemon: by the private HOME; and by its working directory, for those that
 * overwrite their environment.
 */
export async function leftBehind(rig: Rig, folders: readonly string[]): Promise<string[]> {
  const daemon = await rig.daemonPid()
  const pids = new Set([...processesWith(`HOME=${rig.env['HOME']}`), ...workingIn(folders)])
  return [...pids].filter((pid) => pid !== daemon && pid !== process.pid && isRunning(pid)).map((pid) => `pid ${pid}`)
}

/** Every process whose working directory is in one of these folders. */
export function workingIn(folders: readonly string[]): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
  return pids.filter((pid) => folders.some((folder) => isInside(workingDirectory(pid), folder)))
}

function workingDirectory(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return ''
  }
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}
