/** The daemon killed at every write of its state, every spawn and every signal: `npm run test:crash`. */

import { expect, test } from 'vitest'
import { crashEverywhere } from '../support/crash-point.ts'
import { SCENARIOS } from '../support/crash-scenarios.ts'

const only = process.env['CRASH_ONLY']

for (const make of SCENARIOS) {
  const scenario = await make()
  if (only && !scenario.name.includes(only)) continue
  for (const side of ['before', 'after'] as const) {
    if (process.env['CRASH_SIDE'] && process.env['CRASH_SIDE'] !== side) continue
    test(`a crash right ${side} any point of ${scenario.name}`, async () => {
      const { failures, points } = await crashEverywhere(make, {
        side,
        everyNth: Number(process.env['CRASH_NTH'] ?? 1),
        atOnce: Number(process.env['CRASH_AT_ONCE'] ?? 3),
      })
      process.stderr.write(`${points} points: ${scenario.name}\n`)
      expect(failures).toEqual([])
    })
  }
}
