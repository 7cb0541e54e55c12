/** Builders for planner tests: an app is a default with a few fields changed, a scope a handful of apps. */

import { SPEC_DEFAULTS } from '../../src/model/defaults.ts'
import { NOTHING_APPLIED } from '../../src/model/applied.ts'
import type { AppliedState, Hold } from '../../src/model/applied.ts'
import type { ObservedInstance, ObservedState, PortHolder } from '../../src/model/observed.ts'
import type { PlannedChange, Verb } from '../../src/model/plan.ts'
import type { AppSpec, DesiredState, Endpoint, EnvValue, HttpCheck, Schedule } from '../../src/model/spec.ts'
import { plan } from '../../src/planner/plan.ts'
import type { ApplyIntent, Intent, VerbIntent } from '../../src/planner/plan.ts'
import { renderText } from '../../src/planner/render-text.ts'

export const FILE = '/srv/shop/ecosystem.yaml'
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)

export function spec(fields: Partial<AppSpec> = {}): AppSpec {
  return {
    ...SPEC_DEFAULTS,
    kind: 'service',
    command: ['node', 'server.js'],
    cwd: '/srv/shop',
    ambient: { PATH: '/usr/bin' },
    ...fields,
  }
}

/** An http check of a port of this machine. */
export function httpCheck(port: number, path: string): HttpCheck {
  const status = [{ from: 200, to: 399 }]
  return { type: 'http', endpoint: endpoint(port), tls: false, path, headers: {}, status, body: null }
}

export function endpoint(port: number, host = '127.0.0.1'): Endpoint {
  return { type: 'tcp', host, port, perInstance: false }
}

export function cron(expression: string, timezone: string | null = null): Schedule {
  return { cron: expression, timezone, overlap: 'skip', missed: 'skip', history: 10 }
}

export function plain(value: string): EnvValue {
  return { type: 'plain', value }
}

export function secret(source: string, fingerprint: string, sealed = `sealed:${fingerprint}`): EnvValue {
  return { type: 'secret', source, fingerprint, sealed }
}

export function desired(apps: Record<string, AppSpec>, file = FILE): DesiredState {
  const git = { commit: '9f3c2e1aa7f0c5d2b1e8', dirty: false }
  return { scope: { project: 'shop', environment: 'production' }, source: { file, git }, apps }
}

export function applied(
  apps: Record<string, AppSpec>,
  options: { versions?: Record<string, number>; holds?: Record<string, Hold>; file?: string } = {},
): AppliedState {
  const records = Object.entries(apps).map(([app, of]) => [app, { version: options.versions?.[app] ?? 7, spec: of }])
  return {
    serial: 41,
    source: { file: options.file ?? FILE, git: null },
    apps: Object.fromEntries(records),
    holds: options.holds ?? {},
  }
}

export function instance(slot: number, fields: Partial<ObservedInstance> = {}): ObservedInstance {
  const running = { state: 'running', ready: true, pid: 9000 + slot, startedAt: NOW - 60_000, restarts: 0 } as const
  return { slot, version: 7, ...running, lastExit: null, reason: null, ...fields }
}

/** The observed state of a scope that runs exactly as applied, with some apps' instances given. */
export function observed(
  state: AppliedState,
  instances: Record<string, readonly ObservedInstance[]> = {},
  foreignPorts: readonly PortHolder[] = [],
): ObservedState {
  const apps = Object.entries(state.apps).map(([app, { spec: of, version }]) => [
    app,
    { instances: instances[app] ?? healthy(of, version, state.holds[app] ?? null) },
  ])
  return { apps: Object.fromEntries(apps), foreignPorts }
}

export function healthy(of: AppSpec, version: number, hold: Hold | null): readonly ObservedInstance[] {
  const done = { state: 'exited', pid: null, ready: false, lastExit: { kind: 'code', code: 0, at: NOW } } as const
  if (of.kind === 'job') return hold === null ? [instance(0, { version, ...done })] : []
  if (of.kind === 'cron') return []
  return Array.from({ length: hold?.instances ?? of.instances }, (_, slot) => instance(slot, { version }))
}

export const APPLY: ApplyIntent = { kind: 'apply', only: null, allowEmpty: false, takeOver: false }

export function verb(name: Verb, apps: readonly string[], fields: Partial<VerbIntent> = {}): VerbIntent {
  const targets = apps.map((app) => ({ app, slots: null }))
  return { kind: 'verb', verb: name, apps: targets, instances: null, by: 'deploy@tty1', ...fields }
}

export interface Scenario {
  readonly file?: Record<string, AppSpec>
  readonly applied?: AppliedState
  readonly observed?: ObservedState
  readonly intent?: Intent
}

/** Plans a scenario; what is not given is as it was applied, and healthy. */
export function planOf(scenario: Scenario): PlannedChange {
  const state = scenario.applied ?? NOTHING_APPLIED
  const specs = Object.fromEntries(Object.entries(state.apps).map(([app, record]) => [app, record.spec]))
  return plan({
    desired: desired(scenario.file ?? specs),
    applied: state,
    observed: scenario.observed ?? observed(state),
    intent: scenario.intent ?? APPLY,
    now: NOW,
  })
}

/** The text of a scenario's plan, as golden tests compare it; ids vary with every field and are left out. */
export function textOf(scenario: Scenario): string {
  const text = renderText(planOf(scenario).plan, { color: false, width: 120, apply: 'eco apply' })
  return `\n${text.replaceAll(/p-(\d+)-[\da-f]{8}/g, 'p-$1-…')}`
}
