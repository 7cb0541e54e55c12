/** Going back to a revision: an apply whose desired state is a stored one. History goes forward: it makes a new revision. */

import { EcoError } from '../errors.ts'
import { scopeName } from '../model/ids.ts'
import type { Plan } from '../model/plan.ts'
import type { DesiredState } from '../model/spec.ts'
import type { ApplyIntent } from '../planner/intent.ts'
import { isSameRevision } from '../planner/revision-diff.ts'
import { readRevision } from '../state/read-revision.ts'
import { type Revision, RevisionStore } from '../state/revision-store.ts'
import { answerApply, tellTakeOver } from './answer-apply.ts'
import type { Daemon } from './daemon.ts'
import type { ApplyResult, Methods, RollbackParams, StreamEvent } from './protocol.ts'
import type { ScopeKeeper } from './scope-keeper.ts'

export async function planRollback(
  daemon: Daemon,
  params: Methods['rollbackPlan']['params'],
  emit: (event: StreamEvent) => void,
): Promise<{ readonly plan: Plan; readonly serial: number }> {
  const { keeper, store } = appliedScope(daemon, params)
  await keeper.whenHealed()
  const revision = params.serial === null ? revisionBefore(keeper, store) : readRevision(store, params.serial)
  const { intent, desired } = wanted(daemon, params, revision)
  tellTakeOver(keeper, emit)
  return { plan: keeper.preview(intent, desired), serial: revision.serial }
}

export function rollBack(
  daemon: Daemon,
  params: Methods['rollback']['params'],
  emit: (event: StreamEvent) => void,
): Promise<ApplyResult> {
  const { keeper, store } = appliedScope(daemon, params)
  const { plan: expectedPlan, by, wait } = params
  const revision = readRevision(store, params.serial)
  return answerApply(daemon, keeper, { ...wanted(daemon, params, revision), expectedPlan, by }, wait, emit)
}

interface AppliedScope {
  readonly keeper: ScopeKeeper
  readonly store: RevisionStore
}

/** @throws EcoError UNKNOWN_TARGET, before a scope of that name comes into being */
function appliedScope(daemon: Daemon, { scope }: RollbackParams): AppliedScope {
  const store = new RevisionStore(daemon.home, scope)
  if (store.serials().length === 0) {
    throw new EcoError('UNKNOWN_TARGET', `Nothing was ever applied as ${scopeName(scope)}.`, { hint: 'eco ls' })
  }
  return { keeper: daemon.keeper(scope), store }
}

/**
 * The newest revision before the current one that has not the same apps.
 *
 * @throws EcoError LOCKED during a rollout; STATE_DAMAGED: passing over one in silence would go back further than was meant
 */
function revisionBefore({ applied, scope, underWay }: ScopeKeeper, store: RevisionStore): Revision {
  // The current revision is the one before what is being rolled out: from there it would be one step too far.
  if (underWay !== null) {
    throw new EcoError('LOCKED', `A rollout is under way (${underWay}): going back could mean two things.`, {
      hint: `"eco rollout abort all" ends it and brings back revision ${applied.serial}; "eco rollback SERIAL" goes further`,
    })
  }
  const older = store.serials().filter((serial) => serial < applied.serial)
  for (const serial of older.toReversed()) {
    const revision = readRevision(store, serial)
    if (!isSameRevision(revision.apps, applied.apps)) return revision
  }
  const name = scopeName(scope)
  throw new EcoError(
    'UNKNOWN_TARGET',
    older.length === 0
      ? `${name} has only one revision, ${applied.serial}: there is nothing to go back to.`
      : `Every older revision of ${name} has the same apps as the current one, ${applied.serial}.`,
    { hint: 'eco history lists them' },
  )
}

function wanted(
  daemon: Daemon,
  { scope, allowEmpty }: RollbackParams,
  { serial, source, apps }: Revision,
): { readonly intent: ApplyIntent; readonly desired: DesiredState } {
  const specs = Object.entries(apps).map(([app, { spec }]) => [app, spec] as const)
  for (const [app, { env }] of specs) {
    for (const [name, value] of Object.entries(env)) {
      if (value.type === 'secret') checkSecret(daemon, value.sealed, { app, name, serial })
    }
  }
  return {
    // Whatever file it came from, it was applied here before.
    intent: { kind: 'apply', only: null, allowEmpty, takeOver: true, rollbackTo: serial },
    desired: { scope, source: source ?? { file: '', git: null }, apps: Object.fromEntries(specs) },
  }
}

/** Before anything is stopped: an app that gets no secret does not start. */
function checkSecret(
  daemon: Daemon,
  sealed: string,
  { app, name, serial }: { readonly app: string; readonly name: string; readonly serial: number },
): void {
  try {
    daemon.openSecret(sealed)
  } catch (cause) {
    if (!(cause instanceof EcoError)) throw cause
    const { code, message, hint } = cause
    const details = [`Revision ${serial} has it as ${name} of ${app}. Nothing was changed.`]
    throw new EcoError(code, message, { details, hint: hint ?? undefined, cause })
  }
}
