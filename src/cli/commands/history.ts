import { scopeName } from '../../model/ids.ts'
import { renderChange } from '../../planner/render-json.ts'
import { diffRevisions } from '../../planner/revision-diff.ts'
import { ecoHome } from '../../state/paths.ts'
import { readRevision } from '../../state/read-revision.ts'
import { type Revision, RevisionStore } from '../../state/revision-store.ts'
import { chooseScope, type ScopeChoice } from '../choose-scope.ts'
import { listText, revisionText, type ShownRevision } from '../history-text.ts'
import { parseSerial } from '../parse-serial.ts'
import { revisionBefore, type RevisionRow, revisionRows } from '../revision-rows.ts'
import { writeOut } from '../write-out.ts'

/** `eco history`: read from the files, so it needs no daemon. */
export function history(serialText: string | null, choice: ScopeChoice, json: boolean): void {
  const home = ecoHome()
  const serial = serialText === null ? null : parseSerial(serialText, 'eco history')
  const scope = chooseScope(home, choice, ['eco history', ...(serial === null ? [] : [serial])].join(' '))
  const store = new RevisionStore(home, scope)
  if (serial !== null) {
    const shown = showRevision(store, serial)
    writeOut(json ? revisionJson(shown) : revisionText(shown))
    return
  }
  const rows = revisionRows(store)
  writeOut(json ? listJson(store, rows) : listText(scopeName(scope), rows))
}

function showRevision(store: RevisionStore, serial: number): ShownRevision {
  const revision = readRevision(store, serial)
  const before = revisionBefore(store, serial)
  if (before !== null && before.serial !== serial - 1) {
    const missing = store.read(serial - 1)
    const why = missing.type === 'damaged' ? `is damaged (${missing.reason})` : 'is not there'
    process.stderr.write(`Revision ${serial - 1} ${why}; ${serial} is compared with ${before.serial}.\n`)
  }
  return {
    revision,
    isCurrent: store.serials().at(-1) === serial,
    base: before?.serial ?? null,
    changes: before === null ? [] : diffRevisions(before.apps, revision.apps),
  }
}

function listJson({ scope }: RevisionStore, rows: readonly RevisionRow[]): string {
  const current = rows[0]?.serial ?? null
  const revisions = rows.map((row) => {
    const head = { serial: row.serial, current: row.serial === current }
    if (row.type === 'damaged') return { ...head, damaged: row.reason }
    return { ...head, damaged: null, ...factsJson(row.revision), base: row.base, changed: row.changed }
  })
  return `${JSON.stringify({ format_version: '1.0', ...scope, revisions })}\n`
}

function revisionJson({ revision, isCurrent, base, changes }: ShownRevision): string {
  const { scope, serial, apps } = revision
  const out = {
    format_version: '1.0',
    ...scope,
    serial,
    current: isCurrent,
    ...factsJson(revision),
    base,
    changes: base === null ? null : changes.map((change) => renderChange(scope, change)),
    apps: Object.keys(apps).toSorted(),
  }
  return `${JSON.stringify(out)}\n`
}

function factsJson({ at, by, plan, exit_code, rollback_to, source }: Omit<Revision, 'apps'>): object {
  return {
    at,
    by,
    plan_id: plan,
    exit_code,
    rollback_to: rollback_to ?? null,
    file: source?.file ?? null,
    git: source?.git ? { sha: source.git.commit, dirty: source.git.dirty } : null,
  }
}
