import { EcoError } from '../errors.ts'
import { type ScopeId, scopeName } from '../model/ids.ts'
import type { PlannedChange } from '../model/plan.ts'
import type { Work } from './works.ts'

/** @param others apps that an apply of some apps would leave half-way */
export function lockedError(scope: ScopeId, work: Work, isRolling: boolean, others: readonly string[] = []): EcoError {
  const seconds = Math.round((Date.now() - work.since) / 1000)
  const names = [...new Set(others)].join(', ')
  const why = names === '' ? '' : ` It changes ${names} too, which --only would leave half-way.`
  return new EcoError('LOCKED', `${scopeName(scope)} is busy: ${work.what} by ${work.by}, for ${seconds}s now.${why}`, {
    hint: isRolling
      ? '"eco rollout status" shows how far it is; a newer "eco apply" takes it over, "eco rollout abort" goes back'
      : 'wait for it to end ("eco ls" shows how far it is), or cancel what it does to an app with "eco stop APP"',
  })
}

export function staleError(expected: string, { plan: now }: PlannedChange): EcoError {
  return new EcoError(
    'PLAN_STALE',
    `The plan ${expected} is stale: the plan would be ${now.id} now. Nothing was changed.`,
    {
      hint:
        now.rollbackTo === undefined
          ? 'look again with "eco diff", then apply'
          : `look again with "eco rollback ${now.rollbackTo} --dry-run"`,
    },
  )
}

const FREE_THE_PORT = 'stop what holds the port, or give the app another one'

/** @throws EcoError GUARD */
export function refuseGuards({ plan: { guards } }: PlannedChange): void {
  const [first, ...rest] = guards
  if (!first) return
  const remedies = guards.map((guard) => guard.remedy).filter((remedy) => remedy !== null)
  // No flag helps here.
  if (guards.some(({ id }) => id === 'foreign-port')) remedies.push(FREE_THE_PORT)
  throw new EcoError('GUARD', first.message, {
    details: rest.map((guard) => guard.message),
    hint: remedies.length > 0 ? remedies.join('; ') : undefined,
  })
}
