import type { AppliedApp, AppliedState } from '../model/applied.ts'
import type { Guard } from '../model/plan.ts'
import type { DesiredState } from '../model/spec.ts'
import type { Intent } from './intent.ts'

/** Reasons that concern the scope as a whole why a plan may not be applied as it stands. */
export function scopeGuards(
  { desired, applied, intent }: { desired: DesiredState; applied: AppliedState; intent: Intent },
  next: Readonly<Record<string, AppliedApp>>,
): readonly Guard[] {
  const guards: Guard[] = []
  const count = Object.keys(applied.apps).length
  const mayEmpty = intent.allowEmpty === true
  if (count > 0 && Object.keys(next).length === 0 && !mayEmpty) {
    const apps = count === 1 ? 'the only app' : `all ${count} apps`
    const message = `this would remove ${apps} of ${desired.scope.project}/${desired.scope.environment}`
    guards.push({ id: 'empty-scope', app: null, message, remedy: '--allow-empty' })
  }
  const known = applied.source?.file
  // Of a scope where nothing is left, there is nothing to take over.
  const isForeign = count > 0 && known !== undefined && known !== desired.source.file
  if (intent.kind === 'apply' && !intent.takeOver && isForeign) {
    const message = `this scope was applied from ${known}, not from ${desired.source.file}`
    guards.push({ id: 'other-source', app: null, message, remedy: '--take-over' })
  }
  return guards
}
