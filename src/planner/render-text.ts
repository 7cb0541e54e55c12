import { scopeName } from '../model/ids.ts'
import type { AppChange, DriftItem, Guard, Plan, Step } from '../model/plan.ts'
import { changeLines, GLYPHS } from './render-change.ts'
import type { ValueOptions } from './render-change.ts'
import { stepPhrase } from './step-phrase.ts'
import { availability, summarize } from './summary.ts'
import { createStyle } from './text-style.ts'
import type { Style } from './text-style.ts'

export interface TextOptions {
  readonly color: boolean
  /** Columns of the terminal; long values are shortened to fit, names never. */
  readonly width: number
  readonly ascii?: boolean
  /** Lists unchanged apps too. */
  readonly all?: boolean
  /** False leaves the fingerprints of secrets out. */
  readonly fingerprints?: boolean
  /** The command that applies exactly this plan; null: none is shown. */
  readonly apply: string | null
}

/** A plan for people. It says what renderJson() says, with long values shortened and unchanged apps left out. */
export function renderText(plan: Plan, options: TextOptions): string {
  const style = createStyle({ color: options.color, ascii: options.ascii === true })
  const unchanged = options.all === true ? plan.unchanged : []
  const isNoop = plan.steps.length === 0 && plan.changes.length === 0 && plan.guards.length === 0
  const values: ValueOptions = { width: options.width, fingerprints: options.fingerprints !== false }
  const blocks = [
    block(style, `Drift since serial ${plan.base}`, driftLines(style, plan.drift)),
    block(style, 'Changes', [...changes(style, plan.changes, values), ...unchangedLines(style, unchanged)]),
    block(style, 'Steps', stepLines(style, plan.steps)),
    block(
      style,
      'Refused',
      plan.guards.flatMap((guard) => guardLines(style, guard)),
    ),
    isNoop ? [noopLine(style, plan)] : footer(style, plan, options.apply),
  ].filter((lines) => lines.length > 0)
  const head = isNoop && blocks.length === 1 ? [] : [[header(style, plan)]]
  return [...head, ...blocks].map((lines) => lines.map((line) => `${line.trimEnd()}\n`).join('')).join('\n')
}

function header(style: Style, plan: Plan): string {
  const { source, only } = plan
  const parts = [`${scopeName(plan.scope)}  ${style.clean(source.file)}`, `serial ${plan.base}`]
  if (source.git !== null) parts.push(`git ${source.git.commit.slice(0, 7)} (${source.git.dirty ? 'dirty' : 'clean'})`)
  if (plan.verb !== null) parts.unshift(`eco ${[plan.verb, ...(only ?? [])].join(' ')}`)
  else if (plan.rollbackTo !== undefined) parts.unshift(`eco rollback ${plan.rollbackTo}`)
  else if (only !== null) parts.push(`only ${only.join(', ')}`)
  return style.paint('bold', parts.join(` ${style.dot} `))
}

function block(style: Style, title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [style.paint('bold', title), ...lines]
}

const HEALS: Readonly<Record<DriftItem['heal'], string>> = {
  step: 'repaired by this plan',
  supervisor: 'already being repaired',
  none: 'left as it is',
  blocked: 'blocks this plan',
}

function driftLines(style: Style, drift: readonly DriftItem[]): readonly string[] {
  const names = drift.map((item) => item.instance ?? item.app)
  const widths = [columnWidth(names), columnWidth(drift.map(({ kind }) => kind))] as const
  return drift.map((item, index) => {
    const subject = `${names[index]?.padEnd(widths[0])}  ${item.kind.padEnd(widths[1])}`
    const heal = item.kind === 'held' && item.heal === 'step' ? 'ends with this plan' : HEALS[item.heal]
    return `${style.paint('magenta', `${GLYPHS.drift} ${subject}`)}  ${style.clean(item.cause)}  -> ${heal}`
  })
}

function changes(style: Style, list: readonly AppChange[], options: ValueOptions): readonly string[] {
  const width = columnWidth(list.map(({ app }) => app))
  return list.flatMap((change) => changeLines(style, change, width, options))
}

function unchangedLines(style: Style, apps: readonly string[]): readonly string[] {
  return apps.map((app) => style.paint('dim', `${GLYPHS.unchanged} ${app}  unchanged`))
}

function stepLines(style: Style, steps: readonly Step[]): readonly string[] {
  const numbers = columnWidth(steps.map(({ id }) => `#${id}`))
  const titles = steps.map((step) => `${step.action} ${step.app}`)
  const width = columnWidth(titles)
  return steps.flatMap((step, index) => {
    const details = [style.clean(step.cause)]
    if (step.gate !== null) details.push(style.clean(step.gate))
    if (step.after.length > 0) details.push(`after ${step.after.map((id) => `#${id}`).join(', ')}`)
    return [
      `${`#${step.id}`.padStart(numbers)}  ${titles[index]?.padEnd(width)}  ${stepPhrase(step)}`,
      `${' '.repeat(numbers + 2)}${style.paint('dim', details.join(` ${style.dot} `))}`,
    ]
  })
}

function guardLines(style: Style, guard: Guard): readonly string[] {
  const line = `${style.paint('red', guard.id)}  ${style.clean(guard.message)}`
  return guard.remedy === null ? [line] : [line, `  to go on: ${style.clean(guard.remedy)}`]
}

function noopLine(style: Style, plan: Plan): string {
  const { apps, instances } = plan.totals
  const counted = `${plural(apps, 'app')}, ${plural(instances, 'instance')}`
  const file =
    plan.rollbackTo === undefined
      ? style.clean(plan.source.file.split(/[\\/]/).at(-1) ?? plan.source.file)
      : `revision ${plan.rollbackTo}`
  if (plan.verb !== null) return `Nothing to do for eco ${plan.verb}.`
  if (plan.drift.length > 0) return `No changes to ${counted} of ${file} (serial ${plan.base}).`
  return `No changes. ${counted} match ${file} (serial ${plan.base}).`
}

function footer(style: Style, plan: Plan, apply: string | null): readonly string[] {
  const { noop, drift, steps, ...counts } = summarize(plan)
  const parts = Object.entries(counts).flatMap(([kind, count]) => (count > 0 ? `${count} ${kind}` : []))
  if (drift > 0) parts.push(plural(drift, 'drift item'))
  parts.push(plural(steps, 'step'))
  if (noop > 0) parts.push(`${noop} unchanged`)
  const lines = [`Plan ${plan.id}: ${parts.join(', ')}`]
  for (const { level, action, apps, effect } of availability(plan)) {
    const text = `${action} ${apps.join(', ')}: ${effect}`
    lines.push(level === 'warning' ? style.paint('yellow', `warning: ${text}`) : text)
  }
  if (plan.guards.length > 0) lines.push('This plan cannot be applied as it stands.')
  else if (apply !== null && steps > 0) lines.push(`Apply exactly this: ${apply}`)
  return lines
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function columnWidth(cells: readonly string[]): number {
  return cells.reduce((width, cell) => Math.max(width, cell.length), 0)
}
