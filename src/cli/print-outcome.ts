import type { ApplyResult } from '../daemon/protocol.ts'
import type { StepResult } from '../executor/execute.ts'
import { EXIT, type ExitCode } from '../errors.ts'
import { neutralise } from '../config/diagnostic.ts'

/** The end of an apply or a verb: what is so now, and for every failed step the reason, its last words, the next command. */
export function printOutcome(result: ApplyResult): void {
  for (const { step, outcome } of result.results) {
    if (outcome.status !== 'done' && outcome.status !== 'skipped') printFailure(step, outcome)
  }
  for (const { app, instance, reason, log } of result.not_ready) printReason(app, `${instance} ${reason}`, log)
  if (result.problem !== null) process.stderr.write(`${result.problem}\n`)
  process.stdout.write(`${closing(result)}\n`)
}

function printFailure(
  step: StepResult['step'],
  outcome: Extract<StepResult['outcome'], { log: readonly string[] }>,
): void {
  const what = { failed: 'failed', 'rolled-back': 'was rolled back', kept: 'failed, and all stays as it is' }[
    outcome.status
  ]
  printReason(step.app, `${step.action} ${step.app} ${what}: ${outcome.reason}`, outcome.log)
}

function printReason(app: string, reason: string, log: readonly string[]): void {
  const lines = [reason]
  if (log.length > 0) lines.push('  its last words:', ...log.map((line) => `    ${neutralise(line)}`))
  lines.push(`  hint: eco logs ${app}; eco describe ${app}`)
  process.stderr.write(`${lines.join('\n')}\n`)
}

function closing({ results, exit_code, serial, plan }: ApplyResult): string {
  const scope = `${plan.scope.project}/${plan.scope.environment}`
  if (results.length === 0 && exit_code === EXIT.ok && plan.steps.length > 0) {
    return `Begun: ${plan.steps.length} steps on ${scope} go on in the daemon; "eco ls" shows how far it is.`
  }
  const done = results.filter(({ outcome }) => outcome.status === 'done').length
  const isCut = exit_code === EXIT.notReady && results.some(({ outcome }) => outcome.status === 'skipped')
  return `${isCut ? 'Cut short: not all of it is applied.' : VERDICT[exit_code]} ${done} of ${results.length} steps done on ${scope}, serial ${serial}.`
}

const VERDICT: Readonly<Record<ExitCode, string>> = {
  [EXIT.ok]: 'Done.',
  [EXIT.internal]: 'Failed.',
  [EXIT.changes]: 'Changes pending.',
  [EXIT.drift]: 'Drift.',
  [EXIT.invalid]: 'Invalid.',
  [EXIT.refused]: 'Refused.',
  [EXIT.rolledBack]: 'Rolled back: the old version serves.',
  [EXIT.needsPerson]: 'Failed: a person is needed.',
  [EXIT.notReady]: 'Applied, but not all of it is ready.',
}
