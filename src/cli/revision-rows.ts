/** The revisions of a scope as they are listed: each with what it changed in the one before it. */

import { changedNames, type ChangedNames } from '../planner/revision-diff.ts'
import type { Revision, RevisionStore } from '../state/revision-store.ts'

export type RevisionRow =
  | {
      readonly type: 'revision'
      readonly serial: number
      readonly revision: Omit<Revision, 'apps'>
      /** The revision that the changes are told from; 0: there was nothing before. null: that one is not kept any more. */
      readonly base: number | null
      readonly changed: ChangedNames | null
    }
  | { readonly type: 'damaged'; readonly serial: number; readonly reason: string }

/** Newest first. A damaged file costs its own row; the one after it is compared with the last that can be read. */
export function revisionRows(store: RevisionStore): RevisionRow[] {
  const rows: RevisionRow[] = []
  let before: Pick<Revision, 'serial' | 'apps'> | null = null
  // Two at a time: all of them with all their specs would take hundreds of megabytes.
  for (const serial of store.serials()) {
    const result = store.read(serial)
    if (result.type === 'missing') continue // removed while we looked
    if (result.type === 'damaged') {
      rows.push({ type: 'damaged', serial, reason: result.reason })
      continue
    }
    const { apps, ...revision } = result.value
    const base = before ?? beforeFirst(serial)
    const changed = base && changedNames(base.apps, apps)
    rows.push({ type: 'revision', serial, revision, base: base?.serial ?? null, changed })
    before = { serial, apps }
  }
  return rows.toReversed()
}

/**
 * The newest revision before a serial that can be read.
 *
 * @returns null when none is kept
 */
export function revisionBefore(store: RevisionStore, serial: number): Pick<Revision, 'serial' | 'apps'> | null {
  const older = store.serials().filter((it) => it < serial)
  for (const it of older.toReversed()) {
    const result = store.read(it)
    if (result.type === 'value') return result.value
  }
  return beforeFirst(serial)
}

/** Before the very first revision there was nothing; before the oldest that is kept there was one that is gone. */
function beforeFirst(serial: number): Pick<Revision, 'serial' | 'apps'> | null {
  return serial === 1 ? { serial: 0, apps: {} } : null
}
