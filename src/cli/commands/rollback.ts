import { callOrStart } from '../../daemon/ensure.ts'
import { EXIT } from '../../errors.ts'
import { hasWork } from '../../model/plan.ts'
import { ecoHome } from '../../state/paths.ts'
import { VERSION } from '../../version.ts'
import { chooseScope, type ScopeChoice } from '../choose-scope.ts'
import { orWhatBecame } from '../after-the-end.ts'
import { confirm } from '../confirm.ts'
import { followApply } from '../follow-apply.ts'
import { parseSerial } from '../parse-serial.ts'
import { actor } from '../plan-request.ts'
import { printOutcome } from '../print-outcome.ts'
import type { RollbackOptions } from '../program.ts'
import { renderForTerminal } from '../render-plan.ts'
import { printResult, sayTakeOver } from './apply.ts'

/** `eco rollback`: makes the scope what it was at an older revision, by a plan like any other. @returns the exit code */
export async function rollback(
  serialText: string | null,
  choice: ScopeChoice,
  options: RollbackOptions,
): Promise<number> {
  const home = ecoHome()
  const json = options.json === true
  const asked = serialText === null ? null : parseSerial(serialText, 'eco rollback')
  const scope = chooseScope(home, choice, ['eco rollback', ...(asked === null ? [] : [asked])].join(' '))
  const request = { scope, allowEmpty: options.allowEmpty === true }
  const { plan, serial } = await callOrStart(
    'rollbackPlan',
    { ...request, serial: asked },
    { home, onEvent: sayTakeOver },
  )
  if (options.dryRun === true) {
    const flags = [
      ...(choice.project === null ? [] : ['--project', choice.project]),
      ...(choice.environment === null ? [] : ['--env', choice.environment]),
    ]
    if (!json) process.stdout.write(renderForTerminal(plan, ['eco rollback', serial, ...flags].join(' ')))
    else {
      const { renderJson } = await import('../../planner/render-json.ts')
      process.stdout.write(`${JSON.stringify(renderJson(plan, { ecoVersion: VERSION, exitCode: EXIT.ok }), null, 2)}\n`)
    }
    return EXIT.ok
  }
  if (!json) process.stdout.write(renderForTerminal(plan, null))
  // Guards are for the daemon to say, with what to type.
  if (hasWork(plan) && plan.guards.length === 0 && options.yes !== true) await confirm(`Go back to revision ${serial}?`)
  const params = { ...request, serial, plan: plan.id, by: actor(), wait: options.wait }
  const result = await orWhatBecame(
    () =>
      followApply(plan, { json, wait: options.wait }, (onEvent) => callOrStart('rollback', params, { home, onEvent })),
    async () => (await callOrStart('rollbackPlan', { ...request, serial }, { home })).plan,
    `eco rollback ${serial}`,
  )
  if (json) printResult(result)
  else if (hasWork(result.plan) || result.exit_code !== EXIT.ok) printOutcome(result)
  return result.exit_code
}
