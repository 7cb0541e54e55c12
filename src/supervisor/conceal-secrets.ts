import type { AppSpec } from '../model/spec.ts'
import type { InstanceContext } from './environment.ts'

/** Shorter ones would blot out half of the text. */
const MIN_LENGTH = 4

/**
 * What a hook or a check printed becomes part of a reason, and reasons are stored, listed and streamed: the app's secrets
 * in it are replaced by the names of their variables. A secret of several lines (a key) is looked for line by line too.
 */
export function concealSecrets(text: string, { env }: AppSpec, context: Pick<InstanceContext, 'open'>): string {
  const parts = Object.entries(env).flatMap(([name, value]) => {
    if (value.type !== 'secret') return []
    const secret = context.open(value.sealed)
    return [secret, ...secret.split('\n')].map((part) => ({ part: part.trim(), name }))
  })
  return parts
    .filter(({ part }) => part.length >= MIN_LENGTH)
    .toSorted((a, b) => b.part.length - a.part.length)
    .reduce((so, { part, name }) => so.replaceAll(part, () => `(secret ${name})`), text)
}
