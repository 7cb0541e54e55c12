/** Times plan() in this process: `node plan-1000.mjs URL_OF_API unchanged|created|changed` prints one line of JSON. */

import { median } from '../lib/stats.mjs'

const APPS = 1000
const INSTANCES = 2
const WARM_CALLS = 20
const NOW = Date.UTC(2026, 0, 1)

const [, , api, scenario] = process.argv
const { plan } = await import(api)

const scope = { project: 'bench', environment: 'bench' }
const source = { file: '/srv/bench/ecosystem.yaml', git: null }

/** A fresh input for each call, as in life: no object is shared with the call before. */
function input() {
  const desired = {
    scope,
    source,
    apps: everyApp((name, index) => spec(name, index, scenario === 'changed' ? '2' : '1')),
  }
  const intent = { kind: 'apply', only: null, allowEmpty: false, takeOver: false }
  if (scenario === 'created') {
    const applied = { serial: 0, source: null, apps: {}, holds: {} }
    return { desired, applied, observed: { apps: {}, foreignPorts: [] }, intent, now: NOW }
  }
  const apps = everyApp((name, index) => ({ version: 1, spec: spec(name, index, '1') }))
  const observed = { apps: everyApp((_, index) => ({ instances: instances(index) })), foreignPorts: [] }
  return { desired, applied: { serial: 1, source, apps, holds: {} }, observed, intent, now: NOW }
}

function everyApp(make) {
  return Object.fromEntries(Array.from({ length: APPS }, (_, index) => [nameOf(index), make(nameOf(index), index)]))
}

function nameOf(index) {
  return `app${String(index).padStart(4, '0')}`
}

/** Every fifth app starts a chain of five that depend on each other. */
function spec(name, index, release) {
  return {
    kind: 'service',
    command: ['node', `/srv/bench/${name}/server.js`, '--name', name],
    cwd: `/srv/bench/${name}`,
    instances: INSTANCES,
    listen: [{ type: 'tcp', host: null, port: 10_000 + index }],
    env: { LOG_LEVEL: plain('info'), NAME: plain(name), PORT: plain(String(10_000 + index)), RELEASE: plain(release) },
    ambient: { PATH: '/usr/bin:/bin', HOME: '/root', LANG: 'C.UTF-8' },
    ready: { check: { type: 'tcp', host: '127.0.0.1', port: 10_000 + index }, timeoutMs: 30_000, intervalMs: 100 },
    stop: { signal: 'SIGTERM', timeoutMs: 10_000 },
    restart: { policy: 'always', max: 16, windowMs: 60_000, backoff: { initialMs: 100, factor: 2, maxMs: 30_000 } },
    rollout: { exclusive: false },
    dependsOn: index % 5 ? { [nameOf(index - 1)]: 'ready' } : {},
    schedule: null,
  }
}

function plain(value) {
  return { type: 'plain', value }
}

function instances(index) {
  return Array.from({ length: INSTANCES }, (_, slot) => ({
    slot,
    version: 1,
    state: 'running',
    ready: true,
    pid: 10_000 + index * INSTANCES + slot,
    startedAt: NOW - 60_000,
    restarts: 0,
    lastExit: null,
    reason: null,
  }))
}

function time() {
  const given = input()
  const started = performance.now()
  const result = plan(given)
  return { ms: performance.now() - started, steps: result.plan.steps.length }
}

const { ms: first, steps } = time()
const warm = Array.from({ length: WARM_CALLS }, () => time().ms)
const expected = scenario === 'unchanged' ? 0 : APPS
if (steps !== expected) throw new Error(`expected ${expected} steps, but the plan has ${steps}`)
console.log(JSON.stringify({ first, warm: median(warm), steps }))
