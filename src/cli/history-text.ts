/** Revisions for people: the list, and one of them with its changes. */

import { neutralise } from '../config/diagnostic.ts'
import { scopeName } from '../model/ids.ts'
import type { AppChange } from '../model/plan.ts'
import type { Source } from '../model/spec.ts'
import type { ChangedNames } from '../planner/revision-diff.ts'
import { changeLines } from '../planner/render-change.ts'
import { createStyle } from '../planner/text-style.ts'
import type { Revision } from '../state/revision-store.ts'
import { localTime } from './event-text.ts'
import { shortPath, terminalOptions } from './render-plan.ts'
import type { RevisionRow } from './revision-rows.ts'

/** Named in the list; of more, only their number. */
const NAMED = 3

const TITLES = ['serial', 'when', 'by', 'git', 'file', 'changes']

export function listText(scope: string, rows: readonly RevisionRow[]): string {
  const { color, ascii } = terminalOptions()
  const style = createStyle({ color, ascii })
  const current = rows[0]?.serial
  const cells = rows.map((row) => rowCells(row, row.serial === current).map((cell) => neutralise(cell)))
  // What a damaged one says instead of its cells is no reason to make a column wider.
  const whole = cells.filter((row) => row.length === TITLES.length)
  const widths = TITLES.map((title, column) =>
    Math.max(
      title.length,
      ...whole.map((row) => row[column]?.length ?? 0),
      ...(column === 0 ? serialWidths(cells) : []),
    ),
  )
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ')
  const lines = [style.paint('bold', scope), style.paint('dim', line(TITLES)), ...cells.map(line)]
  return lines.map((it) => `${it.trimEnd()}\n`).join('')
}

function serialWidths(cells: readonly (readonly string[])[]): number[] {
  return cells.map(([serial = '']) => serial.length)
}

function rowCells(row: RevisionRow, isCurrent: boolean): string[] {
  const serial = `${row.serial}${isCurrent ? ' (current)' : ''}`
  if (row.type === 'damaged') return [serial, `damaged: ${row.reason}`]
  const { at, by, source, exit_code, rollback_to } = row.revision
  const notes = [
    ...(rollback_to === undefined ? [] : [`rollback to ${rollback_to}`]),
    changedText(row),
    ...(exit_code === 0 ? [] : [`exit code ${exit_code}`]),
  ]
  return [serial, localTime(at), by, gitText(source), source === null ? '' : shortPath(source.file), notes.join('; ')]
}

function changedText({ serial, base, changed }: Extract<RevisionRow, { type: 'revision' }>): string {
  if (base === null || changed === null) return 'oldest that is kept'
  const parts = (['created', 'updated', 'destroyed'] as const).flatMap((kind) => namesText(kind, changed))
  const since = base === serial - 1 ? '' : ` (since ${base})`
  return `${parts.length === 0 ? 'no app' : parts.join(', ')}${since}`
}

function namesText(kind: keyof ChangedNames, changed: ChangedNames): string[] {
  const names = changed[kind]
  if (names.length === 0) return []
  return [`${kind} ${names.length > NAMED ? `${names.length} apps` : names.join(' ')}`]
}

function gitText(source: Source | null): string {
  const git = source?.git
  return git ? `${git.commit.slice(0, 7)}${git.dirty ? ' (dirty)' : ''}` : ''
}

export interface ShownRevision {
  readonly revision: Revision
  readonly isCurrent: boolean
  /** Serial of the revision that the changes are told from; 0: there was nothing before. null: none is kept. */
  readonly base: number | null
  readonly changes: readonly AppChange[]
}

export function revisionText({ revision, isCurrent, base, changes }: ShownRevision): string {
  const { scope, serial, source, at, by, plan, exit_code, rollback_to } = revision
  const options = terminalOptions()
  const style = createStyle(options)
  const git = gitText(source)
  const facts = [
    `  applied  ${localTime(at)} by ${neutralise(by)}`,
    ...(rollback_to === undefined ? [] : [`  by       eco rollback ${rollback_to}`]),
    ...(source === null ? [] : [`  file     ${neutralise(shortPath(source.file))}${git && `, git ${git}`}`]),
    `  plan     ${plan}`,
    ...(exit_code === 0 ? [] : [`  ended    with exit code ${exit_code}`]),
  ]
  const head = `${scopeName(scope)}  serial ${serial}${isCurrent ? ' (current)' : ''}`
  const width = Math.max(0, ...changes.map(({ app }) => app.length))
  const values = { width: options.width, fingerprints: true }
  const body = changes.flatMap((change) => changeLines(style, change, width, values))
  const lines = [
    style.paint('bold', head),
    ...facts,
    '',
    style.paint('bold', titleOf(base, changes.length)),
    ...body,
    ...(base === null ? [`${Object.keys(revision.apps).length} apps are in it: eco history ${serial} --json`] : []),
  ]
  return lines.map((line) => `${line.trimEnd()}\n`).join('')
}

function titleOf(base: number | null, count: number): string {
  if (base === null) return 'The revision before it is not kept any more, so what it changed is not known.'
  const since = base === 0 ? 'First revision' : `Changes since serial ${base}`
  return count === 0 ? `${since}: no app` : since
}
