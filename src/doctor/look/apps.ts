import { existsSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import type { AppSpec } from '../../model/spec.ts'
import { lookUpGroup, lookUpUser } from '../../supervisor/account.ts'
import { findProgram, isDirectory } from '../../supervisor/find-program.ts'
import type { AppliedOne } from '../applied-apps.ts'

export interface AppFacts {
  readonly app: AppliedOne
  /** What a start needs and is not there, each a sentence. */
  readonly missing: readonly string[]
}

export function lookAtApps(apps: readonly AppliedOne[]): AppFacts[] {
  return apps.map((app) => ({ app, missing: missingOf(app.spec) }))
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
