import type { AppChange, FieldChange } from '../model/plan.ts'
import { fieldName } from './field-name.ts'
import { secretSides, textValue } from './field-value.ts'
import { summaryKind } from './summary.ts'
import { shortenPair } from './text-style.ts'
import type { Color, Style } from './text-style.ts'

/** One character for what happens to an app; plain ASCII, readable without colour. */
export const GLYPHS = {
  create: '+',
  destroy: '-',
  live: '~',
  scale: '#',
  roll: '>',
  restart: '!',
  drift: '*',
  unchanged: '=',
} as const

const COLOR_OF = {
  create: 'green',
  destroy: 'red',
  live: 'cyan',
  scale: 'cyan',
  roll: 'yellow',
  restart: 'red',
} as const satisfies Partial<Record<keyof typeof GLYPHS, Color>>

export interface ValueOptions {
  readonly width: number
  readonly fingerprints: boolean
}

/** Values are not shortened below this, however narrow the terminal. */
const NARROWEST = 24
const WIDEST_IMPACT = '   restart'.length

/** An app's change: its line, then one line for each field. */
export function changeLines(
  style: Style,
  change: AppChange,
  nameWidth: number,
  options: ValueOptions,
): readonly string[] {
  const kind = summaryKind(change) ?? 'live'
  const versions = [change.fromVersion, change.toVersion].flatMap((version) => (version === null ? [] : `v${version}`))
  const title = `${GLYPHS[kind]} ${change.app.padEnd(nameWidth)}  ${kind}`
  const names = change.fields.map((field) => style.clean(fieldName(field.path)))
  const width = names.reduce((widest, name) => Math.max(widest, name.length), 0)
  const room = options.width - width - WIDEST_IMPACT - '      '.length
  const values = change.fields.map((field) => fieldText(style, field, change.kind === 'create', room, options))
  const valueWidth = values.reduce((widest, value) => Math.max(widest, value.length), 0)
  const lines = change.fields.map((field, index) => {
    const line = `    ${names[index]?.padEnd(width)}  ${values[index] ?? ''}`
    if (change.kind === 'create') return line
    return `${line.padEnd(width + valueWidth + '      '.length)}   ${field.impact}`
  })
  return [`${style.paint(COLOR_OF[kind], title)}  ${versions.join(' -> ')}`, ...lines]
}

/** What happened to a file a job reads; its digests say nothing to a person. */
function inputText({ before, after }: FieldChange): string {
  if (before === null) return 'new'
  return after === null ? 'gone' : 'changed'
}

function fieldText(style: Style, field: FieldChange, isNew: boolean, room: number, options: ValueOptions): string {
  const [before, after] = field.sensitive
    ? secretSides(field, options.fingerprints)
    : [textValue(field.path, field.before), textValue(field.path, field.after)]
  if (field.path.startsWith('inputs.')) return inputText(field)
  const clean = (value: string) => style.clean(value.replaceAll('…', style.ellipsis))
  if (isNew) return shortenPair('', clean(after), Math.max(NARROWEST, room), style.ellipsis)[1]
  const width = Math.max(NARROWEST, Math.floor((room - ' -> '.length) / 2))
  return shortenPair(clean(before), clean(after), width, style.ellipsis).join(' -> ')
}
