/** The daemon killed in the middle of what it does: some of the points of `npm run test:crash`, always the same. */

import { expect, test } from 'vitest'
import { crashEverywhere } from '../support/crash-point.ts'
import {
  firstApply,
  hold,
  job,
  reload,
  remove,
  roll,
  scale,
  stop,
  stopAll,
  wayBack,
} from '../support/crash-scenarios.ts'

const SOME = [
  { make: roll, everyNth: 10 },
  { make: reload, everyNth: 29 },
  { make: firstApply, everyNth: 19 },
  { make: () => scale(1), everyNth: 19 },
  { make: stop, everyNth: 19 },
  { make: remove, everyNth: 19 },
  { make: wayBack, everyNth: 13 },
  { make: stopAll, everyNth: 19 },
  { make: job, everyNth: 19 },
  { make: hold, everyNth: 19 },
]

for (const { make, everyNth } of SOME) {
  const { name } = await make()
  test(`a crash in the middle of ${name}`, async () => {
    const { failures } = await crashEverywhere(make, { side: 'before', everyNth, atOnce: 2 })
    expect(failures).toEqual([])
  }, 180_000)
}
