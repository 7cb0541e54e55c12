import { unreachable } from '../errors.ts'
import { instanceName } from '../model/ids.ts'
import type { AppChange, DriftItem, Verb } from '../model/plan.ts'
import { fieldName } from './field-name.ts'

/** Named in a cause; the rest is counted, for it stands in full among the changes and the drift. */
const NAMED = 3

/** Why a step happens: the verb, the change, the dependencies it restarts with, and the drift it repairs. */
export function describeCause(
  verb: Verb | null,
  change: AppChange | null,
  drift: readonly DriftItem[],
  instances: number | null,
  restartsWith: readonly string[],
  given: string | null,
): string {
  const parts: string[] = []
  if (given !== null) parts.push(given)
  else if (verb !== null && restartsWith.length === 0)
    parts.push(verb === 'scale' && instances !== null ? `eco scale ${instances}` : `eco ${verb}`)
  else if (change !== null) parts.push(describeChange(change))
  if (given === null && restartsWith.length > 0) parts.push(`restarts with ${restartsWith.join(', ')}`)
  const healed = drift.filter((item) => item.heal === 'step')
  for (const item of healed.slice(0, NAMED)) parts.push(describeDrift(item))
  if (healed.length > NAMED) parts.push(`and ${healed.length - NAMED} more`)
  return parts.join('; ')
}

function describeChange(change: AppChange): string {
  if (change.kind === 'create') return 'new in the file'
  if (change.kind === 'destroy') return 'not in the file any more'
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
