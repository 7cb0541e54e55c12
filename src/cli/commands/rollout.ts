import { neutralise } from '../../config/diagnostic.ts'
import { callOrStart } from '../../daemon/ensure.ts'
import type { ListedRollout, RolloutAction, Selection } from '../../daemon/protocol.ts'
import { EXIT, type ExitCode } from '../../errors.ts'
import { ecoHome } from '../../state/paths.ts'
import { actor } from '../plan-request.ts'

/** `eco rollout status|pause|resume|abort`. @returns the exit code */
export async function rolloutCommand(action: RolloutAction, selection: Selection, json: boolean): Promise<number> {
  const { rollouts } = await callOrStart('rollout', { ...selection, action, by: actor() }, { home: ecoHome() })
  const exitCode = exitCodeOf(rollouts)
  if (json) {
    process.stdout.write(`${JSON.stringify({ format_version: '1.0', rollouts, exit_code: exitCode })}\n`)
    return exitCode
  }
  if (rollouts.length === 0) process.stdout.write('No rollout is under way.\n')
  for (const rollout of rollouts) process.stdout.write(`${sentence(rollout)}\n`)
  return exitCode
}

/** Whoever goes back wants the old version: anything else is a failure. */
function exitCodeOf(rollouts: readonly ListedRollout[]): ExitCode {
  const statuses = rollouts.map(({ outcome }) => outcome?.status)
  if (statuses.includes('failed')) return EXIT.needsPerson
  if (statuses.includes('kept') || statuses.includes('skipped')) return EXIT.notReady
  return statuses.includes('done') ? EXIT.refused : EXIT.ok
}

const STATES: Readonly<Record<ListedRollout['state'], string>> = {
  progressing: 'goes on',
  paused: 'paused',
  'rolling-back': 'is going back',
}

function sentence({ project, environment, app, ...rollout }: ListedRollout): string {
  const { state, from_version, to_version, updated, wanted, reason, outcome } = rollout
  const name = `${project}/${environment}/${app}`
  if (outcome) return neutralise(`${name}: ${ended(outcome, from_version, to_version)}`)
  const where = `v${from_version} -> v${to_version}, ${updated} of ${wanted} available`
  const lines = [`${name}: ${STATES[state]}, ${where}${reason === null ? '' : `: ${reason}`}`]
  if (state === 'paused') lines.push(`  next: eco rollout resume ${app}, or eco rollout abort ${app}`)
  return lines.map(neutralise).join('\n')
}

function ended(outcome: NonNullable<ListedRollout['outcome']>, from: number, to: number): string {
  switch (outcome.status) {
    case 'rolled-back':
      return `went back: v${from} serves`
    case 'done':
      return `was over before it could be aborted: v${to} serves; eco rollback takes it back`
    case 'failed':
      return `could not go back: ${outcome.reason}`
    case 'kept':
    case 'skipped':
      return `did not go back: ${outcome.reason}`
  }
}
