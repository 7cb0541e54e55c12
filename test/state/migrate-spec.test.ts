import { expect, test } from 'vitest'
import { SPEC_DEFAULTS } from '../../src/model/defaults.ts'
import type { AppSpec } from '../../src/model/spec.ts'
import { currentSpec } from '../../src/state/migrate-spec.ts'
import { cron, httpCheck, spec } from '../planner/scenario.ts'

/** As eco wrote it before it knew probes, hooks and limits. */
const FORMAT_1 = {
  kind: 'cron',
  command: ['node', 'server.js'],
  cwd: '/srv/shop',
  instances: 1,
  listen: [],
  env: {},
  ambient: { PATH: '/usr/bin' },
  ready: {
    check: { type: 'http', host: '127.0.0.1', port: 3000, path: '/healthz', status: [{ from: 200, to: 399 }] },
    timeoutMs: 30_000,
    intervalMs: 100,
  },
  stop: { signal: 'SIGTERM', timeoutMs: 10_000 },
  restart: { policy: 'always', max: 16, windowMs: 60_000, backoff: { initialMs: 100, factor: 2, maxMs: 30_000 } },
  rollout: { exclusive: false },
  dependsOn: {},
  schedule: { cron: '0 3 * * *', timezone: null },
} as unknown as AppSpec

test('a spec of format 1 becomes what eco would write today, so that an upgrade changes nothing', () => {
  expect(currentSpec(FORMAT_1)).toEqual(
    spec({
      kind: 'cron',
      ready: { ...SPEC_DEFAULTS.ready, check: httpCheck(3000, '/healthz') },
      schedule: cron('0 3 * * *'),
    }),
  )
})

test('a spec of today stays as it is', () => {
  const today = currentSpec(FORMAT_1)
  expect(currentSpec(today)).toEqual(today)
})
