import { callOrStart } from '../../daemon/ensure.ts'
import type { ApplyResult, StreamEvent, VerbParams } from '../../daemon/protocol.ts'
import { hasWork, type Plan, type Verb } from '../../model/plan.ts'
import { ecoHome } from '../../state/paths.ts'
import { confirm } from '../confirm.ts'
import { leavePaused } from '../leave-paused.ts'
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
  const { plans, unapplied } = await callOrStart('verbPlan', request, { home })
  if (!options.json) {
    for (const plan of plans) if (hasWork(plan) || unapplied.length === 0) show(plan)
    if (unapplied.length > 0) process.stdout.write(`${cancels(params.verb, unapplied)}\n`)
  }
  if (!options.confirmed) await confirm('Delete?')
  const [first] = plans
  const quiet = options.json || plans.length !== 1 || first === undefined || !hasWork(first)
  const progress = quiet ? null : await showProgress(first)
  const onEvent = (event: StreamEvent): void => {
    if (event.type === 'scope' && event.event === 'steps_cancelled' && !options.json)
      process.stderr.write(`${event.message}\n`)
    progress?.onEvent(event)
    leavePaused(event, options.json, () => progress?.end())
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
    const out = results.map(({ plan, results: steps, exit_code, serial, not_ready, discarded, problem }) => ({
      scope: `${plan.scope.project}/${plan.scope.environment}`,
      plan_id: plan.id,
      serial,
      exit_code,
      not_ready,
      discarded,
      problem,
      steps: steps.map(({ step, outcome }) => ({ id: step.id, app: step.app, action: step.action, ...outcome })),
    }))
    process.stdout.write(`${JSON.stringify({ format_version: '1.0', results: out, exit_code: exitCode })}\n`)
  } else {
    for (const result of results) {
      if (hasWork(result.plan) || result.not_ready.length > 0) printOutcome(result)
      else if (plans.some(hasWork) && results.length === 1) process.stdout.write(`${NOTHING_LEFT}\n`)
      if (result.discarded.length > 0) process.stdout.write(`${discardedText(result)}\n`)
    }
  }
  return exitCode
}

const NOTHING_LEFT = 'Nothing was left to do: what went on meanwhile has done it; "eco ls" shows what there is.'

function cancels(verb: Verb, apps: readonly string[]): string {
  return `eco ${verb} cancels the first apply of ${apps.join(', ')}, and stops what it has started.`
}

function discardedText({ discarded, plan }: ApplyResult): string {
  const scope = `${plan.scope.project}/${plan.scope.environment}`
  return `Cancelled and stopped on ${scope}: ${discarded.join(', ')}. Nothing of it is applied; "eco apply" begins again.`
}

function show(plan: Plan): void {
  process.stdout.write(renderForTerminal(plan, null))
}
