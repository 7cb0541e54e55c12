import { accessSync, constants, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import * as zlib from 'node:zlib'
import { logPaths } from '../../logs/layout.ts'
import { whyNoHoles } from '../../logs/punch-hole.ts'
import { type RotationMethod, rotationMethod } from '../../logs/rotate/method.ts'
import { instanceName } from '../../model/ids.ts'
import type { Rotation } from '../../model/spec.ts'
import { spoolDir } from '../../state/paths.ts'
import { findProgram } from '../../supervisor/find-program.ts'
import type { AppliedOne } from '../applied-apps.ts'
import { type FileSystem, fileSystemOf, firstThere, type HomeEntry } from './home.ts'
import type { OpenFiles } from './open-files.ts'
import type { RunFacts } from './runs.ts'

/** A log file that an app writes, or would. */
export interface LogFileFacts {
  readonly path: string
  /** One of the apps that write it. */
  readonly app: AppliedOne
  readonly rotation: Rotation
  /** Its target, when it is a symlink; null: it is none. */
  readonly symlink: string | null
  readonly bytes: number
  /** Of what was rotated away, beside it. */
  readonly archivedBytes: number
}

/** A folder that logs are written to. */
export interface LogFolderFacts {
  readonly folder: string
  /** Of it, or of where it would be made. */
  readonly device: number | null
  readonly fileSystem: FileSystem | null
  /** null: nothing is to be rotated there, or it cannot be found out. */
  readonly method: RotationMethod | null
}

export interface LogFacts {
  readonly files: readonly LogFileFacts[]
  readonly folders: readonly LogFolderFacts[]
  /** Files and folders that cannot be written to, or folders that cannot be made. */
  readonly closed: readonly string[]
  /** All there is: of apps that were removed as well. */
  readonly bytes: number
  /** The largest file; null: there is none. */
  readonly largest: { readonly path: string; readonly bytes: number } | null
  /** Instances that write to files which were removed. */
  readonly removed: readonly { readonly instance: string; readonly selector: string; readonly path: string }[]
  readonly hasZstd: boolean
  /** Apps whose output goes by way of a spool that cannot be trimmed, and why. */
  readonly untrimmed: { readonly apps: readonly string[]; readonly why: string } | null
}

const OWN_LOG = /^scopes\/[^/]+\/[^/]+\/logs\//

export function lookAtLogs(
  home: string,
  apps: readonly AppliedOne[],
  entries: readonly HomeEntry[],
  runs: RunFacts,
  open: OpenFiles,
): LogFacts {
  const files = filesOf(home, apps)
  const folders = [...new Set(files.map(({ path }) => dirname(path)))]
  const own = entries.filter(({ path, type }) => type === 'file' && OWN_LOG.test(path))
  const elsewhere = files.filter(({ path }) => !path.startsWith(`${home}/scopes/`))
  const sizes = [
    ...own.map(({ path, bytes }) => ({ path: join(home, path), bytes })),
    ...elsewhere.map(({ path, bytes }) => ({ path, bytes })),
  ].sort((a, b) => b.bytes - a.bytes)
  const archived = elsewhere.reduce((sum, { archivedBytes }) => sum + archivedBytes, 0)
  return {
    files,
    folders: folders.map((folder) => lookAtFolder(folder, files)),
    closed: [
      ...folders.filter((path) => !isWritable(path, 'folder')),
      ...files.map(({ path }) => path).filter((path) => !isWritable(path, 'file')),
    ],
    bytes: sizes.reduce((sum, it) => sum + it.bytes, archived),
    largest: sizes[0] ?? null,
    removed: runs.living.flatMap(({ process, app, slot, scope }) => {
      const path = process === null ? undefined : open.removedOutputs.get(process.pid)
      const instance = instanceName(app, slot)
      const selector = `${instance} --project ${scope.project} --env ${scope.environment}`
      return path === undefined ? [] : [{ instance, selector, path }]
    }),
    hasZstd: 'createZstdCompress' in zlib || 'path' in findProgram({ command: ['zstd'], cwd: '/', env: pathOnly() }),
    untrimmed: untrimmed(home, apps),
  }
}

function untrimmed(home: string, apps: readonly AppliedOne[]): LogFacts['untrimmed'] {
  const stamped = apps.filter(({ spec }) => spec.output.format !== 'plain')
  if (stamped.length === 0) return null
  try {
    const why = whyNoHoles(firstThere(spoolDir(home)))
    return why === null ? null : { apps: [...new Set(stamped.map(({ name }) => name))], why }
  } catch {
    return null // ECO_HOME cannot be written to, which is told elsewhere
  }
}

function pathOnly(): Record<string, string> {
  const { PATH } = process.env
  return PATH === undefined ? {} : { PATH }
}

/** Each once, of all instances that are wanted. */
function filesOf(home: string, apps: readonly AppliedOne[]): LogFileFacts[] {
  const files = new Map<string, LogFileFacts>()
  const namesOf = new Map<string, readonly string[]>()
  for (const app of apps) {
    for (let slot = 0; slot < Math.max(app.wanted, app.spec.instances); slot++) {
      const { out, err } = logPaths(home, app.scope, app.app, slot, app.spec.output)
      for (const path of [out, err]) {
        if (path === null || files.has(path)) continue
        const folder = dirname(path)
        const names = namesOf.get(folder) ?? listed(folder)
        namesOf.set(folder, names)
        files.set(path, lookAtFile(path, app, names))
      }
    }
  }
  return [...files.values()]
}

function lookAtFile(path: string, app: AppliedOne, names: readonly string[]): LogFileFacts {
  const { rotation } = app.spec
  const name = basename(path)
  const isThere = names.includes(name)
  const stat = isThere ? lstatSync(path, { throwIfNoEntry: false }) : undefined
  const archives = names.filter((it) => it.startsWith(`${name}.`) && ARCHIVE.test(it.slice(name.length)))
  return {
    path,
    app,
    rotation,
    symlink: stat?.isSymbolicLink() ? readlinkSync(path) : null,
    bytes: stat?.isFile() ? stat.size : 0,
    archivedBytes: archives.reduce((sum, it) => sum + sizeOf(join(dirname(path), it)), 0),
  }
}

/** See archiveName of logs/layout.ts. */
const ARCHIVE = /^\.\d{8}T\d{6}\.\d{3}Z(?:\.gz|\.zst)?$/

function lookAtFolder(folder: string, files: readonly LogFileFacts[]): LogFolderFacts {
  const isRotated = files.some(({ path, rotation }) => dirname(path) === folder && rotation.method === 'auto')
  const there = firstThere(folder)
  return {
    folder,
    device: statSync(there, { throwIfNoEntry: false })?.dev ?? null,
    fileSystem: fileSystemOf(folder),
    method: isRotated && there === folder ? methodOf(folder) : null,
  }
}

function methodOf(folder: string): RotationMethod | null {
  try {
    return rotationMethod(folder)
  } catch {
    return null // closed, and told as that
  }
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function sizeOf(path: string): number {
  return lstatSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** What is not there is made, where the folder above it can be written to. */
function isWritable(path: string, type: 'file' | 'folder'): boolean {
  try {
    const there = firstThere(path)
    const stat = statSync(there)
    accessSync(there, stat.isDirectory() ? constants.W_OK | constants.X_OK : constants.W_OK)
    return type === 'file' && there === path ? stat.isFile() : stat.isDirectory()
  } catch {
    return false
  }
}
