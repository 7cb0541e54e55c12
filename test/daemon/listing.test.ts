import { expect, test } from 'vitest'
import { appState } from '../../src/daemon/listing.ts'
import type { InstanceStateName } from '../../src/model/observed.ts'
import type { AppKind } from '../../src/model/spec.ts'
import { instance, spec } from '../planner/scenario.ts'

test.each<[AppKind | null, InstanceStateName[], number, string]>([
  ['service', ['running', 'running'], 2, 'running'],
  ['service', ['running', 'starting', 'stopping'], 3, 'starting'],
  ['service', ['failed', 'running'], 2, 'failed'],
  ['service', ['backoff', 'starting'], 2, 'backoff'],
  ['service', ['exited'], 1, 'exited'],
  ['service', [], 0, 'stopped'],
  ['service', [], 2, 'failed'],
  ['job', ['exited'], 1, 'completed'],
  ['job', ['running'], 1, 'running'],
  ['job', ['failed'], 1, 'failed'],
  ['cron', [], 0, 'scheduled'],
  ['cron', ['exited'], 0, 'scheduled'],
  ['cron', ['failed'], 0, 'scheduled'],
  [null, ['exited'], 0, 'exited'],
  [null, ['starting'], 0, 'starting'],
])('%s with %j, %i wanted: %s', (kind, states, wanted, expected) => {
  const applied = kind === null ? undefined : { version: 1, spec: spec({ kind }) }
  const instances = states.map((state, slot) => instance(slot, { state }))
  expect(appState(applied, instances, wanted)).toBe(expected)
})
