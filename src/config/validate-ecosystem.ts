import { DEFAULT_ENVIRONMENT } from '../model/ids.ts'
import { buildDesired } from './build-desired.ts'
import type { Diagnostic } from './diagnostic.ts'
import { normalEnvironment, resolveEnvironment, resolveFile } from './load-ecosystem.ts'
import type { LoadOptions, Sources } from './load-ecosystem.ts'
import { maskSecrets } from './mask-secrets.ts'
import { parseFile } from './parse-file.ts'
import type { ParsedFile } from './parse-file.ts'
import { environmentNames } from './prepare-environment.ts'
import { ProblemList } from './problem.ts'
import { mapAt } from './tree.ts'

export interface ValidateResult {
  readonly file: string
  /** Those looked at: the one asked for, or `default` and every overlay of the file. */
  readonly environments: readonly string[]
  /** Names of the apps of each of them; empty where the file is too broken to tell. */
  readonly apps: Readonly<Record<string, readonly string[]>>
  readonly diagnostics: readonly Diagnostic[]
  readonly sources: Sources
}

/**
 * Looks for problems in one environment, or, when none is asked for, in the file without overlay and in each of its
 * environments. In the second case nobody is about to apply: a secret that cannot be had here is a warning, and
 * commands that print secrets are not run.
 *
 * @throws EcoError when there is no file that can be read at all
 */
export async function validateEcosystem(options: Omit<LoadOptions, 'seal'>): Promise<ValidateResult> {
  const file = resolveFile(options)
  const asked = normalEnvironment(options.environment)
  const isOne = options.environment !== null
  const first = await parseFile({ file, environment: asked, env: options.env })
  const names = isOne || !first.root ? [] : environmentNames(first.root).filter((name) => name !== DEFAULT_ENVIRONMENT)
  const environments = [asked, ...names]
  const problems = first.problems
  const apps: [string, string[]][] = []
  for (const environment of environments) {
    const own = first.isFunction && environment !== asked ? await again(file, environment, options, problems) : first
    const parsed: ParsedFile = { ...own, problems }
    const resolved = { ...options, file, environment, seal: () => ({ fingerprint: '', sealed: '' }) }
    const { effective, context } = await resolveEnvironment(parsed, resolved, isOne ? problems.error : problems.warning)
    if (effective) await buildDesired(effective, context)
    const found = effective ? [...(mapAt(effective.root, 'apps')?.entries.keys() ?? [])] : []
    apps.push([environment ?? DEFAULT_ENVIRONMENT, found.toSorted()])
  }
  return {
    file,
    environments: apps.map(([name]) => name),
    apps: Object.fromEntries(apps),
    diagnostics: problems.toDiagnostics(file, first.text),
    sources: new Map([[file, maskSecrets(first.text, first.root)]]),
  }
}

/** A file that exports a function has another value in each environment. */
async function again(
  file: string,
  environment: string | null,
  { env }: Omit<LoadOptions, 'seal'>,
  problems: ProblemList,
): Promise<ParsedFile> {
  const parsed = await parseFile({ file, environment, env })
  for (const problem of parsed.problems) problems.add(problem)
  return parsed
}
