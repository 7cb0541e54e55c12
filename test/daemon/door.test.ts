import { describe, expect, test } from 'vitest'
import { admit } from '../../src/daemon/door.ts'
import { MIN_PROTOCOL, PROTOCOL } from '../../src/daemon/protocol.ts'
import { EcoError } from '../../src/errors.ts'
import { spec } from '../planner/scenario.ts'

const SELECTION = { selectors: [], project: null, environment: null }
const INTENT = { only: null, allowEmpty: false, takeOver: false }

function request(fields: object): string {
  return JSON.stringify({ protocol: PROTOCOL, min_protocol: MIN_PROTOCOL, version: '2.0.0', params: {}, ...fields })
}

function refusal(fields: object): EcoError {
  try {
    admit(request(fields), '1.0.0')
  } catch (error) {
    return error as EcoError
  }
  throw new Error('it was let in')
}

const desired = (api: object): object => ({
  scope: { project: 'shop', environment: 'default' },
  source: { file: '/shop/ecosystem.yaml', git: null },
  apps: { api },
})

const daemonIsOlder = /^upgrade the daemon .*eco daemon upgrade$/
const commandIsOlder = /^this eco is older than the daemon: upgrade it/

describe('protocols', () => {
  test.each([
    ['the same', PROTOCOL, MIN_PROTOCOL],
    ['a newer one, which understands ours too', PROTOCOL + 1, PROTOCOL],
    ['without a range, as the oldest ecos asked', PROTOCOL, undefined],
  ])('%s is let in', (_, protocol, min) => {
    const admitted = admit(request({ protocol, min_protocol: min, method: 'ls', params: SELECTION }), '1.0.0')
    expect(admitted).toEqual({ method: 'ls', params: SELECTION })
  })

  test.each([
    ['a newer one', PROTOCOL + 2, PROTOCOL + 1, daemonIsOlder],
    ['a newer one without a range', PROTOCOL + 1, undefined, daemonIsOlder],
    ['an older one', MIN_PROTOCOL - 1, MIN_PROTOCOL - 1, commandIsOlder],
    ['none', undefined, undefined, commandIsOlder],
    ['no number', '1', '1', commandIsOlder],
  ])('%s is refused with the side to upgrade', (_, protocol, min, hint) => {
    const { code, message, hint: told } = refusal({ protocol, min_protocol: min, method: 'ls', params: SELECTION })
    expect(code).toBe('DAEMON_VERSION')
    expect(message).toBe(`The daemon (eco 1.0.0) speaks protocol ${PROTOCOL}, eco 2.0.0 speaks ${String(protocol)}.`)
    expect(told).toMatch(hint)
  })

  test.each(['hello', 'shutdown', 'upgrade'])('%s is understood in every one, whatever comes with it', (method) => {
    const params = { apps: true, node: '/usr/bin/node', entry: '/eco/daemon.cjs', later: 1 }
    expect(admit(request({ protocol: 99, min_protocol: 99, method, params }), '1.0.0')).toEqual({ method, params })
  })
})

describe('what this daemon does not know is refused, and not left aside', () => {
  const stop = { ...SELECTION, verb: 'stop', instances: null, by: 'ann' }
  test.each([
    ['a method', { method: 'dance' }, 'the method "dance"'],
    ['a method of every object', { method: 'constructor' }, 'the method "constructor"'],
    ['a parameter', { method: 'verb', params: { ...stop, dry: true } }, '"dry" of "verb"'],
    ['a parameter of every object', { method: 'ls', params: { ...SELECTION, toString: 1 } }, '"toString" of "ls"'],
    [
      'a part of the intent',
      { method: 'plan', params: { desired: desired(spec()), intent: { ...INTENT, canary: 1 } } },
      '"canary" of "plan"',
    ],
    [
      'a field of an app',
      { method: 'apply', params: { desired: desired({ ...spec(), gpu: 1 }), intent: INTENT } },
      '"gpu" of app api',
    ],
    [
      'a setting within a field',
      {
        method: 'plan',
        params: { desired: desired({ ...spec(), stop: { ...spec().stop, twice: 1 } }), intent: INTENT },
      },
      '"twice" of stop of app api',
    ],
  ])('%s', (_, fields, what) => {
    const { code, message, hint } = refusal(fields)
    expect({ code, message }).toEqual({
      code: 'DAEMON_VERSION',
      message: `The daemon (eco 1.0.0) does not know ${what}.`,
    })
    expect(hint).toMatch(daemonIsOlder)
  })

  test('optional parameters are known', () => {
    const params = { ...stop, delta: 1, forMs: 5 }
    expect(admit(request({ method: 'verb', params }), '1.0.0').params).toEqual(params)
  })
})

test('what an older eco does not know of an app gets its default', () => {
  const { watch: _, ...older } = spec({ rollout: { ...spec().rollout } })
  const params = { desired: desired(older), intent: INTENT }
  expect(admit(request({ method: 'plan', params }), '1.0.0').params).toEqual({ ...params, desired: desired(spec()) })
})
