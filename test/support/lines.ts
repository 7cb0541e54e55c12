import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { messageOf } from '../../src/logs/line-format.ts'
import type { Output } from '../../src/model/spec.ts'
import type { Rig } from './rig.ts'

/** What fixtures/processes/writes-lines.mjs has written by its own account. */
export function progress(rig: Rig): number {
  try {
    return Number(readFileSync(join(rig.dir, 'progress'), 'utf8'))
  } catch {
    return 0
  }
}

/** The numbers of the lines in a log, in their order. @throws when a line is torn */
export function numbers(log: string, format: Output['format']): number[] {
  const lines = log.split('\n')
  expect(lines.pop(), 'the log ends with a whole line').toBe('')
  return lines
    .map((line) => messageOf(line, format))
    .filter((line) => !line.startsWith('unfinished'))
    .map((line) => {
      const [, n] = /^(\d+) x{90}$/.exec(line) ?? []
      if (n === undefined) throw new Error(`a torn line: ${JSON.stringify(line.slice(0, 300))}`)
      return Number(n)
    })
}

/** Every line from 0 on, each once. */
export function expectAll(log: string, format: Output['format'], count: number): void {
  const found = numbers(log, format)
  const wrong = found.findIndex((n, index) => n !== index)
  expect({ wrong, at: wrong < 0 ? [] : found.slice(wrong - 1, wrong + 2), count: found.length }).toEqual({
    wrong: -1,
    at: [],
    count,
  })
}
