import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SPEC_DEFAULTS } from '../../src/model/defaults.ts'
import type { RestartPolicy } from '../../src/model/spec.ts'
import {
  backoffDelay,
  decideRestart,
  NO_RESTARTS,
  retryPolicy,
  type RestartHistory,
} from '../../src/supervisor/restart-policy.ts'

const DEFAULT: RestartPolicy = {
  ...SPEC_DEFAULTS.restart,
  backoff: { ...SPEC_DEFAULTS.restart.backoff, jitter: 0 },
}

const CRASH = { clean: false, final: false }

describe('the policy', () => {
  test.each([
    ['always', true, 'restart'],
    ['always', false, 'restart'],
    ['on_failure', true, 'leave'],
    ['on_failure', false, 'restart'],
    ['never', true, 'leave'],
    ['never', false, 'give-up'],
  ] as const)('%s, clean exit %s: %s', (policy, clean, expected) => {
    expect(decideRestart({ ...DEFAULT, policy }, NO_RESTARTS, { clean, final: false }, 5000, 0.5).type).toBe(expected)
  })

  test('gives its numbers as the reason', () => {
    const decision = decideRestart({ ...DEFAULT, max: 0 }, NO_RESTARTS, CRASH, 5, 0.5)
    expect(decision).toMatchObject({ type: 'give-up', reason: '0 restarts within 60s of running' })
    expect(decideRestart(DEFAULT, NO_RESTARTS, CRASH, 5, 0.5).reason).toBe('restart 1 of 16')
    expect(decideRestart({ ...DEFAULT, policy: 'never' }, NO_RESTARTS, CRASH, 5, 0.5).reason).toBe(
      'restart policy is never',
    )
  })
})

test('an exit code of stop_exit_codes is the end, whatever the policy', () => {
  const decision = decideRestart(DEFAULT, NO_RESTARTS, { clean: false, final: true }, 5, 0.5)
  expect(decision).toMatchObject({ type: 'leave', reason: 'this is one of its stop_exit_codes' })
})

test('the retries of a job end by their number alone, however long its attempts take', () => {
  const retries = retryPolicy(DEFAULT, 2)
  let history = NO_RESTARTS
  const reasons = [1, 2, 3].map(() => {
    const decision = decideRestart(retries, history, CRASH, 3_600_000, 0.5)
    history = decision.history
    return `${decision.type}: ${decision.reason}`
  })
  expect(reasons).toEqual(['restart: retry 1 of 2', 'restart: retry 2 of 2', 'give-up: all 3 attempts failed'])
})

test('there is a pause before every retry, longer each time, although an attempt was up for long', () => {
  const retries = retryPolicy(DEFAULT, 3)
  let history = NO_RESTARTS
  const delays = [1, 2, 3].map(() => {
    const decision = decideRestart(retries, history, CRASH, 60_000, 0.5)
    history = decision.history
    return decision.type === 'restart' ? decision.delayMs : null
  })
  expect(delays).toEqual([100, 200, 400])
  expect(decideRestart(retryPolicy(DEFAULT, 0), NO_RESTARTS, CRASH, 5, 0.5)).toMatchObject({
    type: 'give-up',
    reason: 'it has no retries',
  })
})

test('jitter makes a pause longer or shorter by its share at most', () => {
  const policy: RestartPolicy = { ...DEFAULT, backoff: { ...DEFAULT.backoff, jitter: 0.1 } }
  const history = { upClock: 0, marks: [0], inARow: 1 }
  const delays = [0, 0.5, 1].map((dice) => {
    const decision = decideRestart(policy, history, CRASH, 0, dice)
    return decision.type === 'restart' ? Math.round(decision.delayMs) : null
  })
  expect(delays).toEqual([90, 100, 110])
})

describe('the window', () => {
  /** Crashes until the policy gives up or `limit` is reached. */
  function crashes(policy: RestartPolicy, upMs: number, limit: number): { count: number; history: RestartHistory } {
    let history = NO_RESTARTS
    for (let count = 0; count < limit; count++) {
      const decision = decideRestart(policy, history, CRASH, upMs, 0.5)
      history = decision.history
      if (decision.type !== 'restart') return { count, history }
    }
    return { count: limit, history }
  }

  test('a loop that dies every 1.2 s ends in giving up, however long its pauses grow', () => {
    expect(crashes(DEFAULT, 1200, 1000).count).toBe(16)
  })

  test('a crash every 5 s is more than a minute allows, and never ends', () => {
    expect(crashes(DEFAULT, 5000, 1000).count).toBe(1000)
  })

  test('remembers no more restarts than the window can hold', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 0, max: 30 }), (upMs, max) => {
        const { history } = crashes({ ...DEFAULT, max }, upMs, 100)
        expect(history.marks.length).toBeLessThanOrEqual(max)
        for (const mark of history.marks) expect(mark).toBeGreaterThan(history.upClock - DEFAULT.windowMs)
      }),
    )
  })

  test('never grants more than max restarts within the window of running', () => {
    const ups = fc.array(fc.integer({ min: 0, max: 15_000 }), { maxLength: 120 })
    fc.assert(
      fc.property(ups, fc.integer({ min: 0, max: 10 }), (runs, max) => {
        let history = NO_RESTARTS
        let clock = 0
        const restarts: number[] = []
        for (const upMs of runs) {
          clock += upMs
          const decision = decideRestart({ ...DEFAULT, max }, history, CRASH, upMs, 0.5)
          history = decision.history
          if (decision.type === 'restart') restarts.push(clock)
          const within = restarts.filter((at) => at > clock - DEFAULT.windowMs)
          expect(within.length).toBeLessThanOrEqual(max)
          // It gives up only when the window is full.
          if (decision.type === 'give-up') expect(within.length).toBe(max)
        }
      }),
    )
  })
})

describe('the back-off', () => {
  test('the first crash restarts at once, and then the pause doubles up to its cap', () => {
    const delays = Array.from({ length: 12 }, (_, inARow) => backoffDelay(DEFAULT.backoff, inARow))
    expect(delays).toEqual([0, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000])
  })

  test('stays a number however long the loop lasts', () => {
    expect(backoffDelay(DEFAULT.backoff, 10_000)).toBe(30_000)
  })

  test('a run of ten seconds resets it', () => {
    const history = { upClock: 1000, marks: [1000], inARow: 6 }
    expect(decideRestart(DEFAULT, history, CRASH, 10_000, 0.5)).toMatchObject({ delayMs: 0, history: { inARow: 1 } })
    expect(decideRestart(DEFAULT, history, CRASH, 9999, 0.5)).toMatchObject({ delayMs: 3200, history: { inARow: 7 } })
  })

  test('never shrinks from one crash to the next and never passes its cap', () => {
    const backoff = fc.record({
      initialMs: fc.nat(5000),
      factor: fc.constantFrom(1, 1.5, 2, 10),
      maxMs: fc.nat(60_000),
      jitter: fc.constant(0),
    })
    fc.assert(
      fc.property(backoff, fc.nat(50), (policy, inARow) => {
        const delay = backoffDelay(policy, inARow)
        expect(delay).toBeLessThanOrEqual(policy.maxMs)
        expect(delay).toBeLessThanOrEqual(backoffDelay(policy, inARow + 1))
      }),
    )
  })
})
