import type { ParsedLine } from './parse-line.ts'

export function prettyLine(_parsed: ParsedLine, text: string, _options: { readonly color: boolean }): string {
  return text
}
