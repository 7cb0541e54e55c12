/**
 * Values that differ from instance to instance: `${instance + 3000}` in the file. In a spec such a place is a marker,
 * NUL `instance+3000` NUL, since a NUL can be in no variable and in no argument; it is resolved when an instance is
 * spawned, and shown as it is in the file.
 */

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

/** Text of the file that looks like a marker but is meant literally. */
const LITERAL = /\$\{(?=\s*(?:\d+\s*\+\s*)?instance\b)/g

/** The text as the file writes it: `:${instance + 3000}/`; a literal `${instance}` is `$${instance}`. */
export function showPerInstance(text: string): string {
  if (!text.includes('instance')) return text
  return text
    .replace(LITERAL, '$$${')
    .replace(MARKER, (_, offset: string) => (offset === '0' ? '${instance}' : `\${instance + ${offset}}`))
}
