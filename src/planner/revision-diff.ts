import type { AppliedApp } from '../model/applied.ts'
import { worstImpact } from '../model/impact.ts'
import type { AppChange } from '../model/plan.ts'
import { createdFields, diffSpecs, specsEqual } from './diff.ts'
import { compareNames } from './order.ts'

type Apps = Readonly<Record<string, AppliedApp>>

/** What one applied state changed in the one before it, by name: as a plan would have shown it. */
export function diffRevisions(before: Apps, after: Apps): readonly AppChange[] {
  return namesOf(before, after).flatMap((app) => change(app, get(before, app), get(after, app)) ?? [])
}

/** Whether two applied states are of the same apps, whatever their versions. */
export function isSameRevision(before: Apps, after: Apps): boolean {
  return namesOf(before, after).every((app) => {
    const [old, now] = [get(before, app), get(after, app)]
    return old !== null && now !== null && specsEqual(old.spec, now.spec)
  })
}

/** Names alone: enough for a list, where every field of every app would take long to compare. */
export interface ChangedNames {
  readonly created: readonly string[]
  readonly updated: readonly string[]
  readonly destroyed: readonly string[]
}

export function changedNames(before: Apps, after: Apps): ChangedNames {
  const names = namesOf(before, after)
  return {
    created: names.filter((app) => !Object.hasOwn(before, app)),
    updated: names.filter((app) => {
      const [old, now] = [get(before, app), get(after, app)]
      // A version counts up with every change; equal ones may still be of an app that was forgotten and came back.
      return old && now && (old.version !== now.version || !specsEqual(old.spec, now.spec))
    }),
    destroyed: names.filter((app) => !Object.hasOwn(after, app)),
  }
}

function change(app: string, before: AppliedApp | null, after: AppliedApp | null): AppChange | null {
  const versions = { fromVersion: before?.version ?? null, toVersion: after?.version ?? null }
  if (after === null) return { app, kind: 'destroy', impact: 'destroy', fields: [], ...versions }
  if (before === null) return { app, kind: 'create', impact: 'scale', fields: createdFields(after.spec), ...versions }
  const fields = diffSpecs(before.spec, after.spec)
  if (fields.length === 0 && before.version === after.version) return null
  const worst = worstImpact(fields.map(({ impact }) => impact))
  const exclusive = before.spec.rollout.exclusive || after.spec.rollout.exclusive
  return { app, kind: 'update', impact: worst === 'roll' && exclusive ? 'restart' : worst, fields, ...versions }
}

function namesOf(before: Apps, after: Apps): readonly string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted(compareNames)
}

/** App names are the user's: `constructor` is one. */
function get(apps: Apps, app: string): AppliedApp | null {
  return Object.hasOwn(apps, app) ? (apps[app] ?? null) : null
}
