import type { Diagnostic } from './diagnostic.ts'
import type { Span } from './tree.ts'

/** Something wrong at a place of the file's text; a Diagnostic once the place is counted in lines. */
export interface Problem {
  readonly at: Span | null
  readonly message: string
  readonly hint: string | null
  readonly severity: 'error' | 'warning'
}

/** Stages take a Report, so that all problems of a file are found and printed at once. */
export type Report = (at: Span | null, message: string, hint?: string | null) => void

/** Collects problems; what `defaults` says wrong for five apps is said once. */
export class ProblemList {
  readonly #problems = new Map<string, Problem>()

  readonly error: Report = (at, message, hint = null) => {
    this.add({ at, message, hint, severity: 'error' })
  }

  readonly warning: Report = (at, message, hint = null) => {
    this.add({ at, message, hint, severity: 'warning' })
  }

  add(problem: Problem): void {
    const what = problem.at ? problem.message.replace(/^apps\.[^.: ]+/, '') : problem.message
    const key = `${problem.at?.start ?? -1} ${what}`
    if (!this.#problems.has(key)) this.#problems.set(key, problem)
  }

  [Symbol.iterator](): Iterator<Problem> {
    return this.#problems.values()
  }

  get hasErrors(): boolean {
    return [...this.#problems.values()].some((problem) => problem.severity === 'error')
  }

  /** In the order of the file. */
  toDiagnostics(file: string, text: string): Diagnostic[] {
    const ordered = [...this.#problems.values()].toSorted((a, b) => (a.at?.start ?? -1) - (b.at?.start ?? -1))
    return ordered.map(({ at, ...problem }) => ({ file, ...locate(text, at), ...problem }))
  }
}

function locate(text: string, at: Span | null): Pick<Diagnostic, 'line' | 'column' | 'length'> {
  if (!at) return { line: null, column: null, length: 0 }
  const [line, column] = lineAndColumn(text, at)
  return { line, column, length: at.length }
}

/** Line and column of a place, both counted from 1. */
export function lineAndColumn(text: string, at: Span): readonly [line: number, column: number] {
  const before = text.slice(0, at.start)
  return [before.split('\n').length, at.start - before.lastIndexOf('\n')]
}
