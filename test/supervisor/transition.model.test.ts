import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ExitStatus, HookName } from '../../src/model/spec.ts'
import type { LifePolicy } from '../../src/supervisor/instance-state.ts'
import { type Action, SimulatedWorld } from './simulated-world.ts'

const simple = fc.constantFrom<Action[]>(
  { do: 'start' },
  { do: 'start' },
  { do: 'stop' },
  { do: 'reset' },
  { do: 'hook-ends', failure: null },
  { do: 'hook-ends', failure: null },
  { do: 'hook-ends', failure: 'exited with code 1' },
  { do: 'readiness', reason: 'answered 503' },
  { do: 'readiness', reason: null },
  { do: 'fault', urgent: false, serves: false },
  { do: 'fault', urgent: false, serves: true },
  { do: 'fault', urgent: true, serves: true },
  { do: 'drained' },
  { do: 'spawn-error' },
  { do: 'ready' },
  { do: 'members-end' },
  { do: 'report-empty' },
  { do: 'early-deadline' },
)
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: simple },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('spawned' as const), members: fc.constantFrom(0, 0, 1, 3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('end' as const), code: fc.constantFrom(0, 1, null) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(0, 1, 99, 500, 1500, 40_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('late' as const),
      event: fc.constantFrom(
        'spawned',
        'ready',
        'exited',
        'group-empty',
        'readiness',
        'fault',
        'hook-ended',
        'drained',
      ),
      age: fc.integer({ min: 1, max: 3 }),
    }),
  },
)
const actions = fc.array(action, { maxLength: 80, size: 'max' })

const HOOKS: HookName[] = ['pre_start', 'post_start', 'pre_stop', 'post_stop']

const policies: fc.Arbitrary<LifePolicy> = fc.record({
  stop: fc.record({
    signal: fc.constantFrom('SIGTERM', 'SIGINT'),
    message: fc.constantFrom(null, '"shutdown"'),
    exec: fc.constantFrom(null, ['pg_ctl', 'stop']),
    drainMs: fc.constantFrom(0, 1, 10_000),
    timeoutMs: fc.constantFrom(0, 1, 500, 10_000),
  }),
  drainMs: fc.constantFrom(0, 1, 10_000),
  restart: fc.record({
    policy: fc.constantFrom('always', 'on_failure', 'never'),
    max: fc.integer({ min: 0, max: 5 }),
    windowMs: fc.constantFrom(1000, 60_000),
    backoff: fc.record({
      initialMs: fc.constantFrom(0, 100),
      factor: fc.constant(2),
      maxMs: fc.constant(30_000),
      jitter: fc.constantFrom(0, 0.1),
    }),
    successExitCodes: fc.constantFrom<ExitStatus[][]>([0], [0, 1], ['SIGTERM']),
    stopExitCodes: fc.constantFrom<ExitStatus[][]>([], [1]),
  }),
  readyTimeoutMs: fc.constantFrom(0, 100, 30_000),
  runTimeoutMs: fc.constantFrom(null, null, 500),
  hooks: fc.oneof(
    fc.constant(new Set<HookName>()),
    fc.subarray(HOOKS).map((names) => new Set(names)),
  ),
  hasReadiness: fc.boolean(),
  dice: fc.constantFrom(0, 0.5, 1),
})

/** Every action also checks what must hold at all times: see simulated-world.ts. */
function worldAfter(policy: LifePolicy, history: readonly Action[]): SimulatedWorld {
  const world = new SimulatedWorld(policy)
  for (const step of history) world.act(step)
  return world
}

const RUNS = { numRuns: 1000 }

describe('whatever happens to an instance', () => {
  test('there is never a second process, a signal to a stranger, an early SIGKILL or a wait without an end', () => {
    fc.assert(
      fc.property(policies, actions, (policy, history) => void worldAfter(policy, history)),
      RUNS,
    )
  })

  test('a stopped instance ends as stopped once the world cooperates', () => {
    fc.assert(
      fc.property(policies, actions, (policy, history) => {
        const world = worldAfter(policy, history)
        world.act({ do: 'stop' })
        world.cooperate()
        expect(world.instance).toMatchObject({ wanted: 'down', phase: { name: 'stopped' } })
      }),
      RUNS,
    )
  })

  test('a started instance ends as running, or as ended for a reason, once the world cooperates', () => {
    fc.assert(
      fc.property(policies, actions, (policy, history) => {
        // With a time limit a service would be ended, and started again, for ever.
        const world = worldAfter({ ...policy, runTimeoutMs: null }, [...history, { do: 'start' }])
        world.cooperate()
        expect(world.instance.wanted).toBe('up')
        expect(['running', 'exited', 'failed']).toContain(world.instance.phase.name)
      }),
      RUNS,
    )
  })

  test('an operator who asks for a start gets one, whatever came before', () => {
    fc.assert(
      fc.property(policies, actions, (policy, history) => {
        const world = worldAfter({ ...policy, readyTimeoutMs: 30_000, runTimeoutMs: null }, [
          ...history,
          { do: 'stop' },
        ])
        world.cooperate()
        const { incarnation } = world.instance
        world.act({ do: 'start' })
        world.cooperate()
        expect(world.instance).toMatchObject({ phase: { name: 'running' }, incarnation: incarnation + 1, restarts: 0 })
      }),
      RUNS,
    )
  })
})
