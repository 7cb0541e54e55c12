import { describe, expect, test } from 'vitest'
import { cutOff, cutOffText, holdsWithout } from '../../src/daemon/pending-works.ts'
import type { AppliedState, Hold } from '../../src/model/applied.ts'
import type { PendingWork } from '../../src/state/pending-store.ts'

const work = (fields: Partial<PendingWork> = {}): PendingWork => ({
  plan: 'p-6-1',
  what: 'apply',
  by: 'ann',
  at: 0,
  serial: 6,
  makesRevision: true,
  endedHolds: {},
  wasDown: false,
  ...fields,
})
const held = (by: string): Hold => ({ instances: 0, verb: 'stop', by, at: 0 })
const applied = (holds: Record<string, Hold>): AppliedState =>
  ({ serial: 6, source: null, apps: { api: {}, db: {} }, holds }) as unknown as AppliedState

describe('what was cut off', () => {
  test.each([
    ['no newer revision', [{ serial: 6, plan: 'p-5-1' }], 1],
    ['its own revision is written', [{ serial: 7, plan: 'p-6-1' }], 0],
    ['one that a delete beside it wrote', [{ serial: 7, plan: 'p-6-2' }], 1],
    ['an older revision came from the same plan', [{ serial: 6, plan: 'p-6-1' }], 1],
  ])('%s', (_, written, count) => expect(cutOff([work()], written)).toHaveLength(count))
})

describe('holds that come back', () => {
  test('those that the change had ended', () => {
    expect(holdsWithout([work({ endedHolds: { api: held('ann') } })], applied({}))).toEqual({ api: held('ann') })
  })
  test('not over one that came later, and not of an app that is not applied', () => {
    const ended = { api: held('ann'), gone: held('ann') }
    expect(holdsWithout([work({ endedHolds: ended })], applied({ api: held('bob') }))).toEqual({ api: held('bob') })
  })
  test('not those that a verb had ended, which comes true', () => {
    const started = work({ what: 'start', makesRevision: false, endedHolds: { api: held('ann') } })
    expect(holdsWithout([started], applied({}))).toEqual({})
  })
})

test.each([
  [
    work(),
    6,
    'the apply by ann was cut off by the end of the daemon; revision 6 is brought back: eco apply repeats it',
  ],
  [work(), 0, 'the apply by ann was cut off by the end of the daemon; nothing of it stays: eco apply begins again'],
  [
    work({ what: 'rollback to 4' }),
    6,
    'the rollback to 4 by ann was cut off by the end of the daemon; revision 6 is brought back: eco rollback 4 repeats it',
  ],
  [
    work({ what: 'stop', makesRevision: false }),
    6,
    'the stop by ann was cut off by the end of the daemon; this one finishes it',
  ],
  [
    work({ what: 'reload', makesRevision: false }),
    6,
    'the reload by ann was cut off by the end of the daemon; some instances may not have had their turn: eco reload repeats it',
  ],
])('%#: what is told', (it, serial, text) => expect(cutOffText(it, serial)).toBe(text))
