/** Holds with an end, relative scales, and going back to a revision. */

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AppliedState, Hold } from '../../src/model/applied.ts'
import type { Verb } from '../../src/model/plan.ts'
import { plan } from '../../src/planner/plan.ts'
import type { Intent, PlanInput } from '../../src/planner/plan.ts'
import { diffRevisions, isSameRevision } from '../../src/planner/revision-diff.ts'
import { renderJson } from '../../src/planner/render-json.ts'
import { APP_NAMES, appliedState, edited, observedState, specs } from '../support/spec-arbitraries.ts'
import { applied, APPLY, cron, desired, NOW, planOf, spec, textOf, verb } from './scenario.ts'

const HOUR = 3_600_000
const api = spec({ instances: 2 })
const report = spec({ kind: 'cron', schedule: cron('0 3 * * *') })
const KEEP: Intent = { ...APPLY, allowEmpty: true, takeOver: true, keepHolds: true }

function stopped(until?: number): Hold {
  return { instances: 0, verb: 'stop', by: 'ann', at: NOW - HOUR, ...(until === undefined ? {} : { until }) }
}

function holdsAfter(intent: Intent, hold?: Hold, of = api): Hold | undefined {
  return planOf({ applied: applied({ api: of }, hold ? { holds: { api: hold } } : {}), intent }).nextHolds['api']
}

describe('a hold with an end', () => {
  test('is told with who, since when and until when', () => {
    const scaled: Hold = { instances: 3, verb: 'scale', by: 'ann@tty1', at: NOW - HOUR, until: NOW + HOUR }
    expect(textOf({ applied: applied({ api }, { holds: { api: scaled } }), intent: KEEP })).toBe(`
shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

Drift since serial 41
* api  held  eco scale api 3 by ann@tty1 at 2026-01-02T02:04:05.000Z until 2026-01-02T04:04:05.000Z  -> left as it is

No changes to 1 app, 3 instances of ecosystem.yaml (serial 41).
`)
  })

  test('ends by itself at that very moment, with the steps that bring the app back', () => {
    const before = applied({ api, report }, { holds: { api: stopped(NOW), report: stopped(NOW) } })
    expect(textOf({ applied: before, intent: KEEP })).toBe(`
shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

Drift since serial 41
* api     held  eco stop api by ann at 2026-01-02T02:04:05.000Z until 2026-01-02T03:04:05.000Z  -> ends with this plan
* report  held  eco stop report by ann at 2026-01-02T02:04:05.000Z until 2026-01-02T03:04:05.000Z  -> ends with this plan

Steps
#1  start api        starts api#0, api#1
    ends eco stop api by ann at 2026-01-02T02:04:05.000Z until 2026-01-02T03:04:05.000Z · ready: settled within 30s
#2  schedule report  arms the schedule
    ends eco stop report by ann at 2026-01-02T02:04:05.000Z until 2026-01-02T03:04:05.000Z

Plan p-41-…: 2 drift items, 2 steps
Apply exactly this: eco apply
`)
    expect(planOf({ applied: before, intent: KEEP })).toMatchObject({
      nextHolds: {},
      plan: { endsHolds: ['api', 'report'] },
    })
    expect(holdsAfter(KEEP, stopped(NOW + 1))).toEqual(stopped(NOW + 1))
  })

  test('is a limit to what stop and scale begin', () => {
    expect(holdsAfter(verb('stop', ['api'], { forMs: HOUR }))).toMatchObject({ verb: 'stop', until: NOW + HOUR })
    expect(holdsAfter(verb('scale', ['api'], { instances: 4, forMs: 5 }))).toMatchObject({
      instances: 4,
      until: NOW + 5,
    })
    expect(holdsAfter(verb('stop', ['api']))).not.toHaveProperty('until')
  })

  test('gets another end, or none, when it is asked for again', () => {
    const again = verb('stop', ['api'], { forMs: 2 * HOUR })
    expect(holdsAfter(again, stopped(NOW + HOUR))).toMatchObject({ until: NOW + 2 * HOUR })
    expect(holdsAfter(again, stopped())).toMatchObject({ until: NOW + 2 * HOUR })
    expect(holdsAfter(verb('stop', ['api']), stopped(NOW + HOUR))).not.toHaveProperty('until')
    expect(holdsAfter(verb('stop', ['api']), stopped())).toEqual(stopped())
  })

  test('outlives a reload and a restart of what is scaled', () => {
    const scaled: Hold = { instances: 3, verb: 'scale', by: 'ann', at: NOW - HOUR, until: NOW + HOUR }
    for (const name of ['reload', 'restart', 'start'] as const)
      expect(holdsAfter(verb(name, ['api']), scaled)).toEqual(scaled)
  })
})

describe('a relative scale', () => {
  const scaled: Hold = { instances: 5, verb: 'scale', by: 'ann', at: NOW - HOUR }
  test.each([
    ['what was applied', 2, undefined, 4],
    ['a scale by hand', 2, scaled, 7],
    ['a scale by hand, down', -1, scaled, 4],
    ['a stop', 3, stopped(), 3],
    ['nothing below zero', -9, undefined, 0],
    ['a hold that is over', 1, { ...scaled, until: NOW }, 3],
  ])('counts from %s', (_, delta, hold, instances) => {
    expect(holdsAfter(verb('scale', ['api'], { delta }), hold)).toMatchObject({ instances })
  })

  test('back to what was applied is no hold', () => {
    expect(holdsAfter(verb('scale', ['api'], { delta: -3 }), scaled)).toBeUndefined()
  })

  test('is of each app by itself, and says what was typed', () => {
    const worker = spec({ instances: 1 })
    const intent = verb('scale', ['api', 'worker'], { delta: 2, forMs: HOUR })
    const { plan: shown, nextHolds } = planOf({ applied: applied({ api, worker }), intent })
    expect(nextHolds).toMatchObject({ api: { instances: 4 }, worker: { instances: 3 } })
    expect(shown.steps.map(({ cause }) => cause)).toEqual(['eco scale +2 --for 1h', 'eco scale +2 --for 1h'])
    const down = planOf({ applied: applied({ api }), intent: verb('scale', ['api'], { delta: -1 }) }).plan
    expect(down.steps.map(({ cause }) => cause)).toEqual(['eco scale -1'])
  })
})

describe('a rollback', () => {
  const rollback: Intent = { ...APPLY, takeOver: true, rollbackTo: 38 }

  test('says that it is one, and names the revision as the cause', () => {
    const worker = spec({ command: ['./worker'] })
    const state = applied({ api, worker }, { file: '/srv/other/ecosystem.yaml' })
    const scenario = { applied: state, file: { api: spec({ instances: 2, cwd: '/old' }), legacy: worker } }
    expect(textOf({ ...scenario, intent: rollback })).toBe(`
eco rollback 38 · shop/production  /srv/shop/ecosystem.yaml · serial 41 · git 9f3c2e1 (clean)

Changes
> api     roll  v7 -> v8
    cwd  "/srv/shop" -> "/old"   roll
+ legacy  create  v1
    command    ./worker
    instances  1
- worker  destroy  v7

Steps
#1  roll api       replaces api#0, api#1 one by one
    cwd changed · ready: settled within 30s, and for 2s
#2  start legacy   starts legacy#0
    is in revision 38 · ready: settled within 30s
#3  remove worker  stops worker#0, then forgets the app
    not in revision 38 · exit: SIGTERM, then SIGKILL after 10s

Plan p-41-…: 1 create, 1 roll, 1 destroy, 3 steps
roll api: no downtime: each new instance is ready before the old one stops
Apply exactly this: eco apply
`)
    const { plan: shown } = planOf({ ...scenario, intent: rollback })
    expect(shown.guards).toEqual([])
    expect(renderJson(shown, { ecoVersion: '0', exitCode: 0 })).toMatchObject({ rollback_to: 38, verb: null })
  })

  test('to what is applied already has nothing to do', () => {
    expect(textOf({ applied: applied({ api }), intent: rollback })).toBe(`
No changes. 1 app, 2 instances match revision 38 (serial 41).
`)
  })
})

describe('two revisions', () => {
  const versions = { constructor: 7 }
  const before = applied({ api, worker: spec(), constructor: spec() }, { versions }).apps
  const after = applied(
    { api: spec({ instances: 3 }), report, constructor: spec() },
    { versions: { api: 8, report: 1, constructor: 7 } },
  ).apps

  test('differ as a plan would have shown it', () => {
    const changes = diffRevisions(before, after)
    expect(
      changes.map(({ app, kind, impact, fromVersion, toVersion }) => [app, kind, impact, fromVersion, toVersion]),
    ).toEqual([
      ['api', 'update', 'scale', 7, 8],
      ['report', 'create', 'scale', null, 1],
      ['worker', 'destroy', 'destroy', 7, null],
    ])
    const planned = plan({
      desired: desired(Object.fromEntries(Object.entries(after).map(([app, { spec: of }]) => [app, of]))),
      applied: { serial: 1, source: null, apps: before, holds: {} },
      observed: { apps: {}, foreignPorts: [] },
      intent: APPLY,
      now: NOW,
    }).plan.changes
    expect(changes).toEqual(planned)
  })

  test('are the same when nothing of their apps differs, whatever the versions', () => {
    expect(isSameRevision(before, before)).toBe(true)
    expect(
      isSameRevision(
        before,
        applied({ api, worker: spec(), constructor: spec() }, { versions: { ...versions, api: 99 } }).apps,
      ),
    ).toBe(true)
    expect(isSameRevision(before, after)).toBe(false)
    expect(isSameRevision({}, after)).toBe(false)
  })
})

/** Everything that may be asked, of any state. */
const anything: fc.Arbitrary<PlanInput> = specs
  .chain((before) =>
    fc.record({
      applied: appliedState(before),
      apps: edited(before),
      observed: observedState,
      verb: fc.constantFrom<(Verb | 'apply' | 'keep')[]>(
        'apply',
        'keep',
        'stop',
        'start',
        'restart',
        'reload',
        'scale',
      ),
      delta: fc.integer({ min: -3, max: 3 }),
    }),
  )
  .map(({ applied: state, apps, observed: seen, verb: name, delta }): PlanInput => {
    const names = APP_NAMES.filter((app) => Object.hasOwn(state.apps, app))
    const intent =
      name === 'apply' ? APPLY : name === 'keep' ? KEEP : verb(name, names, name === 'scale' ? { delta } : {})
    const kept = Object.fromEntries(Object.entries(state.apps).map(([app, { spec: of }]) => [app, of]))
    return { desired: desired(name === 'keep' ? kept : apps), applied: state, observed: seen, intent, now: NOW }
  })

function withHolds(state: AppliedState, until: number | null): AppliedState {
  const holds = Object.entries(state.holds).map(([app, hold]) => [app, { ...hold, until }])
  return { ...state, holds: until === null ? {} : Object.fromEntries(holds) }
}

test('a hold that is over is none: what is wanted after a plan is the same without it', () => {
  fc.assert(
    fc.property(anything, fc.integer({ min: 0, max: HOUR }), (input, ago) => {
      const over = plan({ ...input, applied: withHolds(input.applied, NOW - ago) })
      const none = plan({ ...input, applied: withHolds(input.applied, null) })
      expect(over.nextHolds).toEqual(none.nextHolds)
      expect(over.plan.totals).toEqual(none.plan.totals)
      expect(Object.keys(over.next)).toEqual(Object.keys(none.next))
    }),
  )
})

test('a hold that is not over is one like any other', () => {
  fc.assert(
    fc.property(anything, fc.integer({ min: 1, max: HOUR }), (input, left) => {
      const lasting = plan({ ...input, applied: withHolds(input.applied, NOW + left) })
      const endless = plan(input)
      expect(lasting.plan.totals).toEqual(endless.plan.totals)
      expect(lasting.plan.steps.map(({ app }) => app)).toEqual(
        expect.arrayContaining(endless.plan.steps.map(({ app }) => app)),
      )
    }),
  )
})
