import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Engine, StepOrder, StepOutcome } from '../../src/engine/engine.ts'
import { execute, exitCodeOf, resultingApps } from '../../src/executor/execute.ts'
import type { AppliedApp, AppliedState } from '../../src/model/applied.ts'
import { NOTHING_APPLIED } from '../../src/model/applied.ts'
import type { StepEvent } from '../../src/model/events.ts'
import type { PlannedChange, Step, StepAction } from '../../src/model/plan.ts'
import { desired, planOf, spec } from '../planner/scenario.ts'

const OLD: AppliedApp = { version: 1, spec: spec() }
const NEW: AppliedApp = { version: 2, spec: spec({ cwd: '/srv/new' }) }
const DONE: StepOutcome = { status: 'done' }
const FAILED: StepOutcome = { status: 'failed', reason: 'why', log: [] }
const ROLLED_BACK: StepOutcome = { status: 'rolled-back', reason: 'why', log: [] }
const KEPT: StepOutcome = { status: 'kept', reason: 'why', log: [] }

function step(id: number, action: StepAction, after: readonly number[] = [], app = `app${id}`): Step {
  const counts = { from: 0, to: 1, slots: [0], operations: [] }
  return { id, app, action, cause: '', trigger: 'change', impact: 'roll', after, gate: null, ...counts }
}

/** A change of these steps; every app but those removed is at its new version after it. */
function changeOf(steps: readonly Step[]): PlannedChange {
  const { plan } = planOf({ file: desired({}).apps })
  const kept = steps.filter((it) => it.action !== 'remove')
  return { plan: { ...plan, steps }, next: Object.fromEntries(kept.map((it) => [it.app, NEW])), nextHolds: {} }
}

function appliedBefore(steps: readonly Step[]): AppliedState {
  const old = steps.filter((it) => it.action !== 'start')
  return { ...NOTHING_APPLIED, serial: 3, apps: Object.fromEntries(old.map((it) => [it.app, OLD])) }
}

/** The one fake: an engine whose steps end as they are told to. */
class FakeEngine implements Engine {
  readonly log: string[] = []
  readonly orders: StepOrder[] = []
  readonly #outcomeOf: (step: Step) => StepOutcome | Error

  constructor(outcomeOf: (step: Step) => StepOutcome | Error = () => DONE) {
    this.#outcomeOf = outcomeOf
  }

  observe(): never {
    throw new Error('not asked for')
  }

  prepare(): never {
    throw new Error('not asked for')
  }

  queue(): () => void {
    return () => {}
  }

  async perform(order: StepOrder, progress: (message: string) => void): Promise<StepOutcome> {
    this.orders.push(order)
    this.log.push(`begin ${order.step.id}`)
    progress('at work')
    await new Promise((resolve) => setImmediate(resolve))
    this.log.push(`end ${order.step.id}`)
    const outcome = this.#outcomeOf(order.step)
    if (outcome instanceof Error) throw outcome
    return outcome
  }
}

async function run(steps: readonly Step[], engine: FakeEngine): Promise<{ statuses: string[]; events: StepEvent[] }> {
  const events: StepEvent[] = []
  const results = await execute(changeOf(steps), appliedBefore(steps), engine, (event) => events.push(event))
  return { statuses: results.map(({ step: it, outcome }) => `${it.id} ${outcome.status}`), events }
}

describe('execute', () => {
  test('begins every step as soon as its prerequisites have succeeded', async () => {
    const engine = new FakeEngine()
    const { statuses } = await run([step(1, 'start'), step(2, 'roll'), step(3, 'roll', [1, 2])], engine)
    expect(engine.log).toEqual(['begin 1', 'begin 2', 'end 1', 'end 2', 'begin 3', 'end 3'])
    expect(statuses).toEqual(['1 done', '2 done', '3 done'])
  })

  test.each([FAILED, ROLLED_BACK])(
    'skips all that wait for a step that ended as $status, and only those',
    async (bad) => {
      const engine = new FakeEngine((it) => (it.id === 1 ? bad : DONE))
      const steps = [step(1, 'roll'), step(2, 'roll', [1]), step(3, 'roll', [2]), step(4, 'roll')]
      const { statuses, events } = await run(steps, engine)
      expect(statuses).toEqual([`1 ${bad.status}`, '2 skipped', '3 skipped', '4 done'])
      expect(events.find((event) => event.id === 3)).toMatchObject({
        status: 'skipped',
        message: 'waits for app2, which waits for app1: why',
      })
    },
  )

  test('a throw of the engine is a failure of its step, and the others go on', async () => {
    const engine = new FakeEngine((it) => (it.id === 1 ? new Error('oops') : DONE))
    const { statuses, events } = await run([step(1, 'roll'), step(2, 'roll', [1]), step(3, 'roll')], engine)
    expect(statuses).toEqual(['1 failed', '2 skipped', '3 done'])
    expect(events.filter((event) => event.id === 1).at(-1)?.message).toBe('Internal error: oops')
  })

  test('gives the engine the app before and after', async () => {
    const engine = new FakeEngine()
    await run([step(1, 'start'), step(2, 'roll'), step(3, 'remove')], engine)
    expect(engine.orders.map(({ before, after }) => [before?.version ?? null, after?.version ?? null])).toEqual([
      [null, 2],
      [1, 2],
      [1, null],
    ])
  })

  test('tells each step as started, in progress and ended', async () => {
    const { events } = await run([step(1, 'roll')], new FakeEngine())
    expect(events.map(({ status, message }) => [status, message])).toEqual([
      ['started', null],
      ['progress', 'at work'],
      ['done', null],
    ])
  })

  test('whatever the graph and the outcomes: a step runs if and only if all it waits for was done, and after it', async () => {
    const graph = fc.integer({ min: 0, max: 9 }).chain((count) =>
      fc.tuple(
        ...Array.from({ length: count }, (_, i) =>
          fc.record({
            after: i === 0 ? fc.constant([]) : fc.uniqueArray(fc.integer({ min: 1, max: i }), { maxLength: 3 }),
            outcome: fc.constantFrom(DONE, DONE, DONE, FAILED, ROLLED_BACK),
          }),
        ),
      ),
    )
    await fc.assert(
      fc.asyncProperty(graph, async (nodes) => {
        const steps = nodes.map(({ after }, i) => step(i + 1, 'roll', after))
        const engine = new FakeEngine((it) => nodes[it.id - 1]?.outcome ?? DONE)
        const { statuses } = await run(steps, engine)
        for (const it of steps) {
          const free = it.after.every((id) => statuses[id - 1] === `${id} done`)
          const expected = free ? nodes[it.id - 1]?.outcome.status : 'skipped'
          expect(statuses[it.id - 1]).toBe(`${it.id} ${expected}`)
          const begin = engine.log.indexOf(`begin ${it.id}`)
          expect(begin >= 0).toBe(free)
          if (free) for (const id of it.after) expect(engine.log.indexOf(`end ${id}`)).toBeLessThan(begin)
        }
      }),
    )
  })
})

describe('what is applied afterwards, and the exit code', () => {
  const SKIPPED: StepOutcome = { status: 'skipped', reason: 'why' }
  const table: [StepAction, StepOutcome, number | null, number][] = [
    ['start', DONE, 2, 0],
    ['start', FAILED, 2, 7],
    ['start', SKIPPED, null, 8],
    ['run', DONE, 2, 0],
    ['run', FAILED, 2, 7],
    ['run', SKIPPED, 1, 8],
    ['update', DONE, 2, 0],
    ['update', SKIPPED, 1, 8],
    ['schedule', DONE, 2, 0],
    ['schedule', SKIPPED, 1, 8],
    ['scale', DONE, 2, 0],
    ['scale', FAILED, 2, 7],
    ['scale', SKIPPED, 1, 8],
    ['roll', DONE, 2, 0],
    // A version that could not take the place of the old one is not tried again by itself.
    ['roll', FAILED, 1, 7],
    ['roll', KEPT, 2, 8],
    ['roll', { ...ROLLED_BACK, isDown: true }, 1, 7],
    ['roll', ROLLED_BACK, 1, 6],
    ['roll', SKIPPED, 1, 8],
    ['restart', DONE, 2, 0],
    ['restart', FAILED, 1, 7],
    ['restart', ROLLED_BACK, 1, 6],
    ['restart', SKIPPED, 1, 8],
    ['stop', DONE, 2, 0],
    ['stop', SKIPPED, 1, 8],
    ['remove', DONE, null, 0],
    ['remove', FAILED, 1, 7],
    ['remove', SKIPPED, 1, 8],
  ]
  test.each(table)('%s %o: version %s, exit code %i', (action, outcome, version, exitCode) => {
    const steps = [step(1, action)]
    const results = [{ step: step(1, action), outcome }]
    const apps = resultingApps(changeOf(steps), appliedBefore(steps), results)
    expect(apps['app1']?.version ?? null).toBe(version)
    expect(exitCodeOf(results)).toBe(exitCode)
  })

  test('apps without a step are as planned', () => {
    const change = { ...changeOf([]), next: { quiet: NEW } }
    expect(resultingApps(change, NOTHING_APPLIED, [])).toEqual({ quiet: NEW })
  })

  test('the worst step decides the exit code', () => {
    const results = [DONE, ROLLED_BACK, SKIPPED, FAILED].map((outcome, i) => ({ step: step(i, 'roll'), outcome }))
    expect(exitCodeOf(results)).toBe(7)
    expect(exitCodeOf(results.slice(0, 3))).toBe(6)
    expect(exitCodeOf([])).toBe(0)
  })
})
