import { isAlias, isMap, isNode, isScalar, isSeq, parseDocument } from 'yaml'
import type { Alias, Node, Pair, YAMLMap, YAMLSeq } from 'yaml'
import { scalar } from './tree.ts'
import type { ListNode, MapEntry, MapNode, ScalarValue, Span, TreeNode } from './tree.ts'
import type { Report } from './problem.ts'

/** Far above any real file, far below what a few lines of nested aliases can expand to. */
const MAX_VALUES = 100_000
const CORE_TAGS = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((tag) => `tag:yaml.org,2002:${tag}`),
)

/**
 * Parses YAML 1.2 as data: one document, string keys, merge keys, no custom tags.
 *
 * @returns the tree, or null when the text has no usable structure; problems went to `report`
 */
export function parseYaml(text: string, report: Report): TreeNode | null {
  // Duplicate keys are found below: yaml compares each key of a map with all before it.
  const document = parseDocument(text, { merge: true, uniqueKeys: false, prettyErrors: false, logLevel: 'error' })
  let broken = false
  for (const error of [...document.errors, ...document.warnings]) {
    if (error.code === 'TAG_RESOLVE_FAILED') continue
    const at = { start: Math.min(error.pos[0], text.length), length: Math.max(1, error.pos[1] - error.pos[0]) }
    broken = true
    if (text.startsWith('${', at.start - 1)) {
      const span = { start: at.start - 1, length: 2 }
      report(span, '${…} needs quotes inside { } and [ ]: YAML takes its { for a map', "write '${…}'")
      break // all that follows comes of this
    }
    const [message, hint] = explain(error.code, error.message)
    report(firstLine(text, at), message, hint)
  }
  if (document.directives?.yaml.explicit && document.directives.yaml.version !== '1.2') {
    report(null, `the file asks for YAML ${document.directives.yaml.version}, but eco reads YAML 1.2`)
    broken = true
  }
  if (broken) return null
  if (document.contents === null) {
    report(null, 'the file is empty', 'eco init writes an example')
    return null
  }
  const complain: Report = (at, message, hint) => {
    report(at, message, hint)
    broken = true
  }
  const duplicate = (at: Span | null): void =>
    report(at, 'this key is already there in the same map', 'remove one of them')
  const tree = new Converter(text, complain, duplicate).convert(document.contents)
  return broken ? null : tree
}

/** Turns yaml's nodes into our tree, resolving aliases and merge keys on the way. */
class Converter {
  readonly #text: string
  readonly #report: Report
  readonly #duplicate: (at: Span | null) => void
  readonly #open = new Set<Node>()
  readonly #anchors = new Map<string, Node>()
  readonly #noted = new Set<Node>()
  #values = 0

  constructor(text: string, report: Report, duplicate: (at: Span | null) => void) {
    this.#text = text
    this.#report = report
    this.#duplicate = duplicate
  }

  convert(node: Node | null): TreeNode {
    if (!node) return scalar(null, null)
    this.#values++
    if (this.#values > MAX_VALUES) {
      if (this.#values === MAX_VALUES + 1) {
        this.#report(spanOf(node), `the file has more than ${MAX_VALUES} values once its aliases are expanded`)
      }
      return scalar(null, null)
    }
    if (isAlias(node)) return this.#alias(node)
    this.#noteAnchor(node)
    if (node.tag !== undefined && !CORE_TAGS.has(node.tag)) {
      this.#report(spanOf(node), `the tag ${node.tag} is not supported: YAML is data here`, 'remove the tag')
      return scalar(null, spanOf(node))
    }
    if (isScalar(node)) {
      const value = scalarValue(node.value)
      return scalar(value, spanOf(node), typeof value === 'string' || value === null ? null : (node.source ?? null))
    }
    this.#open.add(node)
    const tree = isMap(node) ? this.#map(node) : isSeq(node) ? this.#list(node) : null
    this.#open.delete(node)
    return tree ?? scalar(null, spanOf(node))
  }

  #list(node: YAMLSeq): ListNode {
    const items = node.items.map((item) => this.convert(isNode(item) ? item : null))
    return { kind: 'list', items, at: spanOf(node) }
  }

  #map(node: YAMLMap): MapNode {
    const own = new Map<string, MapEntry>()
    const merged = new Map<string, MapEntry>()
    for (const pair of node.items) {
      if (isScalar(pair.key) && pair.key.source === '<<' && pair.key.type === 'PLAIN') this.#merge(pair, merged)
      else {
        const key = this.#key(pair.key)
        if (key === null) continue
        const keyAt = spanOf(pair.key)
        if (own.has(key)) this.#duplicate(keyAt)
        else own.set(key, { keyAt, value: this.#value(pair) })
      }
    }
    // A map's own keys win over merged ones; the order of the file is kept.
    for (const [key, entry] of merged) if (!own.has(key)) own.set(key, entry)
    return { kind: 'map', entries: own, at: spanOf(node) }
  }

  /** An empty value (`key:`) points at its key. */
  #value(pair: Pair): TreeNode {
    const value = this.convert(isNode(pair.value) ? pair.value : null)
    const isEmpty = value.kind === 'scalar' && value.value === null && (value.at?.length ?? 0) === 0
    return isEmpty ? scalar(null, spanOf(pair.key)) : value
  }

  #key(key: unknown): string | null {
    if (isScalar(key) && typeof key.value === 'string') return key.value
    const written = spanOf(key)
    const text = written ? this.#text.slice(written.start, written.start + written.length) : ''
    const isSimple = isScalar(key) && key.value !== null
    this.#report(
      written,
      isSimple ? `a key must be a string, but was ${text}` : 'a key must be a string',
      isSimple ? `quote it: "${text}"` : null,
    )
    return null
  }

  #merge(pair: Pair, into: Map<string, MapEntry>): void {
    const value = this.convert(isNode(pair.value) ? pair.value : null)
    for (const source of value.kind === 'list' ? value.items : [value]) {
      if (source.kind !== 'map') this.#report(spanOf(pair.key), '<< must be followed by a map, or a list of maps')
      else for (const [key, entry] of source.entries) if (!into.has(key)) into.set(key, entry)
    }
  }

  /** Nodes come in the order of the file, so an alias finds the latest anchor before it; what is expanded again is older. */
  #noteAnchor(node: Node): void {
    const { anchor } = node as { anchor?: string }
    if (anchor === undefined || this.#noted.has(node)) return
    this.#noted.add(node)
    this.#anchors.set(anchor, node)
  }

  #alias(alias: Alias): TreeNode {
    const target = this.#anchors.get(alias.source)
    if (target && !this.#open.has(target)) return this.convert(target)
    const problem = target ? 'refers to itself' : 'has no anchor before it'
    this.#report(spanOf(alias), `the alias *${alias.source} ${problem}`)
    return scalar(null, spanOf(alias))
  }
}

function spanOf(node: unknown): Span | null {
  if (!isNode(node) || !node.range) return null
  return { start: node.range[0], length: node.range[1] - node.range[0] }
}

function explain(code: string, message: string): readonly [string, string | null] {
  if (code === 'MULTIPLE_DOCS')
    return ['the file holds more than one YAML document', 'keep one: remove what follows ---']
  if (code === 'TAB_AS_INDENT') return ['a tab cannot indent YAML', 'use spaces']
  return [`invalid YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`, null]
}

function firstLine(text: string, at: Span): Span {
  const end = text.indexOf('\n', at.start)
  return end < 0 ? at : { start: at.start, length: Math.max(1, Math.min(at.length, end - at.start)) }
}

/** The core schema knows no other values; infinite numbers are none that an ecosystem file could use. */
function scalarValue(value: unknown): ScalarValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  return typeof value === 'number' || typeof value === 'bigint' ? value.toString() : null
}
