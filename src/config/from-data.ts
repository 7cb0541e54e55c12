import { scalar } from './tree.ts'
import type { MapEntry, ScalarValue, Span, TreeNode } from './tree.ts'

/**
 * The tree of an evaluated TS/JS config. Its data has no positions, so keys are searched in the source: a key that
 * stands once in the block of its parent is taken for the one; anything less sure has no position.
 *
 * @param data plain data, as the evaluation worker checked it
 */
export function fromData(data: unknown, source: string): TreeNode {
  return convert(data, source, { start: 0, length: source.length }, null)
}

/** @param block where the value's own keys are searched, null when that is not known */
function convert(data: unknown, source: string, block: Span | null, at: Span | null): TreeNode {
  if (Array.isArray(data)) {
    return { kind: 'list', items: data.map((item) => convert(item, source, block, at)), at }
  }
  if (typeof data !== 'object' || data === null)
    return scalar(isScalar(data) ? data : null, literalAt(data, source, block) ?? at)
  const entries = new Map<string, MapEntry>()
  for (const [key, value] of Object.entries(data)) {
    const keyAt = block && findKey(source, block, key)
    entries.set(key, { keyAt, value: convert(value, source, keyAt && blockAfter(source, keyAt), keyAt) })
  }
  return { kind: 'map', entries, at }
}

/** The only `key:` within a block, with or without quotes. */
function findKey(source: string, block: Span, key: string): Span | null {
  const escaped = key.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  const pattern = new RegExp(`(?<![\\w$.-])(?:'${escaped}'|"${escaped}"|${escaped})(?=\\s*:)`, 'g')
  const found = [...source.slice(block.start, block.start + block.length).matchAll(pattern)]
  const [only] = found
  return found.length === 1 && only ? { start: block.start + only.index, length: only[0].length } : null
}

/** From behind a key to the comma or bracket that ends its value. */
function blockAfter(source: string, key: Span): Span {
  const start = key.start + key.length
  let depth = 0
  for (let index = start; index < source.length; index++) {
    const character = source[index] ?? ''
    if ('{[('.includes(character)) depth++
    else if ('}])'.includes(character)) depth--
    if (depth < 0 || (depth === 0 && (character === ',' || character === '\n') && index > start + 1)) {
      return { start, length: index - start }
    }
  }
  return { start, length: source.length - start }
}

/** A scalar that stands literally, and alone, behind its key. */
function literalAt(value: unknown, source: string, block: Span | null): Span | null {
  if (!block) return null
  const text = source.slice(block.start, block.start + block.length)
  const found = /^\s*:\s*(.+?)\s*$/s.exec(text)
  const literal = found?.[1]
  if (literal === undefined || !isLiteralOf(literal, value)) return null
  return { start: block.start + text.indexOf(literal), length: literal.length }
}

function isLiteralOf(literal: string, value: unknown): boolean {
  if (typeof value === 'string') return /^(['"`]).*\1$/s.test(literal) && literal.slice(1, -1) === value
  return literal === String(value)
}

function isScalar(data: unknown): data is ScalarValue {
  return data === null || ['string', 'number', 'boolean'].includes(typeof data)
}
