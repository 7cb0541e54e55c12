/** The daemon killed in the middle of what it does: some of the points of `npm run test:crash`, always the same. */

import { expect, test } from 'vitest'
import { crashEverywhere } from '../support/crash-point.ts'
import { firstApply, hold, job, reload, remove, roll, scale, stop, stopAll } from '../support/crash-scenarios.ts'

const SOME = [
  { make: roll, everyNth: 7 },
  { make: reload, everyNth: 23 },
  { make: firstApply, everyNth: 17 },
  { make: () => scale(1), everyNth: 17 },
  { make: stop, everyNth: 17 },
  { make: remove, everyNth: 17 },
  { make: stopAll, everyNth: 17 },
  { make: job, everyNth: 17 },
  { make: hold, everyNth: 17 },
]

for (const { make, everyNth } of SOME) {
  const { name } = await make()
  test(`a crash in the middle of ${name}`, async () => {
    const { failures } = await crashEverywhere(make, { side: 'before', everyNth, atOnce: 2 })
    expect(failures).toEqual([])
  }, 180_000)
}
