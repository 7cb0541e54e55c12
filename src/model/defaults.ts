import type { AppSpec } from './spec.ts'

/** What a field of a spec is when nobody says anything about it. Also what a spec stored before the field existed gets. */
export const SPEC_DEFAULTS = {
  instances: 1,
  listen: [],
  env: {},
  ambient: {},
  ready: { check: { type: 'settled' }, timeoutMs: 30_000, intervalMs: 100, attemptTimeoutMs: 5000 },
  readiness: null,
  health: null,
  stop: { signal: 'SIGTERM', message: null, exec: null, timeoutMs: 10_000 },
  restart: {
    policy: 'always',
    max: 16,
    windowMs: 60_000,
    backoff: { initialMs: 100, factor: 2, maxMs: 30_000, jitter: 0.1 },
    successExitCodes: [0],
    stopExitCodes: [],
  },
  hooks: { preStart: null, postStart: null, preStop: null, postStop: null },
  limits: { memoryBytes: null, cpu: null },
  attributes: { user: null, group: null, umask: 0o022, nice: null, oomScoreAdj: null, rlimits: {} },
  rollout: { exclusive: false },
  dependsOn: {},
  restartsWith: [],
  job: { retries: 0, run: 'on_change', timeoutMs: null },
  inputs: {},
  schedule: null,
  watch: null,
} as const satisfies Omit<AppSpec, 'kind' | 'command' | 'cwd'>
