import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { instanceName } from '../../model/ids.ts'
import type { AppSpec } from '../../model/spec.ts'
import { scopeDir } from '../../state/paths.ts'
import { lookUpGroup, lookUpUser } from '../../supervisor/account.ts'
import { findProgram, isDirectory } from '../../supervisor/find-program.ts'
import type { AppliedOne } from '../applied-apps.ts'
import type { HomeEntry } from './home.ts'
import type { OpenFiles } from './open-files.ts'
import type { RunFacts } from './runs.ts'

export interface AppFacts {
  readonly app: AppliedOne
  /** What a start needs and is not there, each a sentence. */
  readonly missing: readonly string[]
  /** Log files that cannot be written to. */
  readonly closedLogs: readonly string[]
}

export interface LogFacts {
  readonly bytes: number
  /** The largest file; null: there is none. */
  readonly largest: { readonly path: string; readonly bytes: number } | null
  /** Instances that write to files which were removed. */
  readonly removed: readonly { readonly instance: string; readonly selector: string; readonly path: string }[]
}

export function lookAtApps(home: string, apps: readonly AppliedOne[]): AppFacts[] {
  return apps.map((app) => ({ app, missing: missingOf(app.spec), closedLogs: closedLogsOf(home, app) }))
}

function missingOf(spec: AppSpec): string[] {
  const { cwd, command, env, ambient, attributes } = spec
  const { user, group } = attributes
  const accounts = [
    ...(user !== null && lookUpUser(user) === null ? [`the user ${user} does not exist`] : []),
    ...(group !== null && lookUpGroup(group) === null ? [`the group ${group} does not exist`] : []),
  ]
  if (!isDirectory(cwd)) return [`its folder ${cwd} is gone`, ...accounts]
  const path = env['PATH']?.type === 'plain' ? env['PATH'].value : ambient['PATH']
  const found = findProgram({ command, cwd, env: path === undefined ? {} : { PATH: path } })
  const program =
    'path' in found ? [] : [`its program ${command[0]} is ${found.code === 'ENOENT' ? 'gone' : 'not executable'}`]
  return [...program, ...scriptOf(command, cwd), ...accounts]
}

/** `node … server.js`: of a command only a script in an absolute path, as `script` makes it, is certain to be a file. */
function scriptOf(command: readonly string[], cwd: string): string[] {
  const [program = '', ...rest] = command
  if (!/(?:^|\/)node$/.test(program)) return []
  const script = rest.find((argument) => !argument.startsWith('-'))
  if (script === undefined || !isAbsolute(script)) return []
  return existsSync(resolve(cwd, script)) ? [] : [`its script ${script} is gone`]
}

function closedLogsOf(home: string, { scope, app, spec }: AppliedOne): string[] {
  const folder = join(scopeDir(home, scope), 'logs')
  const slots = Array.from({ length: spec.instances }, (_, slot) => slot)
  const files = slots.flatMap((slot) => ['out', 'err'].map((stream) => join(folder, `${app}-${slot}.${stream}.log`)))
  return [folder, ...files].filter((path) => existsSync(path) && !isWritable(path))
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return statSync(path).isFile() || statSync(path).isDirectory()
  } catch {
    return false
  }
}

const LOG = /^scopes\/[^/]+\/[^/]+\/logs\//

export function lookAtLogs(home: string, entries: readonly HomeEntry[], runs: RunFacts, files: OpenFiles): LogFacts {
  const logs = entries.filter(({ path, type }) => type === 'file' && LOG.test(path)).sort((a, b) => b.bytes - a.bytes)
  const [largest] = logs
  return {
    bytes: logs.reduce((sum, it) => sum + it.bytes, 0),
    largest: largest ? { path: join(home, largest.path), bytes: largest.bytes } : null,
    removed: runs.living.flatMap(({ process, app, slot, scope }) => {
      const path = process === null ? undefined : files.removedOutputs.get(process.pid)
      const instance = instanceName(app, slot)
      const selector = `${instance} --project ${scope.project} --env ${scope.environment}`
      return path === undefined ? [] : [{ instance, selector, path }]
    }),
  }
}
