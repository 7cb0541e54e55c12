import { allKeys, explainKey, type KeyReference } from '../../config/reference.ts'
import { EcoError } from '../../errors.ts'
import { wantsColor } from '../terminal.ts'

/** `eco explain [key]`: the reference of a key, from the schema. */
export function explain(key: string | null, json: boolean): void {
  if (key === null) {
    const keys = allKeys().filter((it) => it.key !== '')
    process.stdout.write(json ? `${JSON.stringify({ format_version: '1.0', keys })}\n` : overview(keys))
    return
  }
  const explanation = explainKey(key)
  if (!explanation.reference) {
    const near = explanation.suggestions
    throw new EcoError('USAGE', `There is no key "${key}".`, {
      hint: near.length > 0 ? `did you mean ${near.join(' or ')}?` : 'eco explain lists every key',
    })
  }
  const { reference } = explanation
  process.stdout.write(json ? `${JSON.stringify({ format_version: '1.0', ...reference })}\n` : page(reference))
}

function overview(keys: readonly KeyReference[]): string {
  const width = Math.max(...keys.map(({ key }) => key.length))
  const lines = keys.map(
    ({ key, impact, description }) =>
      `${key.padEnd(width)}  ${(impact ?? '').padEnd(7)}  ${firstSentence(description)}`,
  )
  return `${lines.join('\n')}\n\neco explain KEY tells more about one.\n`
}

function page(reference: KeyReference): string {
  const bold = (text: string): string => (wantsColor(process.stdout) ? `\u001b[1m${text}\u001b[0m` : text)
  const lines = [
    bold(reference.key),
    `  ${reference.description}`,
    '',
    `  type     ${reference.type}`,
    `  default  ${show(reference.default)}`,
    ...(reference.impact === null ? [] : [`  impact   ${reference.impact}${IMPACT_MEANING[reference.impact] ?? ''}`]),
    ...(reference.values.length > 0 ? [`  values   ${reference.values.join(', ')}`] : []),
    ...reference.examples.map((example) => `  example  ${lastKey(reference.key)}: ${show(example)}`),
    ...(reference.children.length > 0
      ? [
          '',
          '  keys below it:',
          ...reference.children.map((child) => `    ${child.key.padEnd(30)}  ${firstSentence(child.description)}`),
        ]
      : []),
  ]
  return `${lines.join('\n')}\n`
}

const IMPACT_MEANING: Readonly<Record<string, string>> = {
  none: ': a change of it alone does nothing to what runs',
  live: ': takes effect without touching a process',
  scale: ': starts or stops instances, the others go on',
  roll: ': instances are replaced one by one, each when its successor is ready; a job runs again',
  restart: ': instances are stopped, then started',
}

function show(value: unknown): string {
  return value === null || value === undefined ? 'none' : JSON.stringify(value)
}

function lastKey(key: string): string {
  return key.split('.').at(-1) ?? key
}

function firstSentence(text: string): string {
  const end = text.search(/[.:] /)
  return end < 0 ? text : text.slice(0, end)
}
