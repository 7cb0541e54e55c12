import { scalar } from './tree.ts'
import type { MapEntry, Span, TreeNode } from './tree.ts'
import type { Report } from './problem.ts'

const MAX_DEPTH = 200
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
// oxlint-disable-next-line no-control-regex -- JSON forbids exactly these inside a string
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const SPACE = /[ \t\n\r]*/y
const SPACE_AND_COMMENTS = /(?:[ \t\n\r]|\/\/[^\n]*|\/\*[^]*?\*\/)*/y

/** Where the parser stopped; it gives up at the first syntax error, as what follows one is guesswork. */
class JsonError extends Error {
  readonly start: number
  constructor(start: number, message: string) {
    super(message)
    this.start = start
  }
}

/**
 * Parses JSON, or JSON with comments and trailing commas, keeping positions. Accepts exactly what JSON.parse accepts
 * (a property test holds the two together), except that a key may stand once in a map. The text is data: never evaluated.
 *
 * @returns the tree, or null after a syntax error, which went to `report`
 */
export function parseJson(text: string, dialect: 'json' | 'jsonc', report: Report): TreeNode | null {
  const parser = new Parser(text, dialect, report)
  try {
    return parser.parse()
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    const hint = dialect === 'json' && /^(\/[/*]|,\s*[}\]])/.test(text.slice(error.start)) ? COMMENT_HINT : null
    report({ start: error.start, length: 1 }, `invalid JSON: ${error.message}`, hint)
    return null
  }
}

const COMMENT_HINT = 'name the file ecosystem.jsonc to write comments and trailing commas'

class Parser {
  readonly #text: string
  readonly #report: Report
  readonly #trailingCommas: boolean
  readonly #space: RegExp
  #at = 0
  #depth = 0

  constructor(text: string, dialect: 'json' | 'jsonc', report: Report) {
    this.#text = text
    this.#report = report
    this.#trailingCommas = dialect === 'jsonc'
    this.#space = dialect === 'jsonc' ? SPACE_AND_COMMENTS : SPACE
  }

  parse(): TreeNode {
    this.#skipSpace()
    if (this.#at === this.#text.length) throw new JsonError(0, 'the file is empty')
    const value = this.#value()
    this.#skipSpace()
    if (this.#at < this.#text.length) throw this.#unexpected('the end of the file')
    return value
  }

  #value(): TreeNode {
    const start = this.#at
    const first = this.#text[start]
    if (first === '{' || first === '[') {
      if (++this.#depth > MAX_DEPTH) throw new JsonError(start, `nested more than ${MAX_DEPTH} deep`)
      const node = first === '{' ? this.#map() : this.#list()
      this.#depth--
      return node
    }
    if (first === '"') return scalar(this.#string(), this.#spanFrom(start))
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (!this.#text.startsWith(word, start)) continue
      this.#at += word.length
      return scalar(value, this.#spanFrom(start), value === null ? null : word)
    }
    const written = this.#match(NUMBER)
    if (written === null) throw this.#unexpected('a value')
    return scalar(Number(written), this.#spanFrom(start), written)
  }

  #map(): TreeNode {
    const start = this.#at++
    const entries = new Map<string, MapEntry>()
    this.#items('}', () => {
      const keyStart = this.#at
      if (this.#text[keyStart] !== '"') throw this.#unexpected('a key in double quotes')
      const key = this.#string()
      const keyAt = this.#spanFrom(keyStart)
      if (entries.has(key)) {
        this.#report(keyAt, 'this key is already there in the same map', 'remove one of them')
      }
      this.#skipSpace()
      if (this.#text[this.#at] !== ':') throw this.#unexpected('":"')
      this.#at++
      this.#skipSpace()
      entries.set(key, { keyAt, value: this.#value() })
    })
    return { kind: 'map', entries, at: this.#spanFrom(start) }
  }

  #list(): TreeNode {
    const start = this.#at++
    const items: TreeNode[] = []
    this.#items(']', () => items.push(this.#value()))
    return { kind: 'list', items, at: this.#spanFrom(start) }
  }

  /** What stands between two brackets, separated by commas; ends behind the closing one. */
  #items(close: '}' | ']', item: () => void): void {
    for (let isFirst = true; ; isFirst = false) {
      this.#skipSpace()
      if (this.#text[this.#at] === close && isFirst) break
      if (!isFirst) {
        if (this.#text[this.#at] === close) break
        if (this.#text[this.#at] !== ',') throw this.#unexpected(`"," or "${close}"`)
        const comma = this.#at++
        this.#skipSpace()
        if (this.#text[this.#at] === close) {
          if (this.#trailingCommas) break
          throw new JsonError(comma, `a comma before "${close}"`)
        }
      }
      item()
    }
    this.#at++
  }

  #string(): string {
    const start = this.#at
    const written = this.#match(STRING)
    // JSON.parse of one string: it knows the escapes.
    if (written !== null) return String(JSON.parse(written))
    throw new JsonError(start, 'this string does not end, or holds an invalid escape or control character')
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? null
    this.#at += found?.length ?? 0
    return found
  }

  #skipSpace(): void {
    this.#match(this.#space)
  }

  #spanFrom(start: number): Span {
    return { start, length: this.#at - start }
  }

  #unexpected(expected: string): JsonError {
    const character = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0)
    const seen = this.#at < this.#text.length ? JSON.stringify(character) : 'the end of the file'
    return new JsonError(Math.min(this.#at, this.#text.length), `expected ${expected}, but found ${seen}`)
  }
}
