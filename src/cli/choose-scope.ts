import { locateFile } from '../config/locate.ts'
import { EcoError } from '../errors.ts'
import { type ScopeId, scopeName } from '../model/ids.ts'
import { knownScopes } from '../state/event-files.ts'
import { RevisionStore } from '../state/revision-store.ts'

export interface ScopeChoice {
  readonly project: string | null
  readonly environment: string | null
}

/**
 * The one scope that a command about revisions means: the only one, or the one that was applied from the ecosystem file
 * of the working directory.
 *
 * @param command for the hint: `eco history 3`
 * @throws EcoError UNKNOWN_TARGET when there is none, or when there are several to choose from
 */
export function chooseScope(home: string, choice: ScopeChoice, command: string): ScopeId {
  const known = knownScopes(home).filter((scope) => hasRevisions(home, scope))
  const { project, environment } = choice
  const meant = known.filter(
    (scope) =>
      (project === null || scope.project === project) && (environment === null || scope.environment === environment),
  )
  const [only] = meant
  if (only === undefined) throw nothingApplied(known, choice)
  if (meant.length === 1) return only
  const file = nearestFile()
  const [here, ...others] = meant.filter((scope) => file !== null && sourceOf(home, scope) === file)
  if (here !== undefined && others.length === 0) return here
  throw ambiguous(here === undefined ? meant : [here, ...others], command)
}

function hasRevisions(home: string, scope: ScopeId): boolean {
  try {
    return new RevisionStore(home, scope).serials().length > 0
  } catch {
    return true // damaged: whoever means it is to be told so
  }
}

/** The file that what is in force came from; null when it cannot be read. */
function sourceOf(home: string, scope: ScopeId): string | null {
  try {
    return new RevisionStore(home, scope).load().source?.file ?? null
  } catch {
    return null
  }
}

function nearestFile(): string | null {
  try {
    return locateFile(process.cwd())
  } catch {
    return null
  }
}

function nothingApplied(known: readonly ScopeId[], { project, environment }: ScopeChoice): EcoError {
  if (known.length === 0) {
    return new EcoError('UNKNOWN_TARGET', 'Nothing was ever applied here.', { hint: 'eco apply' })
  }
  return new EcoError('UNKNOWN_TARGET', `Nothing was ever applied as ${project ?? '*'}/${environment ?? '*'}.`, {
    hint: `known: ${known.map(scopeName).join(', ')}`,
  })
}

function ambiguous(scopes: readonly ScopeId[], command: string): EcoError {
  const names = scopes.map(scopeName)
  const oneProject = scopes.every(({ project }) => project === scopes[0]?.project)
  return new EcoError('UNKNOWN_TARGET', `${names.slice(0, -1).join(', ')} and ${names.at(-1)} have revisions.`, {
    details: scopes.map(
      ({ project, environment }) => `${command}${oneProject ? '' : ` --project ${project}`} --env ${environment}`,
    ),
    hint: 'say which one is meant, as above',
  })
}
