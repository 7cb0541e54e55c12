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
  transition,
} from '../../src/supervisor/transition.ts'

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
  restart: RESTART,
  readyTimeoutMs: 30_000,
}

const stopping = {
  name: 'stopping',
  pid: PID,
  since: SINCE,
  readyAt: SINCE,
  deadline: NOW,
  killed: false,
  exit: null,
  fault: null,
} as const
const fault = { reason: 'exited with code 1', clean: false }

/** Every phase, with what is wanted in it. */
const PHASES: Record<string, { wanted: 'up' | 'down'; phase: Phase }> = {
  stopped: { wanted: 'down', phase: { name: 'stopped' } },
  spawning: { wanted: 'up', phase: { name: 'starting', pid: null, since: SINCE, deadline: NOW } },
  'spawning, unwanted': { wanted: 'down', phase: { name: 'starting', pid: null, since: SINCE, deadline: NOW } },
  starting: { wanted: 'up', phase: { name: 'starting', pid: PID, since: SINCE, deadline: NOW } },
  running: { wanted: 'up', phase: { name: 'running', pid: PID, since: SINCE, readyAt: SINCE } },
  stopping: { wanted: 'down', phase: stopping },
  'stopping, wanted again': { wanted: 'up', phase: stopping },
  'ended, rest stopping': { wanted: 'up', phase: { ...stopping, exit: CRASH, fault } },
  killed: { wanted: 'down', phase: { ...stopping, killed: true } },
  backoff: { wanted: 'up', phase: { name: 'backoff', until: NOW, reason: 'exited with code 1' } },
  exited: { wanted: 'up', phase: { name: 'exited' } },
  failed: { wanted: 'up', phase: { name: 'failed', reason: 'why' } },
}

const EVENTS: Record<string, InstanceEvent> = {
  start: { type: 'start' },
  stop: { type: 'stop' },
  deadline: { type: 'deadline' },
  spawned: { type: 'spawned', incarnation: INCARNATION, pid: PID },
  ready: { type: 'ready', incarnation: INCARNATION },
  crash: { type: 'exited', incarnation: INCARNATION, exit: CRASH },
  empty: { type: 'group-empty', incarnation: INCARNATION },
}

const SPAWN = 'starting up: deadline+30000 spawn'
const STOP = 'deadline+10000 SIGTERM await-group'
const KILL = 'SIGKILL deadline+1000'

/** Phase, event, and what comes out; every pair that is not named changes nothing. */
const TABLE: Record<string, Record<string, string>> = {
  stopped: { start: SPAWN },
  spawning: {
    stop: 'starting down:',
    spawned: 'starting up: deadline+0 watch-ready',
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
    spawned: 'starting up: deadline+0 watch-ready',
    ready: 'running up: no-deadline',
    crash: `stopping up: ${STOP}`,
  },
  running: { stop: `stopping down: ${STOP}`, crash: `stopping up: ${STOP}` },
  stopping: {
    start: 'stopping up:',
    deadline: `stopping down: ${KILL}`,
    crash: 'stopping down:',
    empty: 'stopped down: no-deadline',
  },
  'stopping, wanted again': {
    stop: 'stopping down:',
    deadline: `stopping up: ${KILL}`,
    crash: 'stopping up:',
    empty: SPAWN,
  },
  'ended, rest stopping': {
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
  backoff: { start: SPAWN, stop: 'stopped down: no-deadline', deadline: SPAWN },
  exited: { start: SPAWN, stop: 'stopped down: no-deadline' },
  failed: { start: SPAWN, stop: 'stopped down: no-deadline' },
}

function instanceIn({ wanted, phase }: { wanted: 'up' | 'down'; phase: Phase }): Instance {
  return { ...NEW_INSTANCE, incarnation: INCARNATION, wanted, phase }
}

function outcomeOf(before: Instance, event: InstanceEvent): string {
  const { instance, effects } = transition(before, event, POLICY, NOW)
  const acts = effects.flatMap((effect) => {
    switch (effect.type) {
      case 'set-deadline':
        return [effect.at === null ? 'no-deadline' : `deadline+${effect.at - NOW}`]
      case 'signal-group':
        return [effect.signal]
      case 'record':
        return []
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
    const at = order.findIndex((prefix) => act.startsWith(prefix))
    return at < 0 ? order.length : at
  }
  acts.sort((a, b) => rank(a) - rank(b))
  return [`${instance.phase.name} ${instance.wanted}:`, ...acts].join(' ')
}

describe('every phase and every event', () => {
  for (const [phaseName, row] of Object.entries(PHASES)) {
    for (const [eventName, event] of Object.entries(EVENTS)) {
      const expected = TABLE[phaseName]?.[eventName]
      const before = instanceIn(row)
      const unchanged = `${before.phase.name} ${before.wanted}:`
      // A verb is remembered even where it has nothing to do.
      const wanted = eventName === 'start' ? 'up' : eventName === 'stop' ? 'down' : before.wanted
      test(`${phaseName} + ${eventName}: ${expected ?? 'nothing'}`, () => {
        expect(outcomeOf(before, event)).toBe(expected ?? unchanged.replace(/ (up|down):/, ` ${wanted}:`))
      })
    }
    test(`${phaseName}: an event of an older incarnation changes nothing`, () => {
      const before = instanceIn(row)
      for (const event of Object.values(EVENTS)) {
        if (!('incarnation' in event)) continue
        const late = transition(before, { ...event, incarnation: INCARNATION - 1 }, POLICY, NOW)
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
    expect(effects).toContainEqual({ type: 'record', message: 'not ready within 30s; restarting (restart 1 of 16)' })
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
    expect(effects.some((effect) => effect.type === 'record')).toBe(false)
  })
})
