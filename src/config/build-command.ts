import { type Stats, statSync } from 'node:fs'
import path from 'node:path'
import { withoutMarkers } from '../model/instance-values.ts'
import type { AppNode } from './app-node.ts'
import { errnoOf } from './read-source.ts'
import type { BuildContext } from './build-context.ts'
import { isExecutable, type ProgramSearch } from './program-search.ts'
import type { Report } from './problem.ts'
import { formatPath } from './tree.ts'
import type { Path } from './tree.ts'

const DEFAULT_PATH = '/usr/bin:/bin'

/** What an app runs, and where. */
export interface Program {
  readonly cwd: string
  readonly command: readonly string[]
}

/**
 * The argv and working directory of an app, with what they name checked on disk.
 *
 * @param pathVariable PATH as the app will see it
 * @returns null when it cannot be run; why went to `report`
 */
export function buildProgram(
  app: AppNode,
  { folder, programs }: Pick<BuildContext, 'folder' | 'programs'>,
  pathVariable: string | undefined,
  report: Report,
): Program | null {
  const cwd = path.resolve(folder, app.data.cwd ?? '.')
  const cwdProblem = directoryProblem(cwd)
  if (cwdProblem) {
    report(app.at('cwd'), `${app.label}.cwd ${cwdProblem}: ${cwd}`)
    return null
  }
  const { script, command, args, node_args: nodeArgs } = app.data
  if (script && command) {
    report(app.keyAt('command'), `${app.label} has both script and command`, 'keep one of them')
    return null
  }
  for (const [key, words] of [
    ['command', command] as const,
    ['args', args] as const,
    ['node_args', nodeArgs] as const,
  ]) {
    const index = words?.findIndex((word) => withoutMarkers(word).includes('\0')) ?? -1
    if (index >= 0) report(app.at(key, index), `${app.label}.${key}[${index}] holds a NUL byte`)
  }
  const search: Search = { cwd, programs, pathVariable }
  if (script) return buildScript(app, script, search, report)
  if (!command) {
    report(app.at(), `${app.label} has neither script nor command`, 'give one: script: server.js')
    return null
  }
  for (const [key, value] of [['args', args] as const, ['node_args', nodeArgs] as const]) {
    if (value) report(app.keyAt(key), `${app.label}.${key} goes with script; put the arguments into command`)
  }
  const [program = '', ...rest] = command
  const found = checkProgram(app, program, search, ['command', 0], report)
  return found === null ? null : { cwd, command: [found, ...rest] }
}

/** The argv at a path of an app, its program looked up as that of the app itself. Problems go to `report`. */
export function checkedArgv(
  app: AppNode,
  argv: readonly string[],
  search: Search,
  at: Path,
  report: Report,
): readonly string[] {
  const [program = '', ...rest] = argv
  return [checkProgram(app, program, search, [...at, 0], report) ?? program, ...rest]
}

/** What execvp searches, in the app's own environment. */
export interface Search {
  readonly cwd: string
  readonly programs: ProgramSearch
  readonly pathVariable: string | undefined
}

/** `node` stays a bare word: PATH decides at each start, so a newer Node is no change of the spec. */
function buildScript(app: AppNode, script: string, search: Search, report: Report): Program | null {
  const { cwd } = search
  const file = path.resolve(cwd, script)
  const problem = fileProblem(file)
  if (problem) report(app.at('script'), `${app.label}.script ${problem}: ${file}`, hintFor(script, cwd))
  const node = checkProgram(app, 'node', search, ['script'], report)
  if (problem || node === null) return null
  return { cwd, command: ['node', ...(app.data.node_args ?? []), file, ...(app.data.args ?? [])] }
}

/** A script is relative to cwd; a built file that is not there yet is the usual cause. */
function hintFor(script: string, cwd: string): string | null {
  return /^(\.\/)?(dist|build|out)\//.test(script) ? 'build it first' : `script is relative to cwd, ${cwd}`
}

/** The program of an argv: absolute when it has a slash, else a word that PATH must know. */
function checkProgram(
  app: AppNode,
  program: string,
  { cwd, programs, pathVariable }: Search,
  at: Path,
  report: Report,
): string | null {
  if (program === '') {
    report(app.at(...at), `${app.label}.${formatPath(at)} is empty`)
    return null
  }
  if (program.includes('/')) {
    const file = path.resolve(cwd, program)
    const problem = fileProblem(file) ?? (isExecutable(file) ? null : 'is not executable')
    if (!problem) return file
    report(
      app.at(...at),
      `${app.label}.${formatPath(at)} ${problem}: ${file}`,
      problem.startsWith('is not') ? `chmod +x ${file}` : null,
    )
    return null
  }
  if (programs.finds(program, pathVariable ?? DEFAULT_PATH, cwd)) return program
  report(
    app.at(...at),
    `${app.label}${isOwn(at) ? '' : `.${formatPath(at.slice(0, -1))}`} runs ${JSON.stringify(program)}, which is not on its PATH`,
    /\s/.test(program)
      ? 'this is a list: write the program and each argument as an item of its own'
      : `PATH is ${pathVariable ?? `${DEFAULT_PATH} (it is not set)`}`,
  )
  return null
}

/** The app's own program, not that of a hook or a check. */
function isOwn([key]: Path): boolean {
  return key === 'script' || key === 'command'
}

function directoryProblem(folder: string): string | null {
  return statProblem(folder, (stat) => (stat.isDirectory() ? null : 'is not a directory'))
}

function fileProblem(file: string): string | null {
  return statProblem(file, (stat) => (stat.isDirectory() ? 'is a directory' : null))
}

function statProblem(file: string, judge: (stat: Stats) => string | null): string | null {
  try {
    return judge(statSync(file))
  } catch (error) {
    const code = errnoOf(error)
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'does not exist' : `cannot be read (${code})`
  }
}
