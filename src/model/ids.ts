/**
 * Names and addresses. An app's full address is `project/environment/app`; one running copy of it adds its slot:
 * `shop/production/api#0`.
 */

/** Name of a project, an environment or an app. It becomes part of file names, so the alphabet is small. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

/** The environment of a file applied without `--env`. */
export const DEFAULT_ENVIRONMENT = 'default'

/** Milliseconds since 1970-01-01 UTC. */
export type EpochMs = number

/** A project in one environment: what an apply owns, and what pruning never leaves. */
export interface ScopeId {
  readonly project: string
  readonly environment: string
}

/** `shop/production` */
export function scopeName(scope: ScopeId): string {
  return `${scope.project}/${scope.environment}`
}

/** `api#0` */
export function instanceName(app: string, slot: number): string {
  return `${app}#${slot}`
}
