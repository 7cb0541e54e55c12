import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { logIndexDir, scopesDir } from './paths.ts'

/** A file that was being written: `000007.json.4711.tmp`. */
const TEMPORARY = /\.\d+\.tmp$/

/** Removes the half-written files of a daemon that was killed. Only for the one daemon, before it writes itself. */
export function removeHalfWritten(home: string): void {
  const root = scopesDir(home)
  removeFrom(logIndexDir(home))
  for (const project of folders(root)) {
    for (const environment of folders(join(root, project))) removeIn(join(root, project, environment))
  }
}

function removeIn(scope: string): void {
  for (const folder of [scope, join(scope, 'revisions'), join(scope, 'runtime'), join(scope, 'runs')]) {
    removeFrom(folder)
  }
}

function removeFrom(folder: string): void {
  for (const name of namesIn(folder)) if (TEMPORARY.test(name)) rmSync(join(folder, name), { force: true })
}

function folders(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  } catch {
    return []
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
