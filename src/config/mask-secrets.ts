import type { MapNode, Span, TreeNode } from './tree.ts'

/** What may stand beside `secret: true` and be read by anyone. */
const OPEN_KEYS: ReadonlySet<string> = new Set(['secret', 'path', 'optional', 'from_env', 'from_file', 'from_command'])

/** `value: |` and the lines below it that are indented further. */
const BLOCK_VALUE = /(^([ \t]*)(?:- )?["']?value["']?[ \t]*:[ \t]*[|>][^\n]*\n)((?:\2[ \t]+[^\n]*\n?|[ \t]*\n)*)/gm

/** Shorter ones would mask half of the file. */
const MIN_SEARCHED = 4

/**
 * The text of a file with the secrets written in it blotted out, character by character, so that positions stay right.
 * What is printed of a file is this text.
 *
 * @param root null when the text could not be parsed: then everything behind a `value:` is blotted out
 */
export function maskSecrets(text: string, root: MapNode | null): string {
  if (!root) {
    return text
      .replace(BLOCK_VALUE, (_, key: string, _indent: string, block: string) => key + blot(block))
      .replace(/(\bvalue["']?[ \t]*:[ \t]*)([^\n]+)/g, (_, key: string, value: string) => key + blot(value))
  }
  let masked = text
  for (const { value, at } of secretLiterals(root)) {
    if (at)
      masked =
        masked.slice(0, at.start) +
        blot(masked.slice(at.start, at.start + at.length)) +
        masked.slice(at.start + at.length)
    if (value.length >= MIN_SEARCHED) masked = masked.replaceAll(value, blot)
  }
  return masked
}

/**
 * Every `value` that stands beside another key. Not only beside `secret: true`: who mistypes `sceret` is shown the line.
 */
function* secretLiterals(node: TreeNode): Generator<{ readonly value: string; readonly at: Span | null }> {
  if (node.kind === 'scalar') return
  if (node.kind === 'list') {
    for (const item of node.items) yield* secretLiterals(item)
    return
  }
  const value = node.entries.get('value')?.value
  if (value && node.entries.size > 1) {
    if (value.kind === 'scalar') yield { value: String(value.value), at: value.at }
    else yield { value: '', at: value.at }
  }
  if (node.entries.has('secret')) {
    // Whatever stands beside it was meant to be one: who mistypes `valeu` is shown the line, too.
    for (const [key, { value: other }] of node.entries) {
      if (other.kind !== 'scalar' || OPEN_KEYS.has(key) || typeof other.value === 'boolean') continue
      yield { value: String(other.value), at: other.at }
    }
  }
  for (const entry of node.entries.values()) yield* secretLiterals(entry.value)
}

function blot(text: string): string {
  return text.replace(/[^\n]/g, '*')
}
