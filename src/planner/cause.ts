import { unreachable } from '../errors.ts'
import { instanceName } from '../model/ids.ts'
import type { AppChange, DriftItem } from '../model/plan.ts'
import { formatDuration } from './duration.ts'
import { fieldName } from './field-name.ts'
import type { Intent, VerbIntent } from './intent.ts'

/** Named in a cause; the rest is counted, for it stands in full among the changes and the drift. */
const NAMED = 3

/** Why a step happens: the verb, the change, the dependencies it restarts with, and the drift it repairs. */
export function describeCause(
  intent: Intent,
  change: AppChange | null,
  drift: readonly DriftItem[],
  restartsWith: readonly string[],
  given: string | null,
): string {
  const parts: string[] = []
  if (given !== null) parts.push(given)
  else if (intent.kind === 'verb' && restartsWith.length === 0) parts.push(describeVerb(intent))
  else if (change !== null) parts.push(describeChange(change, intent))
  if (given === null && restartsWith.length > 0) parts.push(`restarts with ${restartsWith.join(', ')}`)
  const healed = drift.filter((item) => item.heal === 'step')
  for (const item of healed.slice(0, NAMED)) parts.push(describeDrift(item))
  if (healed.length > NAMED) parts.push(`and ${healed.length - NAMED} more`)
  return parts.join('; ')
}

/** `eco scale +2 --for 2h` */
function describeVerb({ verb, instances, delta, forMs }: VerbIntent): string {
  const words = ['eco', verb]
  if (verb === 'scale' && delta !== undefined) words.push(delta < 0 ? String(delta) : `+${delta}`)
  else if (verb === 'scale' && instances !== null) words.push(String(instances))
  if (forMs !== undefined) words.push('--for', formatDuration(forMs))
  return words.join(' ')
}

function describeChange(change: AppChange, intent: Intent): string {
  const revision = intent.kind === 'apply' ? intent.rollbackTo : undefined
  if (change.kind === 'create') return revision === undefined ? 'new in the file' : `is in revision ${revision}`
  if (change.kind === 'destroy') {
    return revision === undefined ? 'not in the file any more' : `not in revision ${revision}`
  }
  const names = change.fields.slice(0, NAMED).map((field) => fieldName(field.path))
  const more = change.fields.length - names.length
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''} changed`
}

function describeDrift(item: DriftItem): string {
  const subject = item.instance ?? item.app
  switch (item.kind) {
    case 'held':
      return `ends ${item.cause}`
    case 'failed':
    case 'missing':
    case 'extra':
    case 'outdated':
    case 'crashing':
      return `${subject} ${item.kind}: ${item.cause}`
    case 'foreign-port':
      return item.cause
    default:
      return unreachable(item.kind)
  }
}

/** `api#2, api#3`; from three in a row on `api#0-7`. Keeps the order of the slots. */
export function describeSlots(app: string, slots: readonly number[]): string {
  const parts: string[] = []
  for (let start = 0, end = 0; start < slots.length; start = end) {
    const first = slots[start] ?? 0
    const step = (slots[start + 1] ?? first) < first ? -1 : 1
    for (end = start + 1; slots[end] === first + step * (end - start);) end++
    if (end - start >= 3) {
      parts.push(`${instanceName(app, first)}-${slots[end - 1]}`)
      continue
    }
    for (let index = start; index < end; index++) parts.push(instanceName(app, slots[index] ?? 0))
  }
  return parts.join(', ')
}
