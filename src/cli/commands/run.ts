import { createRequire } from 'node:module'
import { extname, join } from 'node:path'
import { selectApps } from '../../daemon/selection.ts'
import { EcoError } from '../../errors.ts'
import type { Foreground, LineStyle } from '../../foreground/contract.ts'
import type { DesiredState } from '../../model/spec.ts'
import { isInit } from '../become-init.ts'
import { loadFile } from '../load-file.ts'
import { actor } from '../plan-request.ts'
import { wantsColor } from '../terminal.ts'

export interface RunCommandOptions {
  readonly env?: string
  readonly json?: boolean
  readonly prefix: boolean
  readonly raw?: boolean
  readonly keepGoing?: boolean
}

/** `eco run`: the supervisor in this process, for as long as the apps run. @returns the exit code */
export async function run(operands: readonly string[], options: RunCommandOptions): Promise<number> {
  const { file, selectors } = fileAndApps(operands)
  const running = await refusable(
    loadForeground().open({
      style: styleOf(options),
      color: { out: wantsColor(process.stdout), err: wantsColor(process.stderr) },
      keepGoing: options.keepGoing === true,
      by: actor(),
      isInit: isInit(),
    }),
  )
  try {
    const desired = await loadFile(file, options.env ?? null, running.home)
    return await refusable(running.carryOut(withApps(desired, selectors)))
  } finally {
    await running.close()
  }
}

function styleOf({ json, raw, prefix }: RunCommandOptions): LineStyle | null {
  if (json === true && raw === true) throw new EcoError('USAGE', '--json and --raw exclude each other.')
  return json === true ? 'json' : raw === true ? 'raw' : prefix ? null : 'plain'
}

const FILES = new Set(['.yaml', '.yml', '.json', '.jsonc', '.ts', '.mts', '.js', '.mjs', '.cjs'])

/** The first operand may be the file, which shows by its name: an app may well be called as its folder or its program. */
function fileAndApps(operands: readonly string[]): { file: string | null; selectors: readonly string[] } {
  const [first, ...others] = operands
  if (first === undefined) return { file: null, selectors: [] }
  const isRegex = first.length > 2 && first.startsWith('/') && first.endsWith('/')
  const isFile = !isRegex && (FILES.has(extname(first)) || first.includes('/'))
  return isFile ? { file: first, selectors: others } : { file: null, selectors: operands }
}

/** These apps, and all that they depend on. */
function withApps(desired: DesiredState, selectors: readonly string[]): DesiredState {
  if (selectors.length === 0) return desired
  const known = Object.keys(desired.apps).map((app) => ({ scope: desired.scope, app, slots: [] }))
  const open = selectApps(known, { selectors, project: null, environment: null }).map(({ app }) => app)
  const chosen = new Set<string>()
  for (let app = open.pop(); app !== undefined; app = open.pop()) {
    if (chosen.has(app)) continue
    chosen.add(app)
    open.push(...Object.keys(desired.apps[app]?.dependsOn ?? {}))
  }
  const apps = Object.fromEntries(Object.entries(desired.apps).filter(([app]) => chosen.has(app)))
  return { ...desired, apps }
}

/** The supervisor has a class of its own for errors that are expected: it is a program of its own. */
async function refusable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'EcoError') throw error
    const { code, message, hint, details } = error as EcoError
    throw new EcoError(code, message, { hint: hint ?? undefined, details, cause: error })
  }
}

/** It lies beside this file, and holds what no other command needs: the supervisor. */
function loadForeground(): Foreground {
  const file = join(__dirname, 'foreground.cjs')
  return createRequire(file)(file) as Foreground
}
