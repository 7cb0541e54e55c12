/**
 * Values that differ from instance to instance: `${instance + 3000}` in the file. In a spec such a place is a marker,
 * NUL `instance+3000` NUL, since a NUL can be in no variable and in no argument; it is resolved when an instance is
 * spawned, and shown as it is in the file.
 */

import type { AppSpec } from './spec.ts'

const MARKER = /\0instance\+(\d+)\0/g

/** What stands in a spec for the slot of the instance plus `offset`. */
export function instanceMarker(offset: number): string {
  return `\0instance+${offset}\0`
}

export function isPerInstance(text: string): boolean {
  return text.includes('\0')
}

/** The text as the instance in this slot gets it. */
export function forSlot(text: string, slot: number): string {
  if (!isPerInstance(text)) return text
  return text.replace(MARKER, (_, offset: string) => String(Number(offset) + slot))
}

/** Dollar signs that would get another meaning beside an expression: the file doubles them. */
const DOLLARS = /\$+(?=\{\s*(?:\d+\s*\+\s*)?instance\b|\0)/g

/** The text as the file writes it: `:${instance + 3000}/`; a literal `${instance}` is `$${instance}`. */
export function showPerInstance(text: string): string {
  if (!text.includes('instance')) return text
  return text
    .replace(DOLLARS, (dollars) => dollars + dollars)
    .replace(MARKER, (_, offset: string) => (offset === '0' ? '${instance}' : `\${instance + ${offset}}`))
}

/** The argv of the instance in a slot. */
export function commandOf({ command }: Pick<AppSpec, 'command'>, slot: number): readonly string[] {
  return command.some(isPerInstance) ? command.map((word) => forSlot(word, slot)) : command
}

/** A spec for people and other programs: its variables and its command as the file writes them. */
export function showSpec(spec: AppSpec): AppSpec {
  const env = Object.entries(spec.env).map(([name, one]) => {
    return [name, one.type === 'plain' ? { ...one, value: showPerInstance(one.value) } : one] as const
  })
  const { out, err } = spec.output
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a path stays one, a word too
  const output = { ...spec.output, out: showPerInstance(out), err: showPerInstance(err) } as AppSpec['output']
  return { ...spec, command: spec.command.map(showPerInstance), env: Object.fromEntries(env), output }
}

/** The text without its markers: what is left must have no NUL. */
export function withoutMarkers(text: string): string {
  return isPerInstance(text) ? text.replace(MARKER, '') : text
}
