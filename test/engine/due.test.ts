/** What is due when: croner's own arithmetic, no clock. */

import { Cron } from 'croner'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { COUNTED, countRuns, ON_TIME_MS, whatIsDue } from '../../src/engine/local/due.ts'

const HOUR_MS = 3_600_000
const at = (text: string): number => Date.parse(text)
const iso = (time: number | null): string | null => (time === null ? null : new Date(time).toISOString().slice(0, 19))

function schedule(cron: string, timezone = 'UTC'): (after: number) => number | null {
  const of = new Cron(cron, { paused: true, timezone })
  return (after) => of.nextRun(new Date(after))?.getTime() ?? null
}

/** The runs of an hour-by-hour, or other, walk of the clock. */
function walk(next: (after: number) => number | null, clock: readonly number[]): string[] {
  let consideredUntil = clock[0] ?? 0
  return clock.flatMap((now) => {
    const due = whatIsDue(next, consideredUntil, now, ON_TIME_MS)
    consideredUntil = due.consideredUntil
    const missed = due.missed ? [`missed ${due.missed.count} from ${iso(due.missed.first)}`] : []
    return [...missed, ...(due.at === null ? [] : [`run ${iso(due.at)}`])]
  })
}

describe('a schedule', () => {
  const nightly = schedule('0 3 * * *')

  test('is due at its time, once', () => {
    const times = ['02:59:59.999', '03:00:00.000', '03:00:00.000', '03:00:00.900', '03:00:01.000', '03:05:00.000']
    expect(
      walk(
        nightly,
        times.map((time) => at(`2026-01-02T${time}Z`)),
      ),
    ).toEqual(['run 2026-01-02T03:00:00'])
  })

  test('that is looked at late is still on time within a minute, and has missed its run after it', () => {
    const [before, due] = [at('2026-01-02T02:00:00Z'), at('2026-01-02T03:00:00Z')]
    expect(walk(nightly, [before, due + ON_TIME_MS - 1])).toEqual(['run 2026-01-02T03:00:00'])
    expect(walk(nightly, [before, due + ON_TIME_MS])).toEqual(['missed 1 from 2026-01-02T03:00:00'])
  })

  test('counts what it missed, and runs what is due now', () => {
    const minutely = schedule('* * * * *')
    const clock = [at('2026-01-02T03:00:30Z'), at('2026-01-02T07:00:05Z')]
    expect(walk(minutely, clock)).toEqual(['missed 239 from 2026-01-02T03:01:00', 'run 2026-01-02T07:00:00'])
  })

  test('counts no further than anybody wants to know', () => {
    const secondly = schedule('* * * * * *')
    const due = whatIsDue(secondly, at('2026-01-01T00:00:00Z'), at('2026-01-02T00:00:00Z'), 0)
    expect(due.missed).toMatchObject({ count: COUNTED })
    expect(iso(due.consideredUntil)).toBe('2026-01-02T00:00:00')
    expect(countRuns(COUNTED)).toBe('at least 500 runs')
  })

  test('in a new daemon has missed whatever was due since the last one looked, to the second', () => {
    const due = whatIsDue(nightly, at('2026-01-01T03:00:00Z'), at('2026-01-02T03:00:00Z'), 0)
    expect(due).toMatchObject({ at: null, missed: { count: 1, first: at('2026-01-02T03:00:00Z') } })
    // And not again by the next one.
    expect(whatIsDue(nightly, due.consideredUntil, at('2026-01-02T03:00:01Z'), 0).missed).toBe(null)
  })

  test('of every year, or of a leap day, is a number like any other', () => {
    expect(iso(schedule('0 0 1 1 *')(at('2026-01-01T00:00:00Z')))).toBe('2027-01-01T00:00:00')
    expect(iso(schedule('0 0 29 2 *')(at('2026-01-01T00:00:00Z')))).toBe('2028-02-29T00:00:00')
  })
})

describe('a clock that is set back', () => {
  const minutely = schedule('* * * * *')

  test('by less than three hours does not run the same minute twice', () => {
    const noon = at('2026-01-02T12:00:00Z')
    expect(walk(minutely, [noon - 1, noon, noon - HOUR_MS, noon - HOUR_MS + 60_000, noon + 59_000])).toEqual([
      'run 2026-01-02T12:00:00',
    ])
    expect(walk(minutely, [noon - 1, noon, noon - HOUR_MS, noon + 60_000])).toEqual([
      'run 2026-01-02T12:00:00',
      'run 2026-01-02T12:01:00',
    ])
  })

  test('by more is followed: it was wrong before', () => {
    const wrong = at('2030-01-02T12:00:00Z')
    const right = at('2026-01-02T12:00:30Z')
    const due = whatIsDue(minutely, wrong, right, ON_TIME_MS)
    expect(due).toMatchObject({ at: null, missed: null, clockSetBack: true, consideredUntil: right })
    expect(whatIsDue(minutely, due.consideredUntil, right + 30_000, ON_TIME_MS).at).toBe(right + 30_000)
  })
})

describe('daylight saving time in Berlin', () => {
  const half = (day: string): number[] => {
    const start = at(`${day}T00:00:00Z`)
    return Array.from({ length: 49 }, (_, i) => start + i * (HOUR_MS / 12))
  }

  test('a run at a time that does not exist comes right after the gap', () => {
    expect(walk(schedule('30 2 * * *', 'Europe/Berlin'), half('2026-03-29'))).toEqual(['run 2026-03-29T01:00:00'])
  })

  test('a run at a time that comes twice comes once', () => {
    expect(walk(schedule('30 2 * * *', 'Europe/Berlin'), half('2026-10-25'))).toEqual(['run 2026-10-25T00:30:00'])
  })

  test('an interval goes on through both', () => {
    const halfHourly = schedule('*/30 * * * *', 'Europe/Berlin')
    expect(walk(halfHourly, half('2026-03-29'))).toHaveLength(8)
    expect(walk(halfHourly, half('2026-10-25'))).toHaveLength(8)
  })
})

test('however the clock goes forward, every run is made or missed, once', () => {
  const next = schedule('*/7 * * * *', 'America/New_York')
  const start = at('2026-03-08T05:00:00Z') // the clocks change that day
  const steps = fc.array(fc.integer({ min: 0, max: 900_000 }), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(steps, (pauses) => {
      let now = start
      let consideredUntil = start
      let seen = 0
      for (const pause of pauses) {
        now += pause
        const due = whatIsDue(next, consideredUntil, now, ON_TIME_MS)
        consideredUntil = due.consideredUntil
        seen += (due.missed?.count ?? 0) + (due.at === null ? 0 : 1)
        if (due.at !== null) expect(now - due.at).toBeLessThan(ON_TIME_MS)
      }
      let expected = 0
      for (let run = next(start); run !== null && run <= now; run = next(run)) expected++
      expect(seen).toBe(expected)
    }),
  )
})
