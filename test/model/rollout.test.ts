import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SPEC_DEFAULTS } from '../../src/model/defaults.ts'
import {
  type Fenceposts,
  fenceposts,
  isRolledOut,
  nextMoves,
  type RolloutMove,
  type RolloutSlot,
} from '../../src/model/rollout.ts'
import type { Share } from '../../src/model/spec.ts'

describe('the limits of a rollout', () => {
  test.each<[maxSurge: Share, maxUnavailable: Share, wanted: number, surge: number, unavailable: number]>([
    ['25%', 0, 1, 1, 0],
    ['25%', 0, 4, 1, 0],
    ['25%', 0, 5, 2, 0],
    ['25%', '25%', 3, 1, 0],
    ['25%', '25%', 8, 2, 2],
    [1, 1, 4, 1, 1],
    ['100%', 0, 3, 3, 0],
    [0, '50%', 4, 0, 2],
    // One of them must be possible, or nothing could ever happen.
    [0, 0, 4, 0, 1],
    [0, '10%', 4, 0, 1],
    // No more can be missing than there are.
    [0, 9, 4, 0, 4],
  ])(
    'surge %s and unavailable %s of %i instances are %i and %i',
    (maxSurge, maxUnavailable, wanted, surge, unavailable) => {
      const limits = fenceposts({ ...SPEC_DEFAULTS.rollout, maxSurge, maxUnavailable }, wanted)
      expect(limits).toEqual({ wanted, surge, unavailable })
    },
  )
})

/** `AU--:-s+l`: the old instance of each slot (Available, Unavailable or none), then the new one (-, starting, +, left). */
function slots(text: string): RolloutSlot[] {
  const [olds = '', fresh = ''] = text.split(':')
  const OLD = { A: 'available', U: 'unavailable', '-': 'none' } as const
  const FRESH = { '+': 'available', s: 'starting', l: 'left', '-': 'none' } as const
  return olds.split('').map((old, slot) => ({
    slot,
    old: OLD[old as keyof typeof OLD],
    fresh: FRESH[fresh[slot] as keyof typeof FRESH],
  }))
}

function shown(moves: readonly RolloutMove[]): string {
  return moves.map(({ move, slot }) => `${move} ${slot}`).join(', ')
}

describe('what may be done now', () => {
  test.each<[what: string, slots: string, limits: [number, number, number], moves: string]>([
    ['the canary comes first, and alone', 'AAAA:----', [4, 2, 0], 'start 0'],
    ['nothing old stops while the canary proves itself', 'AAAA:s---', [4, 2, 1], ''],
    [
      'once it has, as many start as the surge allows, and its old one stops',
      'AAAA:+---',
      [4, 2, 0],
      'start 1, stop 0',
    ],
    ['one that is not available yet is subtracted from what may stop', '-AAA:+s--', [4, 1, 0], ''],
    ['the next in turn', '-AAA:+---', [4, 1, 0], 'start 1'],
    ['without a surge the old one stops first', 'AA:--', [2, 0, 1], 'stop 0'],
    ['and only as many as may be missing', '-A:s-', [2, 0, 1], ''],
    ['an old one that does not serve is replaced first', 'AUA:---', [3, 1, 0], 'start 1'],
    ['and stopped first', 'AUA:-+-', [3, 1, 0], 'stop 1'],
    ['but not for one that may never serve itself', 'AU:s-', [2, 1, 0], ''],
    ['one that is down already gives its place', 'A-A:---', [3, 1, 0], 'start 1'],
    ['a version that never gets ready cannot eat the old one', 'AA:s-', [2, 1, 0], ''],
    ['more are wanted: the canary is one of them', 'AA--:----', [4, 1, 0], 'start 2'],
    ['less are wanted: what is too much goes once the canary serves', 'AAAA:+---', [2, 1, 0], 'stop 0, stop 2, stop 3'],
    ['less are wanted: the canary has its place all the same', 'AAAA:----', [2, 1, 0], 'start 0'],
    ['nothing serves: all the same one after the other, at first', 'UU:--', [2, 1, 0], 'start 0'],
    ['for one that is left as it is nobody waits', 'A-:-l', [2, 1, 0], 'start 0'],
    ['nor is it stopped for', 'A-:+l', [2, 1, 0], 'stop 0'],
    ['all done', '--:++', [2, 1, 0], ''],
    ['all done, but for what is left', '--:+l', [2, 1, 0], ''],
  ])('%s', (_, text, [wanted, surge, unavailable], expected) => {
    expect(shown(nextMoves(slots(text), { wanted, surge, unavailable }))).toBe(expected)
  })
})

interface World {
  readonly limits: Fenceposts
  slots: RolloutSlot[]
}

/** A scope in the middle of things: some old instances serve, some do not, and more or fewer are wanted now. */
const worlds: fc.Arbitrary<World> = fc
  .record({
    olds: fc.array(fc.constantFrom('available' as const, 'unavailable' as const, 'left' as const, 'none' as const), {
      maxLength: 6,
    }),
    wanted: fc.integer({ min: 1, max: 6 }),
    surge: fc.integer({ min: 0, max: 3 }),
    unavailable: fc.integer({ min: 0, max: 3 }),
  })
  .map(({ olds, wanted, surge, unavailable }) => {
    const count = Math.max(wanted, olds.length)
    const limits = {
      wanted,
      surge,
      unavailable: surge === 0 ? Math.max(1, Math.min(unavailable, wanted)) : Math.min(unavailable, wanted),
    }
    const slot = (index: number): RolloutSlot => {
      const { [index]: old = 'none' } = olds
      if (old !== 'left') return { slot: index, old, fresh: 'none' }
      // What does not serve uses up what may be missing: only with a surge does it go on beside it.
      return { slot: index, old: 'none', fresh: index < wanted && surge > 0 ? 'left' : 'none' }
    }
    return { limits, slots: Array.from({ length: count }, (_, index) => slot(index)) }
  })

function carryOut(before: readonly RolloutSlot[], moves: readonly RolloutMove[]): RolloutSlot[] {
  return before.map((it) => {
    const mine = moves.filter(({ slot }) => slot === it.slot).map(({ move }) => move)
    return {
      ...it,
      old: mine.includes('stop') ? 'none' : it.old,
      fresh: mine.includes('start') ? 'starting' : it.fresh,
    }
  })
}

function total(all: readonly RolloutSlot[]): number {
  return all.filter(({ old }) => old !== 'none').length + all.filter(({ fresh }) => fresh !== 'none').length
}

function available(all: readonly RolloutSlot[]): number {
  return [...all.map(({ old }) => old), ...all.map(({ fresh }) => fresh)].filter((it) => it === 'available').length
}

test('a rollout whose new instances get ready ends, and keeps to its limits all the way', () => {
  fc.assert(
    fc.property(worlds, fc.infiniteStream(fc.nat()), ({ limits, slots: first }, dice) => {
      let now = first
      const most = Math.max(limits.wanted, total(first)) + limits.surge
      for (let round = 0; !isRolledOut(now, limits.wanted); round++) {
        expect(round, 'rounds').toBeLessThan(200)
        const moves = nextMoves(now, limits)
        const next = carryOut(now, moves)
        expect(total(next)).toBeLessThanOrEqual(most)
        const left = now.filter(({ fresh }) => fresh === 'left')
        const floor = Math.min(available(now), limits.wanted - limits.unavailable - left.length)
        expect(available(next)).toBeGreaterThanOrEqual(floor)
        const starting = next.filter(({ fresh }) => fresh === 'starting')
        // Whatever goes on, something does; unless nothing but what is left serves nobody.
        expect(moves.length + starting.length + left.length).toBeGreaterThan(0)
        if (moves.length + starting.length === 0) {
          expect(available(now)).toBeGreaterThanOrEqual(Math.min(available(first), floor))
          return
        }
        const chosen = starting[(dice.next().value as number) % Math.max(1, starting.length)]
        now = next.map((it) => (it === chosen ? { ...it, fresh: 'available' as const } : it))
      }
    }),
  )
})

test('a version that never gets ready costs nothing that serves, as long as there is a surge', () => {
  fc.assert(
    fc.property(worlds, ({ limits, slots: first }) => {
      fc.pre(limits.surge > 0)
      let now = first
      for (let moves = nextMoves(now, limits); moves.length > 0; moves = nextMoves(now, limits))
        now = carryOut(now, moves)
      expect(available(now)).toBe(available(first))
      expect(now.filter(({ fresh }) => fresh === 'starting').length).toBeLessThanOrEqual(1)
    }),
  )
})

test('without a surge it costs no more than may be missing', () => {
  fc.assert(
    fc.property(worlds, ({ limits, slots: first }) => {
      fc.pre(limits.surge === 0)
      let now = first
      for (let moves = nextMoves(now, limits); moves.length > 0; moves = nextMoves(now, limits))
        now = carryOut(now, moves)
      expect(available(now)).toBeGreaterThanOrEqual(Math.min(available(first), limits.wanted - limits.unavailable))
    }),
  )
})
