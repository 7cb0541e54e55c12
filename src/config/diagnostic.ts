import path from 'node:path'
import { neutralise } from '../model/neutralise.ts'

export { neutralise }

/** One problem of an ecosystem file. Line and column count from 1, in UTF-16 units as editors do. */
export interface Diagnostic {
  readonly file: string
  readonly line: number | null
  readonly column: number | null
  readonly length: number
  readonly message: string
  readonly hint: string | null
  readonly severity: 'error' | 'warning'
}

const MAX_WIDTH = 120

/**
 * Prints diagnostics for people: `file:line:column message`, the line, a squiggle and the hint.
 *
 * @param sources texts by file name, as a load returned them: secrets written in the file are masked in them already
 * @returns lines without a newline at the end; control characters are made visible, so a file cannot drive the terminal
 */
export function formatDiagnostics(
  diagnostics: readonly Diagnostic[],
  sources: ReadonlyMap<string, string>,
  options: { readonly color: boolean; readonly cwd: string },
): string {
  return diagnostics.map((diagnostic) => formatOne(diagnostic, sources, options)).join('\n')
}

function formatOne(
  diagnostic: Diagnostic,
  sources: ReadonlyMap<string, string>,
  { color, cwd }: { readonly color: boolean; readonly cwd: string },
): string {
  const paint = (code: number, text: string): string => (color ? `\u001b[${code}m${text}\u001b[0m` : text)
  const tone = diagnostic.severity === 'error' ? 31 : 33
  const { line, column } = diagnostic
  const place = line === null ? '' : `:${line}${column === null ? '' : `:${column}`}`
  const kind = diagnostic.severity === 'warning' ? `${paint(33, 'warning:')} ` : ''
  const output = [`${paint(36, shorten(diagnostic.file, cwd) + place)} ${kind}${neutralise(diagnostic.message)}`]
  const text = line === null ? undefined : sources.get(diagnostic.file)?.split('\n')[line - 1]?.replace(/\r$/, '')
  if (text !== undefined) output.push(...excerpt(text, column, diagnostic.length, (mark) => paint(tone, mark)))
  if (diagnostic.hint) output.push(`  ${paint(2, 'hint:')} ${neutralise(diagnostic.hint)}`)
  return output.join('\n')
}

/** The line and its squiggle; of a long line, the part around the problem. */
function excerpt(line: string, column: number | null, length: number, paint: (mark: string) => string): string[] {
  if (column === null) return [`    ${neutralise(line.slice(0, MAX_WIDTH))}`]
  const start = column - 1
  const from = start > MAX_WIDTH - 20 ? start - 40 : 0
  const before = (from > 0 ? '…' : '') + neutralise(line.slice(from, start))
  const marked = neutralise(line.slice(start, Math.min(start + Math.max(length, 1), from + MAX_WIDTH)))
  const after = neutralise(line.slice(start + Math.max(length, 1), from + MAX_WIDTH))
  const squiggle = '~'.repeat(Math.max(1, width(marked)))
  return [`    ${before}${marked}${after}`, `    ${' '.repeat(width(before))}${paint(squiggle)}`]
}

/** Columns on a terminal: wide (CJK, emoji) characters take two. */
function width(text: string): number {
  let columns = 0
  for (const character of text) {
    if (!/\p{Mark}/u.test(character))
      columns +=
        /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
          character,
        )
          ? 2
          : 1
  }
  return columns
}

function shorten(file: string, cwd: string): string {
  const relative = path.relative(cwd, file)
  return neutralise(relative === '' || relative.startsWith('..') || path.isAbsolute(relative) ? file : relative)
}
