import path from 'node:path'
import { DEFAULT_ENVIRONMENT } from '../model/ids.ts'
import type { DesiredState } from '../model/spec.ts'
import type { BuildContext } from './build-context.ts'
import { buildDesired, projectName } from './build-desired.ts'
import type { Diagnostic } from './diagnostic.ts'
import { locateFile } from './locate.ts'
import { createLookup, needsLookup } from './lookup.ts'
import { maskSecrets } from './mask-secrets.ts'
import { parseFile } from './parse-file.ts'
import type { ParsedFile } from './parse-file.ts'
import { prepareEnvironment } from './prepare-environment.ts'
import type { EffectiveFile } from './prepare-environment.ts'
import type { Report } from './problem.ts'
import { ProgramSearch } from './program-search.ts'

export interface LoadOptions {
  /** Null: found by walking up from `cwd`. */
  readonly file: string | null
  readonly cwd: string
  /** Null: the file without an overlay, whose scope is called `default`. */
  readonly environment: string | null
  /** The calling shell. process.env is never read or changed here. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly seal: (value: string) => { fingerprint: string; sealed: string }
  /** Folder in which parsed files may be kept. */
  readonly cache?: string
}

/** Texts by file name, for `formatDiagnostics`; secrets written in them are masked. */
export type Sources = ReadonlyMap<string, string>

export type LoadResult =
  | {
      readonly ok: true
      readonly desired: DesiredState
      readonly warnings: readonly Diagnostic[]
      readonly sources: Sources
    }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[]; readonly sources: Sources }

/**
 * Reads an ecosystem file and makes the desired state of one environment, with every problem found on the way.
 *
 * @throws EcoError CONFIG_NOT_FOUND or CONFIG_INVALID when there is no file that can be read at all
 */
export async function loadEcosystem(options: LoadOptions): Promise<LoadResult> {
  const file = resolveFile(options)
  const environment = normalEnvironment(options.environment)
  const parsed = await parseFile({ file, environment, env: options.env, cache: options.cache })
  const { effective, context } = await resolveEnvironment(
    parsed,
    { ...options, file, environment },
    parsed.problems.error,
  )
  const apps = effective && (await buildDesired(effective, context))
  const diagnostics = parsed.problems.toDiagnostics(file, parsed.text)
  const sources = new Map([[file, maskSecrets(parsed.text, parsed.root)]])
  if (parsed.problems.hasErrors || !effective || !apps) return { ok: false, diagnostics, sources }
  const scope = {
    project: projectName(effective.root, context.folder),
    environment: environment ?? DEFAULT_ENVIRONMENT,
  }
  return { ok: true, desired: { scope, source: { file, git: null }, apps }, warnings: diagnostics, sources }
}

/** The file a command works on, as an absolute path. */
export function resolveFile({ file, cwd }: { readonly file: string | null; readonly cwd: string }): string {
  return file === null ? locateFile(cwd) : path.resolve(cwd, file)
}

/** `--env default` is the file without an overlay. */
export function normalEnvironment(environment: string | null): string | null {
  return environment === DEFAULT_ENVIRONMENT ? null : environment
}

/**
 * The effective file of one environment, with what is needed to build it.
 *
 * @param missing told about secrets that cannot be had
 */
export async function resolveEnvironment(
  parsed: ParsedFile,
  options: LoadOptions & { readonly file: string },
  missing: Report,
): Promise<{ readonly effective: EffectiveFile | null; readonly context: BuildContext }> {
  const { file, env, seal, environment } = options
  const folder = path.dirname(file)
  const { problems } = parsed
  const complain = (message: string): void => problems.error(null, message)
  const lookup =
    parsed.root && needsLookup(parsed.root)
      ? await createLookup(folder, env, complain)
      : (name: string): string | undefined => env[name]
  const effective = await prepareEnvironment(parsed, { environment, lookup, problems, missing })
  const context: BuildContext = {
    file,
    folder,
    text: parsed.text,
    env,
    lookup,
    seal,
    problems,
    missing,
    runsCommands: missing === problems.error,
    commands: new Map(),
    programs: new ProgramSearch(),
    envFiles: effective?.root.entries.get('env_file')?.value ?? null,
  }
  return { effective, context }
}
