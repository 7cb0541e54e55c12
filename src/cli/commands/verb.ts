import { callOrStart } from '../../daemon/ensure.ts'
import type { StreamEvent, VerbParams } from '../../daemon/protocol.ts'
import { hasWork, type Plan } from '../../model/plan.ts'
import { ecoHome } from '../../state/paths.ts'
import { confirm } from '../confirm.ts'
import { actor } from '../plan-request.ts'
import { printOutcome } from '../print-outcome.ts'
import { showProgress } from '../progress.ts'
import { renderForTerminal } from '../render-plan.ts'

/** start, stop, restart, reload, scale, delete: an edit of what is applied, through the same plan and executor. */
export async function runVerb(
  params: Omit<VerbParams, 'by'>,
  options: { readonly json: boolean; readonly confirmed: boolean },
): Promise<number> {
  const home = ecoHome()
  const request = { ...params, by: actor() }
  const { plans } = await callOrStart('verbPlan', request, { home })
  if (!options.json) for (const plan of plans) show(plan)
  if (!options.confirmed) await confirm('Delete?')
  const [first] = plans
  const quiet = options.json || plans.length !== 1 || first === undefined || !hasWork(first)
  const progress = quiet ? null : await showProgress(first)
  const onEvent = (event: StreamEvent): void => {
    if (event.type === 'scope' && event.event === 'steps_cancelled' && !options.json)
      process.stderr.write(`${event.message}\n`)
    progress?.onEvent(event)
  }
  let results
  try {
    const reply = await callOrStart('verb', request, { home, onEvent })
    results = reply.results
  } finally {
    await progress?.end()
  }
  const exitCode = Math.max(0, ...results.map((result) => result.exit_code))
  if (options.json) {
    const out = results.map(({ plan, results: steps, exit_code, serial, not_ready, problem }) => ({
      scope: `${plan.scope.project}/${plan.scope.environment}`,
      plan_id: plan.id,
      serial,
      exit_code,
      not_ready,
      problem,
      steps: steps.map(({ step, outcome }) => ({ id: step.id, app: step.app, action: step.action, ...outcome })),
    }))
    process.stdout.write(`${JSON.stringify({ format_version: '1.0', results: out, exit_code: exitCode })}\n`)
  } else for (const result of results) if (hasWork(result.plan)) printOutcome(result)
  return exitCode
}

function show(plan: Plan): void {
  process.stdout.write(renderForTerminal(plan, null))
}
