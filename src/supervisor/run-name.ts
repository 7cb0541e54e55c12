import { randomBytes } from 'node:crypto'
import type { ScopeId } from '../model/ids.ts'

/** One run of an instance: from a spawn until nothing of it lives. */
export interface Run {
  readonly scope: ScopeId
  readonly app: string
  readonly slot: number
  /** Version of the app's spec it was started from. */
  readonly version: number
}

/**
 * The variable in the environment of every process of a run: `<digest of ECO_HOME>/<name of the run>`. What has it
 * belongs to the run, whatever session it is in and whoever its parents were.
 */
export const RUN_VARIABLE = 'ECO_RUN'

/** `shop:production:api:0:7:5f0c2a9be1d4`: names have no colon, and the last part makes it the only one ever. */
export function newRunName({ scope, app, slot, version }: Run): string {
  return [scope.project, scope.environment, app, slot, version, randomBytes(6).toString('hex')].join(':')
}

/** null when it is no name of a run. */
export function parseRunName(name: string): Run | null {
  const [project, environment, app, slot, version, token, ...rest] = name.split(':')
  if (!project || !environment || !app || !token || rest.length > 0) return null
  if (!isCount(slot) || !isCount(version)) return null
  return { scope: { project, environment }, app, slot: Number(slot), version: Number(version) }
}

function isCount(text: string | undefined): boolean {
  return text !== undefined && /^\d{1,9}$/.test(text)
}
