import { callOrStart } from '../../daemon/ensure.ts'
import type { ApplyResult, StreamEvent } from '../../daemon/protocol.ts'
import { EcoError, EXIT } from '../../errors.ts'
import { hasWork, type Plan } from '../../model/plan.ts'
import type { DesiredState } from '../../model/spec.ts'
import { ecoHome } from '../../state/paths.ts'
import { orWhatBecame } from '../after-the-end.ts'
import { confirm } from '../confirm.ts'
import { followApply } from '../follow-apply.ts'
import { leavePaused } from '../leave-paused.ts'
import { loadFile } from '../load-file.ts'
import { actor, intentOf, type PlanRequest, readPlan } from '../plan-request.ts'
import type { ApplyOptions } from '../program.ts'
import { lineProgress, type Progress } from '../progress.ts'
import { renderForTerminal } from '../render-plan.ts'
import { printOutcome } from '../print-outcome.ts'

/** `eco apply`: shows the plan, asks, applies exactly that, and waits until it is true. @returns the exit code */
export async function apply(file: string | null, options: ApplyOptions): Promise<number> {
  if (options.plan !== undefined && (file !== null || options.env !== undefined || options.only !== undefined)) {
    throw new EcoError('USAGE', 'A saved plan says what is applied: --plan takes no file, --env or --only.', {
      hint: `eco apply --plan ${options.plan}`,
    })
  }
  const saved = options.plan === undefined ? null : readPlan(options.plan)
  const request: PlanRequest = saved?.request ?? {
    desired: await withGitRevision(await loadFile(file, options.env ?? null)),
    intent: intentOf(options),
  }
  if (saved === null && options.yes === true && !process.stderr.isTTY) return applyAtOnce(request, options)
  const json = options.json === true
  const plan = await callOrStart('plan', request, { home: ecoHome(), onEvent: sayTakeOver })
  if (saved !== null && plan.id !== saved.planId) {
    throw new EcoError(
      'PLAN_STALE',
      `The plan ${saved.planId} is stale: it would be ${plan.id} now. Nothing was changed.`,
      {
        hint: 'look again with "eco diff --out FILE"',
      },
    )
  }
  if (!json) process.stdout.write(renderForTerminal(plan, null))
  // With --take-over there may be nothing to do but to note where the scope comes from now.
  if (!hasWork(plan) && plan.guards.length === 0 && request.intent.takeOver !== true) {
    return settle(request, plan, options)
  }
  if (plan.guards.length === 0 && options.yes !== true) await confirm('Apply this plan?')
  const result = await carryOut(request, plan, options)
  if (json) printResult(result)
  else printOutcome(result)
  return result.exit_code
}

/**
 * Nobody is asked and nobody watches: one question to the daemon does. It streams the plan before it acts, which is
 * printed while it works.
 */
async function applyAtOnce(request: PlanRequest, options: ApplyOptions): Promise<number> {
  const json = options.json === true
  let progress: Progress | null = null
  const onEvent = (event: StreamEvent): void => {
    if (options.wait) leavePaused(event, json, () => progress?.end())
    if (!json) sayTakeOver(event)
    if (event.type !== 'plan') return progress?.onEvent(event)
    if (json) return
    process.stdout.write(renderForTerminal(event.plan, null))
    if (options.wait) progress = lineProgress(event.plan)
  }
  const params = { ...request, plan: null, by: actor(), wait: options.wait }
  const result = await orWhatBecame(
    () => callOrStart('apply', params, { home: ecoHome(), onEvent }),
    () => callOrStart('plan', request, { home: ecoHome() }),
    'eco apply',
  )
  if (json) printResult(result)
  else if (hasWork(result.plan) || result.exit_code !== EXIT.ok) printOutcome(result)
  return result.exit_code
}

/** Whoever applies into a rollout ought to know. */
export function sayTakeOver(event: StreamEvent): void {
  if (event.type === 'scope' && event.event === 'rollout_taken_over') process.stderr.write(`${event.message}\n`)
}

/** There is nothing to do; whether all is ready is another question. */
async function settle(request: PlanRequest, plan: Plan, options: ApplyOptions): Promise<number> {
  const result: ApplyResult = options.wait
    ? await carryOut(request, plan, options)
    : { plan, results: [], not_ready: [], discarded: [], problem: null, exit_code: EXIT.ok, serial: plan.base }
  if (options.json === true) printResult(result)
  else if (result.exit_code !== EXIT.ok) printOutcome(result)
  return result.exit_code
}

async function carryOut(request: PlanRequest, plan: Plan, options: ApplyOptions): Promise<ApplyResult> {
  const params = { ...request, plan: plan.id, by: actor(), wait: options.wait }
  return orWhatBecame(
    () =>
      followApply(plan, { json: options.json === true, wait: options.wait }, (onEvent) =>
        callOrStart('apply', params, { home: ecoHome(), onEvent }),
      ),
    () => callOrStart('plan', request, { home: ecoHome() }),
    'eco apply',
  )
}

/** The commit the file is at, for the history. Not part of the plan: a commit alone changes nothing. */
async function withGitRevision(desired: DesiredState): Promise<DesiredState> {
  const { readGitRevision } = await import('../git-revision.ts')
  const git = await readGitRevision(desired.source.file)
  return git === null ? desired : { ...desired, source: { ...desired.source, git } }
}

export function printResult({ plan, results, not_ready, problem, exit_code, serial }: ApplyResult): void {
  const steps = results.map(({ step, outcome }) => ({ id: step.id, app: step.app, action: step.action, ...outcome }))
  process.stdout.write(
    `${JSON.stringify({ format_version: '1.0', plan_id: plan.id, serial, steps, not_ready, problem, exit_code })}\n`,
  )
}
