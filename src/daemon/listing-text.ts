/** The table of `eco ls`: laid out in the daemon, whose code is warm; a cold client would take longer. */

import { outcomeText, type RunOutcome } from '../model/runs.ts'
import type { ListedApp, ListedHold, ListedInstance, Listing } from './protocol.ts'

export interface TableOptions {
  readonly color: boolean
  /** Columns of the terminal; null: not a terminal, print plain rows. */
  readonly width: number | null
  readonly now: number
}

interface Column {
  readonly title: string
  readonly right?: boolean
  /** Dropped first when the terminal is narrow; higher goes earlier. */
  readonly expendable: number
}

const COLUMNS: readonly Column[] = [
  { title: 'app', expendable: 0 },
  { title: 'ready', right: true, expendable: 0 },
  { title: 'state', expendable: 0 },
  { title: 'pid', right: true, expendable: 1 },
  { title: 'uptime', right: true, expendable: 3 },
  { title: 'restarts', right: true, expendable: 4 },
  { title: 'cpu', right: true, expendable: 6 },
  { title: 'memory', right: true, expendable: 5 },
  { title: 'port', expendable: 2 },
  { title: 'rev', right: true, expendable: 7 },
]

type Cell = { readonly text: string; readonly style?: Style }
type Row = readonly Cell[]
type Style = 'dim' | 'bold' | 'green' | 'yellow' | 'red'

/** Groups instances under their app, apps under their scope; fits the terminal. */
export function renderListing(listing: Listing, options: TableOptions): string {
  if (options.width === null) return plainRows(listing, options.now)
  if (listing.apps.length === 0) return 'Nothing is applied here yet. Next: eco apply (or eco init for a first file)\n'
  const blocks: string[] = []
  const rows = new Map<string, Row[]>()
  for (const app of listing.apps) {
    const scope = `${app.project}/${app.environment}`
    rows.set(scope, [...(rows.get(scope) ?? []), ...appRows(app, options.now)])
  }
  const columns = fitColumns([...rows.values()].flat(), options.width)
  for (const [scope, body] of rows) blocks.push(renderBlock(scope, body, columns, options))
  return `${blocks.join('\n')}${notes(listing, options)}`
}

function renderBlock(
  scope: string,
  rows: readonly Row[],
  columns: readonly FittedColumn[],
  { color }: TableOptions,
): string {
  const header = columns.map(({ column, width }) =>
    pad({ text: column.title, style: 'dim' }, width, column.right, color),
  )
  const lines = rows.map((row) =>
    columns
      .map(({ index, column, width }) => pad(row[index] ?? { text: '' }, width, column.right, color))
      .join('  ')
      .trimEnd(),
  )
  return `${paint(scope, 'bold', color)}\n${header.join('  ').trimEnd()}\n${lines.join('\n')}\n`
}

/** One row for an app; a single instance is shown in it, several follow it. */
function appRows(app: ListedApp, now: number): Row[] {
  const only = app.instances.length === 1 ? app.instances[0] : undefined
  const rows: Row[] = [
    [
      { text: app.app },
      { text: readyText(app) },
      appStateCell(app),
      ...(only && (app.kind !== 'cron' || only.pid !== null) ? instanceCells(only, now) : sumCells(app, now)),
      { text: app.listen.join(' ') },
      { text: app.revision > 0 ? String(app.revision) : '', style: 'dim' },
    ],
  ]
  if (only) return rows
  app.instances.forEach((instance, i) => {
    const branch = i === app.instances.length - 1 ? '└' : '├'
    rows.push([
      { text: ` ${branch} #${instance.slot}`, style: 'dim' },
      { text: '' },
      instanceState(instance),
      ...instanceCells(instance, now),
      { text: '' },
      { text: '' },
    ])
  })
  return rows
}

function instanceCells(instance: ListedInstance, now: number): Cell[] {
  return [
    { text: instance.pid === null ? '' : String(instance.pid) },
    { text: instance.started_at === null ? '' : duration(now - Date.parse(instance.started_at)) },
    { text: String(instance.restarts), ...(instance.restarts > 0 ? { style: 'yellow' as const } : {}) },
    {
      text: instance.cpu_percent === null ? '' : `${instance.cpu_percent.toFixed(instance.cpu_percent < 10 ? 1 : 0)}%`,
    },
    { text: instance.memory_bytes === null ? '' : bytes(instance.memory_bytes) },
  ]
}

function sumCells(app: ListedApp, now: number): Cell[] {
  const total = (of: (instance: ListedInstance) => number | null): number =>
    app.instances.reduce((sum, instance) => sum + (of(instance) ?? 0), 0)
  if (app.instances.every((it) => it.pid === null))
    return [{ text: '' }, { text: nextRun(app, now) }, { text: '' }, { text: '' }, { text: '' }]
  return [
    { text: '' },
    { text: '' },
    { text: String(total((it) => it.restarts)) },
    { text: `${total((it) => it.cpu_percent).toFixed(1)}%` },
    { text: bytes(total((it) => it.memory_bytes)) },
  ]
}

function readyText(app: ListedApp): string {
  return app.kind === 'service' ? `${app.ready}/${app.wanted}` : '-'
}

function appStateCell(app: ListedApp): Cell {
  const { state, kind, hold, reason, instances } = app
  const isUnready = kind === 'service' && state === 'running' && instances.some(({ ready }) => !ready)
  const text = isUnready ? 'unready' : state
  const style = isUnready || (state === 'scheduled' && reason) ? 'yellow' : stateStyle(state)
  if (hold) return { text: `${text} (held)`, style }
  const outcome = state === 'scheduled' ? shownOutcome(app) : null
  if (outcome !== null) return { text: `${text} (${outcome === 'completed' ? 'ok' : outcomeText(outcome)})`, style }
  return { text, style }
}

/** `next 03:00Z`; the day where that is further away. */
function nextRun({ next_run_at: next }: ListedApp, now: number): string {
  if (next === null) return ''
  return `next ${Date.parse(next) - now < 86_400_000 ? `${next.slice(11, 16)}Z` : next.slice(0, 10)}`
}

function stateStyle(state: string): Style {
  if (state === 'running' || state === 'completed' || state === 'scheduled') return 'green'
  if (state === 'failed') return 'red'
  return state === 'stopped' || state === 'exited' ? 'dim' : 'yellow'
}

/** Lines under the table: why something is not as it should be. */
function notes(listing: Listing, { color, now }: TableOptions): string {
  const lines = listing.apps.flatMap((app) => {
    if (app.hold) {
      const what = app.hold.verb === 'stop' ? 'stopped' : `scaled to ${app.hold.instances}`
      return [`${app.app}: ${what} by ${app.hold.by}${untilText(app.hold)}; ${endText(app)}`]
    }
    const failed = app.state === 'failed' || app.kind === 'cron'
    if (app.reason === null) return []
    const isPaused = app.rollout?.state === 'paused'
    const then = isPaused ? `eco rollout resume ${app.app}, or eco rollout abort ${app.app}` : `eco logs ${app.app}`
    const next = failed || isPaused ? `  next: ${then}` : ''
    const more = furtherLines(app.reason).map((line) => `  ${line}`)
    return [`${app.app}: ${firstLine(app.reason)}${nextAttempt(app, now)}${next}`, ...more]
  })
  return lines.length === 0 ? '' : `\n${lines.map((line) => paint(line, 'yellow', color)).join('\n')}\n`
}

/** ` until 18:04:05Z`, with the day: a hold may last for weeks. */
function untilText({ until }: ListedHold): string {
  return until === null ? '' : ` until ${until.slice(0, 10)} ${until.slice(11, 19)}Z`
}

function endText({ app, hold }: ListedApp): string {
  // Of a scaled app that runs, eco start takes nothing away.
  const command = hold?.verb === 'stop' || hold?.instances === 0 ? ` (eco start ${app})` : ''
  return `the next apply ends this${hold?.until ? ' before' : ''}${command}`
}

/** `, next attempt in 3s` */
function nextAttempt({ instances }: ListedApp, now: number): string {
  const times = instances.flatMap(({ next_attempt_at: at }) => (at === null ? [] : [Date.parse(at)]))
  return times.length === 0 ? '' : `, next attempt in ${duration(Math.min(...times) - now)}`
}

/** Running is not ready. */
function instanceState({ state, ready }: ListedInstance): Cell {
  return state === 'running' && !ready
    ? { text: 'unready', style: 'yellow' }
    : { text: state, style: stateStyle(state) }
}

/** Tab-free rows for scripts: one instance a line, every column, `-` for what is not known. */
function plainRows(listing: Listing, now: number): string {
  const lines: string[] = []
  for (const app of listing.apps) {
    const head = `${app.project}/${app.environment}/${app.app}`
    const tail = [app.listen.join(',') || '-', String(app.revision)]
    if (app.instances.length === 0)
      lines.push([head, readyText(app), plainState(app), '-', '-', '-', '-', '-', ...tail].join(' '))
    for (const instance of app.instances) {
      const cells = instanceCells(instance, now).map((cell) => cell.text || '-')
      lines.push(
        [
          `${head}#${instance.slot}`,
          readyText(app),
          app.kind === 'service' ? instance.state : plainState(app),
          ...cells,
          ...tail,
        ].join(' '),
      )
    }
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

/** One word; a failed run must not hide behind `scheduled`. */
function plainState(app: ListedApp): string {
  const { state } = app
  return state === 'scheduled' && app.reason !== null ? `${state}(${shownOutcome(app)})` : state
}

/** A run that went well has no reason to give: those due since then were skipped. */
function shownOutcome({ reason, last_run: last }: ListedApp): RunOutcome | null {
  const outcome = last?.outcome ?? null
  return reason !== null && (outcome === null || outcome === 'completed') ? 'skipped' : outcome
}

interface FittedColumn {
  readonly column: Column
  readonly index: number
  readonly width: number
}

/** Drops the most expendable columns until the rest fits. */
function fitColumns(rows: readonly Row[], width: number): FittedColumn[] {
  let columns = COLUMNS.map((column, index) => ({
    column,
    index,
    width: Math.max(column.title.length, ...rows.map((row) => row[index]?.text.length ?? 0)),
  }))
  const total = (): number => columns.reduce((sum, it) => sum + it.width + 2, -2)
  while (total() > width) {
    const most = Math.max(...columns.map(({ column }) => column.expendable))
    if (most === 0) break
    columns = columns.filter(({ column }) => column.expendable !== most)
  }
  const over = total() - width
  return columns.map((it) => (it.index === 0 && over > 0 ? { ...it, width: Math.max(8, it.width - over) } : it))
}

function pad(cell: Cell, width: number, right: boolean | undefined, color: boolean): string {
  const text = cell.text.length > width ? `${cell.text.slice(0, width - 1)}…` : cell.text
  const space = ' '.repeat(width - text.length)
  const painted = cell.style ? paint(text, cell.style, color) : text
  return right ? space + painted : painted + space
}

const CODES: Readonly<Record<Style, number>> = { dim: 2, bold: 1, green: 32, yellow: 33, red: 31 }

function paint(text: string, style: Style, color: boolean): string {
  return color && text !== '' ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text
}

export function firstLine(reason: string): string {
  return reason.split('\n', 1)[0] ?? ''
}

/** The reason of a failed hook has what it printed below its first line. */
export function furtherLines(reason: string): string[] {
  return reason.split('\n').slice(1)
}

/** `5s`, `12m`, `3h`, `41d`: one unit is enough for a glance. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 100) return `${seconds}s`
  if (seconds < 6000) return `${Math.floor(seconds / 60)}m`
  if (seconds < 360_000) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

/** `45.9M` */
export function bytes(count: number): string {
  if (count >= 2 ** 30) return `${(count / 2 ** 30).toFixed(1)}G`
  if (count >= 2 ** 20) return `${(count / 2 ** 20).toFixed(1)}M`
  return `${Math.round(count / 1024)}K`
}
