import { describe, expect, test } from 'vitest'
import { unreachable } from '../../src/errors.ts'
import { SPEC_DEFAULTS } from '../../src/model/defaults.ts'
import type { Exit } from '../../src/model/observed.ts'
import type { RestartPolicy } from '../../src/model/spec.ts'
import {
  type Instance,
  type InstanceEvent,
  type LifePolicy,
  NEW_INSTANCE,
  type Phase,
} from '../../src/supervisor/instance-state.ts'
import { transition } from '../../src/supervisor/transition.ts'

const NOW = 100_000
const PID = 42
const SINCE = NOW - 500
const INCARNATION = 3
const CRASH: Exit = { kind: 'code', code: 1, at: NOW }
const CLEAN: Exit = { kind: 'code', code: 0, at: NOW }

const RESTART: RestartPolicy = {
  ...SPEC_DEFAULTS.restart,
  backoff: { ...SPEC_DEFAULTS.restart.backoff, jitter: 0 },
}
const POLICY: LifePolicy = {
  stop: SPEC_DEFAULTS.stop,
  drainMs: 0,
  restart: RESTART,
  readyTimeoutMs: 30_000,
  runTimeoutMs: null,
  hooks: new Set(),
  hasReadiness: false,
  dice: 0.5,
}
/** The same with every hook there is. */
const HOOKED: LifePolicy = { ...POLICY, hooks: new Set(['pre_start', 'post_start', 'pre_stop', 'post_stop']) }

const stopping = {
  name: 'stopping',
  step: 'ending',
  pid: PID,
  since: SINCE,
  readyAt: SINCE,
  deadline: NOW,
  killed: false,
  exit: null,
  endedAt: null,
  fault: null,
} as const
const fault = { reason: 'exited with code 1', clean: false, final: false, serves: false }
const starting = { name: 'starting', step: 'ready', pid: PID, since: SINCE, deadline: NOW } as const
const spawning = { ...starting, step: 'spawn', pid: null, deadline: null } as const
const running = { name: 'running', pid: PID, since: SINCE, readyAt: SINCE, unready: null, deadline: null } as const

/** Every phase, with what is wanted in it. */
const PHASES: Record<string, { wanted: 'up' | 'down'; phase: Phase }> = {
  stopped: { wanted: 'down', phase: { name: 'stopped' } },
  spawning: { wanted: 'up', phase: spawning },
  'spawning, unwanted': { wanted: 'down', phase: spawning },
  starting: { wanted: 'up', phase: starting },
  running: { wanted: 'up', phase: running },
  'not ready': { wanted: 'up', phase: { ...running, unready: 'answered 503' } },
  overdue: { wanted: 'up', phase: { ...running, deadline: NOW } },
  stopping: { wanted: 'down', phase: stopping },
  'stopping, wanted again': { wanted: 'up', phase: stopping },
  'ended, rest stopping': { wanted: 'up', phase: { ...stopping, exit: CRASH, endedAt: NOW, fault } },
  killed: { wanted: 'down', phase: { ...stopping, killed: true } },
  backoff: { wanted: 'up', phase: { name: 'backoff', until: NOW, reason: 'exited with code 1' } },
  exited: { wanted: 'up', phase: { name: 'exited' } },
  failed: { wanted: 'up', phase: { name: 'failed', reason: 'why' } },
}

/** Phases of an instance with hooks. */
const HOOKED_PHASES: Record<string, { wanted: 'up' | 'down'; phase: Phase }> = {
  'stopped, hooked': { wanted: 'down', phase: { name: 'stopped' } },
  pre_start: { wanted: 'up', phase: { ...spawning, step: 'pre_start' } },
  'pre_start, unwanted': { wanted: 'down', phase: { ...spawning, step: 'pre_start' } },
  'starting, hooked': { wanted: 'up', phase: starting },
  post_start: { wanted: 'up', phase: { ...starting, step: 'post_start', deadline: null } },
  'running, hooked': { wanted: 'up', phase: running },
  pre_stop: { wanted: 'down', phase: { ...stopping, step: 'pre_stop', deadline: null } },
  'stopping, hooked': { wanted: 'down', phase: stopping },
  post_stop: { wanted: 'down', phase: { ...stopping, step: 'post_stop', pid: null, deadline: null, exit: CRASH } },
  'post_stop after a crash': {
    wanted: 'up',
    phase: { ...stopping, step: 'post_stop', pid: null, deadline: null, exit: CRASH, endedAt: NOW, fault },
  },
}

const draining = { ...stopping, step: 'drain' } as const

/** Phases of an instance that drains before it is asked to end. */
const DRAIN_PHASES: Record<string, { wanted: 'up' | 'down'; phase: Phase }> = {
  'starting, drains': { wanted: 'up', phase: starting },
  'running, drains': { wanted: 'up', phase: running },
  'not ready, drains': { wanted: 'up', phase: { ...running, unready: 'answered 503' } },
  'overdue, drains': { wanted: 'up', phase: { ...running, deadline: NOW } },
  draining: { wanted: 'down', phase: draining },
  'draining, wanted again': { wanted: 'up', phase: draining },
  'draining for a fault': { wanted: 'up', phase: { ...draining, fault: { ...fault, serves: true } } },
  drained: { wanted: 'down', phase: stopping },
}

const HOOKED_DRAIN_PHASES: Record<string, { wanted: 'up' | 'down'; phase: Phase }> = {
  'post_start, drains': { wanted: 'up', phase: { ...starting, step: 'post_start', deadline: null } },
  'running, hooked, drains': { wanted: 'up', phase: running },
  'pre_stop, drains': { wanted: 'down', phase: { ...stopping, step: 'pre_stop', deadline: null } },
  'pre_stop of one that is not well': {
    wanted: 'up',
    phase: { ...stopping, step: 'pre_stop', deadline: null, fault },
  },
  'draining, hooked': { wanted: 'down', phase: draining },
}

const EVENTS: Record<string, InstanceEvent> = {
  start: { type: 'start' },
  stop: { type: 'stop' },
  deadline: { type: 'deadline', left: 3 },
  spawned: { type: 'spawned', incarnation: INCARNATION, pid: PID },
  ready: { type: 'ready', incarnation: INCARNATION },
  reset: { type: 'reset' },
  unready: { type: 'readiness', incarnation: INCARNATION, reason: 'answered 503' },
  'ready again': { type: 'readiness', incarnation: INCARNATION, reason: null },
  fault: { type: 'fault', incarnation: INCARNATION, reason: 'not healthy', urgent: false, serves: false },
  'fault, serves': { type: 'fault', incarnation: INCARNATION, reason: 'eats memory', urgent: false, serves: true },
  urgent: { type: 'fault', incarnation: INCARNATION, reason: 'eats memory', urgent: true, serves: true },
  drained: { type: 'drained', incarnation: INCARNATION },
  crash: { type: 'exited', incarnation: INCARNATION, exit: CRASH },
  empty: { type: 'group-empty', incarnation: INCARNATION },
  ...Object.fromEntries(
    (['pre_start', 'post_start', 'pre_stop', 'post_stop'] as const).flatMap((hook) => [
      [`${hook} ok`, { type: 'hook-ended', incarnation: INCARNATION, hook, failure: null }],
      [`${hook} fails`, { type: 'hook-ended', incarnation: INCARNATION, hook, failure: 'exited with code 1' }],
    ]),
  ),
}

const SPAWN = 'starting up: no-deadline spawn'
const PRE_START = 'starting up: no-deadline pre_start'
const URGENT = 'stopping up: SIGKILL deadline+1000 await-group'
const STOP = 'deadline+10000 SIGTERM await-group'
const KILL = 'SIGKILL deadline+1000'

/** Phase, event, and what comes out; every pair that is not named changes nothing. */
const TABLE: Record<string, Record<string, string>> = {
  stopped: { start: SPAWN },
  spawning: {
    stop: 'starting down:',
    spawned: 'starting up: deadline+30000 watch-ready',
    crash: SPAWN,
  },
  'spawning, unwanted': {
    start: 'starting up:',
    spawned: `stopping down: ${STOP}`,
    crash: 'stopped down: no-deadline',
  },
  starting: {
    stop: `stopping down: ${STOP}`,
    deadline: `stopping up: ${STOP}`,
    ready: 'running up: no-deadline watch-life',
    fault: `stopping up: ${STOP}`,
    'fault, serves': `stopping up: ${STOP}`,
    urgent: URGENT,
    crash: `stopping up: ${STOP}`,
  },
  running: {
    stop: `stopping down: ${STOP}`,
    unready: 'running up: "not ready: answered 503"',
    fault: `stopping up: ${STOP}`,
    'fault, serves': `stopping up: ${STOP}`,
    urgent: URGENT,
    crash: `stopping up: ${STOP}`,
  },
  'not ready': {
    stop: `stopping down: ${STOP}`,
    'ready again': 'running up: "ready: its readiness probe passes"',
    fault: `stopping up: ${STOP}`,
    'fault, serves': `stopping up: ${STOP}`,
    urgent: URGENT,
    crash: `stopping up: ${STOP}`,
  },
  overdue: {
    stop: `stopping down: ${STOP}`,
    deadline: `stopping up: ${STOP}`,
    unready: 'running up: "not ready: answered 503"',
    fault: `stopping up: ${STOP}`,
    'fault, serves': `stopping up: ${STOP}`,
    urgent: URGENT,
    crash: `stopping up: ${STOP}`,
  },
  stopping: {
    urgent: `stopping down: ${KILL}`,
    start: 'stopping up:',
    deadline: `stopping down: ${KILL}`,
    crash: 'stopping down:',
    empty: 'stopped down: no-deadline',
  },
  'stopping, wanted again': {
    urgent: `stopping up: ${KILL}`,
    stop: 'stopping down:',
    deadline: `stopping up: ${KILL}`,
    crash: 'stopping up:',
    empty: SPAWN,
  },
  'ended, rest stopping': {
    urgent: `stopping up: ${KILL}`,
    start: 'stopping up:',
    stop: 'stopping down:',
    deadline: `stopping up: ${KILL}`,
    crash: 'stopping up:',
    empty: SPAWN,
  },
  killed: {
    start: 'stopping up:',
    deadline: `stopping down: ${KILL}`,
    crash: 'stopping down:',
    empty: 'stopped down: no-deadline',
  },
  backoff: { start: SPAWN, reset: SPAWN, stop: 'stopped down: no-deadline', deadline: SPAWN },
  exited: { start: SPAWN, stop: 'stopped down: no-deadline' },
  failed: { start: SPAWN, reset: SPAWN, stop: 'stopped down: no-deadline' },
}

const HOOKED_TABLE: Record<string, Record<string, string>> = {
  'stopped, hooked': { start: PRE_START },
  pre_start: {
    stop: 'starting down: cancel-hook',
    'pre_start ok': SPAWN,
    'pre_start fails': 'stopping up: no-deadline post_stop',
    crash: 'stopping up: no-deadline post_stop',
  },
  'pre_start, unwanted': {
    start: 'starting up:',
    stop: 'starting down: cancel-hook',
    'pre_start ok': 'stopping down: no-deadline post_stop',
    'pre_start fails': 'stopping down: no-deadline post_stop',
    crash: 'stopping down: no-deadline post_stop',
  },
  'starting, hooked': {
    stop: `stopping down: ${STOP}`,
    deadline: `stopping up: ${STOP}`,
    ready: 'starting up: no-deadline post_start',
    fault: `stopping up: ${STOP}`,
    'fault, serves': `stopping up: ${STOP}`,
    urgent: URGENT,
    crash: `stopping up: ${STOP}`,
  },
  post_start: {
    stop: `stopping down: ${STOP} cancel-hook`,
    'post_start ok': 'running up: no-deadline watch-life',
    'post_start fails': `stopping up: ${STOP}`,
    fault: `stopping up: ${STOP} cancel-hook`,
    'fault, serves': `stopping up: ${STOP} cancel-hook`,
    urgent: `${URGENT} cancel-hook`,
    crash: `stopping up: ${STOP} cancel-hook`,
  },
  'running, hooked': {
    stop: 'stopping down: no-deadline pre_stop',
    unready: 'running up: "not ready: answered 503"',
    fault: 'stopping up: no-deadline pre_stop',
    'fault, serves': 'stopping up: no-deadline pre_stop',
    urgent: URGENT,
    crash: `stopping up: ${STOP}`,
  },
  pre_stop: {
    start: 'stopping up:',
    'pre_stop ok': `stopping down: ${STOP}`,
    'pre_stop fails': `stopping down: ${STOP}`,
    urgent: 'stopping down: SIGKILL deadline+1000 await-group cancel-hook',
    crash: `stopping down: ${STOP} cancel-hook`,
  },
  'stopping, hooked': {
    start: 'stopping up:',
    urgent: `stopping down: ${KILL}`,
    deadline: `stopping down: ${KILL}`,
    crash: 'stopping down:',
    empty: 'stopping down: no-deadline post_stop',
  },
  post_stop: {
    start: 'stopping up:',
    'post_stop ok': 'stopped down: no-deadline',
    'post_stop fails': 'stopped down: no-deadline',
  },
  'post_stop after a crash': {
    start: 'stopping up:',
    stop: 'stopping down:',
    'post_stop ok': PRE_START,
    'post_stop fails': PRE_START,
  },
}

const DRAIN = 'deadline+5000 drain'
const DRAINED_OUT = 'deadline+10000 SIGTERM "3 connections were still open when its drain of 5s was over" await-group'

const DRAIN_TABLE: Record<string, Record<string, string>> = {
  // It has served nobody yet.
  'starting, drains': {
    stop: `stopping down: ${STOP}`,
    deadline: `stopping up: ${STOP}`,
    ready: 'running up: no-deadline watch-life',
    fault: `stopping up: ${STOP}`,
    'fault, serves': `stopping up: ${STOP}`,
    urgent: URGENT,
    crash: `stopping up: ${STOP}`,
  },
  'running, drains': {
    stop: `stopping down: ${DRAIN}`,
    unready: 'running up: "not ready: answered 503"',
    fault: `stopping up: ${STOP}`,
    'fault, serves': `stopping up: ${DRAIN}`,
    urgent: URGENT,
    crash: `stopping up: ${STOP}`,
  },
  'not ready, drains': {
    stop: `stopping down: ${DRAIN}`,
    'ready again': 'running up: "ready: its readiness probe passes"',
    fault: `stopping up: ${STOP}`,
    'fault, serves': `stopping up: ${DRAIN}`,
    urgent: URGENT,
    crash: `stopping up: ${STOP}`,
  },
  'overdue, drains': {
    stop: `stopping down: ${DRAIN}`,
    deadline: `stopping up: ${STOP}`,
    unready: 'running up: "not ready: answered 503"',
    fault: `stopping up: ${STOP}`,
    'fault, serves': `stopping up: ${DRAIN}`,
    urgent: URGENT,
    crash: `stopping up: ${STOP}`,
  },
  draining: {
    start: 'stopping up:',
    drained: `stopping down: ${STOP}`,
    deadline: `stopping down: ${DRAINED_OUT}`,
    urgent: 'stopping down: SIGKILL deadline+1000 await-group',
    crash: `stopping down: ${STOP}`,
  },
  'draining, wanted again': {
    stop: 'stopping down:',
    drained: `stopping up: ${STOP}`,
    deadline: `stopping up: ${DRAINED_OUT}`,
    urgent: URGENT,
    crash: `stopping up: ${STOP}`,
  },
  'draining for a fault': {
    start: 'stopping up:',
    stop: 'stopping down:',
    drained: `stopping up: ${STOP}`,
    deadline: `stopping up: ${DRAINED_OUT}`,
    urgent: URGENT,
    crash: `stopping up: ${STOP}`,
  },
  drained: {
    start: 'stopping up:',
    deadline: `stopping down: ${KILL}`,
    urgent: `stopping down: ${KILL}`,
    crash: 'stopping down:',
    empty: 'stopped down: no-deadline',
  },
}

const HOOKED_DRAIN_TABLE: Record<string, Record<string, string>> = {
  'post_start, drains': {
    stop: `stopping down: ${DRAIN} cancel-hook`,
    'post_start ok': 'running up: no-deadline watch-life',
    'post_start fails': `stopping up: ${STOP}`,
    fault: `stopping up: ${STOP} cancel-hook`,
    'fault, serves': `stopping up: ${STOP} cancel-hook`,
    urgent: `${URGENT} cancel-hook`,
    crash: `stopping up: ${STOP} cancel-hook`,
  },
  'running, hooked, drains': {
    stop: 'stopping down: no-deadline pre_stop',
    unready: 'running up: "not ready: answered 503"',
    fault: 'stopping up: no-deadline pre_stop',
    'fault, serves': 'stopping up: no-deadline pre_stop',
    urgent: URGENT,
    crash: `stopping up: ${STOP}`,
  },
  'pre_stop, drains': {
    start: 'stopping up:',
    'pre_stop ok': `stopping down: ${DRAIN}`,
    'pre_stop fails': `stopping down: ${DRAIN}`,
    urgent: 'stopping down: SIGKILL deadline+1000 await-group cancel-hook',
    crash: `stopping down: ${STOP} cancel-hook`,
  },
  'pre_stop of one that is not well': {
    start: 'stopping up:',
    stop: 'stopping down:',
    'pre_stop ok': `stopping up: ${STOP}`,
    'pre_stop fails': `stopping up: ${STOP}`,
    urgent: `${URGENT} cancel-hook`,
    crash: `stopping up: ${STOP} cancel-hook`,
  },
  'draining, hooked': {
    start: 'stopping up:',
    drained: `stopping down: ${STOP}`,
    deadline: `stopping down: ${DRAINED_OUT}`,
    urgent: 'stopping down: SIGKILL deadline+1000 await-group',
    crash: `stopping down: ${STOP}`,
  },
}

function instanceIn({ wanted, phase }: { wanted: 'up' | 'down'; phase: Phase }): Instance {
  return { ...NEW_INSTANCE, incarnation: INCARNATION, wanted, phase }
}

function outcomeOf(before: Instance, event: InstanceEvent, policy: LifePolicy): string {
  const { instance, effects } = transition(before, event, policy, NOW)
  const acts = effects.flatMap((effect) => {
    switch (effect.type) {
      case 'set-deadline':
        return [effect.at === null ? 'no-deadline' : `deadline+${effect.at - NOW}`]
      case 'signal-group':
        return [effect.signal]
      case 'record':
        return effect.event === 'unready' || /^ready: |still open/.test(effect.message)
          ? [JSON.stringify(effect.message)]
          : []
      case 'run-hook':
        return [effect.hook]
      case 'drain':
      case 'ask-to-stop':
      case 'cancel-hook':
      case 'watch-life':
      case 'spawn':
      case 'watch-ready':
      case 'await-group':
        return [effect.type]
      default:
        return unreachable(effect)
    }
  })
  // The order of effects is of no account to the table, save that SIGKILL is named first.
  const order = ['SIGKILL', 'no-deadline', 'deadline', 'SIGTERM']
  const rank = (act: string): number => {
    if (act === 'cancel-hook') return order.length + 1
    const at = order.findIndex((prefix) => act.startsWith(prefix))
    return at < 0 ? order.length : at
  }
  acts.sort((a, b) => rank(a) - rank(b))
  return [`${instance.phase.name} ${instance.wanted}:`, ...acts].join(' ')
}

describe.each([
  ['without hooks', PHASES, TABLE, POLICY],
  ['with every hook', HOOKED_PHASES, HOOKED_TABLE, HOOKED],
  ['with a drain', DRAIN_PHASES, DRAIN_TABLE, { ...POLICY, drainMs: 5000 }],
  ['with a drain and every hook', HOOKED_DRAIN_PHASES, HOOKED_DRAIN_TABLE, { ...HOOKED, drainMs: 5000 }],
] as const)('every phase and every event, %s', (_, phases, table, policy) => {
  for (const [phaseName, row] of Object.entries(phases)) {
    for (const [eventName, event] of Object.entries(EVENTS)) {
      const expected = table[phaseName]?.[eventName]
      const before = instanceIn(row)
      const unchanged = `${before.phase.name} ${before.wanted}:`
      // A verb is remembered even where it has nothing to do.
      const wanted = eventName === 'start' ? 'up' : eventName === 'stop' ? 'down' : before.wanted
      test(`${phaseName} + ${eventName}: ${expected ?? 'nothing'}`, () => {
        expect(outcomeOf(before, event, policy)).toBe(expected ?? unchanged.replace(/ (up|down):/, ` ${wanted}:`))
      })
    }
    test(`${phaseName}: an event of an older incarnation changes nothing`, () => {
      const before = instanceIn(row)
      for (const event of Object.values(EVENTS)) {
        if (!('incarnation' in event)) continue
        const late = transition(before, { ...event, incarnation: INCARNATION - 1 }, policy, NOW)
        expect(late).toEqual({ instance: before, effects: [] })
      }
    })
  }
})

describe('early deadlines', () => {
  for (const name of ['starting', 'stopping', 'backoff']) {
    test(`${name}: a timer that fires too early is set again, and nothing else happens`, () => {
      const before = instanceIn(PHASES[name] ?? { wanted: 'up', phase: { name: 'stopped' } })
      const { instance, effects } = transition(before, { type: 'deadline' }, POLICY, NOW - 1)
      expect(instance).toEqual(before)
      expect(effects).toEqual([{ type: 'set-deadline', at: NOW }])
    })
  }
})

describe('how a run is judged', () => {
  const withPolicy = (policy: RestartPolicy['policy']): LifePolicy => ({ ...POLICY, restart: { ...RESTART, policy } })

  test('an instance that was not ready in time has failed, even if it answers SIGTERM with exit code 0', () => {
    const policy = withPolicy('on_failure')
    let instance = instanceIn(PHASES['starting'] as { wanted: 'up'; phase: Phase })
    instance = transition(instance, { type: 'deadline' }, policy, NOW).instance
    instance = transition(instance, { type: 'exited', incarnation: INCARNATION, exit: CLEAN }, policy, NOW).instance
    const { instance: settled, effects } = transition(
      instance,
      { type: 'group-empty', incarnation: INCARNATION },
      policy,
      NOW,
    )
    expect(settled.phase.name).toBe('starting')
    expect(effects).toContainEqual({
      type: 'record',
      event: 'restarting',
      message: 'not ready within 30s; restarting (restart 1 of 16)',
      reason: 'not ready within 30s',
    })
  })

  test('an instance that ends by itself with exit code 0 is left alone under on_failure', () => {
    const policy = withPolicy('on_failure')
    let instance = instanceIn(PHASES['running'] as { wanted: 'up'; phase: Phase })
    instance = transition(instance, { type: 'exited', incarnation: INCARNATION, exit: CLEAN }, policy, NOW).instance
    instance = transition(instance, { type: 'group-empty', incarnation: INCARNATION }, policy, NOW).instance
    expect(instance.phase).toEqual({ name: 'exited' })
  })

  test('what the rest of a group takes to end does not count as up time', () => {
    let instance = instanceIn(PHASES['running'] as { wanted: 'up'; phase: Phase })
    instance = transition(instance, { type: 'exited', incarnation: INCARNATION, exit: CRASH }, POLICY, NOW).instance
    instance = transition(instance, { type: 'group-empty', incarnation: INCARNATION }, POLICY, NOW + 11_000).instance
    expect(instance.history.upClock).toBe(NOW - SINCE)
  })

  test('a start while the rest of a crashed group ends forgives the crash', () => {
    const policy = withPolicy('never')
    let instance = instanceIn(PHASES['ended, rest stopping'] as { wanted: 'up'; phase: Phase })
    instance = transition(instance, { type: 'start' }, policy, NOW).instance
    instance = transition(instance, { type: 'group-empty', incarnation: INCARNATION }, policy, NOW).instance
    expect(instance.phase.name).toBe('starting')
    expect(instance.restarts).toBe(0)
  })

  test('an operator who starts it again begins the count of restarts again', () => {
    const failed = { ...instanceIn(PHASES['failed'] as { wanted: 'up'; phase: Phase }), restarts: 16 }
    const { instance } = transition(failed, { type: 'start' }, POLICY, NOW)
    expect(instance).toMatchObject({ restarts: 0, history: { marks: [], inARow: 0 } })
  })

  test('SIGKILL as the stop signal is not told as if the grace had been over', () => {
    const policy: LifePolicy = { ...POLICY, stop: { ...POLICY.stop, signal: 'SIGKILL', timeoutMs: 100 } }
    let instance = instanceIn(PHASES['running'] as { wanted: 'up'; phase: Phase })
    instance = transition(instance, { type: 'stop' }, policy, NOW).instance
    const { effects } = transition(instance, { type: 'deadline' }, policy, NOW + 100)
    expect(effects.some((effect) => effect.type === 'record' && effect.event === 'killed')).toBe(false)
  })

  test.each([
    [null, 'connections were still open when its drain of 5s was over'],
    [1, '1 connection was still open when its drain of 5s was over'],
  ])('a drain that was not over in time is told (%s left)', (left, message) => {
    const before = instanceIn(DRAIN_PHASES['draining'] as { wanted: 'down'; phase: Phase })
    const { effects } = transition(before, { type: 'deadline', left }, { ...POLICY, drainMs: 5000 }, NOW)
    expect(effects).toContainEqual({ type: 'record', event: 'note', message, reason: null })
  })

  test('SIGKILL as the stop signal drains first', () => {
    const policy: LifePolicy = { ...POLICY, drainMs: 5000, stop: { ...POLICY.stop, signal: 'SIGKILL' } }
    const before = instanceIn(PHASES['running'] as { wanted: 'up'; phase: Phase })
    const stopped = transition(before, { type: 'stop' }, policy, NOW)
    expect(stopped.effects.map(({ type }) => type)).toEqual(['drain', 'set-deadline'])
    const { effects } = transition(stopped.instance, { type: 'drained', incarnation: INCARNATION }, policy, NOW)
    expect(effects[0]).toEqual({ type: 'signal-group', pid: PID, signal: 'SIGKILL' })
  })
})
