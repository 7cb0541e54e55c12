import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FIELD_IMPACT } from '../../src/model/impact.ts'
import type { AppliedState } from '../../src/model/applied.ts'
import { fenceposts } from '../../src/model/rollout.ts'
import { instanceName } from '../../src/model/ids.ts'
import { hasWork } from '../../src/model/plan.ts'
import type { PlannedChange, Step, Verb } from '../../src/model/plan.ts'
import type { AppSpec } from '../../src/model/spec.ts'
import { diffSpecs, specsEqual } from '../../src/planner/diff.ts'
import { diffExitCode } from '../../src/planner/exit-code.ts'
import { fieldName } from '../../src/planner/field-name.ts'
import { plan } from '../../src/planner/plan.ts'
import type { Intent, PlanInput } from '../../src/planner/plan.ts'
import { renderJson } from '../../src/planner/render-json.ts'
import { renderMarkdown } from '../../src/planner/render-markdown.ts'
import { renderText } from '../../src/planner/render-text.ts'
import { survey } from '../../src/planner/survey.ts'
import { createStyle } from '../../src/planner/text-style.ts'
import {
  APP_NAMES,
  appliedState,
  appSpec,
  edited,
  observedState,
  resealed,
  SECRET_MARK,
  specs,
} from '../support/spec-arbitraries.ts'
import { applied, APPLY, healthy, NOW, planOf, verb } from './scenario.ts'

const SCOPE = { project: 'shop', environment: 'production' }
const SOURCE = { file: '/srv/shop/ecosystem.yaml', git: null }

const applyIntent: fc.Arbitrary<Intent> = fc.record({
  kind: fc.constant('apply' as const),
  only: fc.constant(null),
  allowEmpty: fc.boolean(),
  takeOver: fc.boolean(),
})

/** An apply of an edited file, with anything at all running. */
const applyInput: fc.Arbitrary<PlanInput> = specs
  .chain((before) =>
    fc.record({ applied: appliedState(before), apps: edited(before), observed: observedState, intent: applyIntent }),
  )
  .map(({ applied, apps, observed, intent }) => ({
    desired: { scope: SCOPE, source: SOURCE, apps },
    applied,
    observed,
    intent,
    now: NOW,
  }))

const verbInput: fc.Arbitrary<PlanInput> = fc
  .record({
    input: applyInput,
    verb: fc.constantFrom<Verb[]>('start', 'stop', 'restart', 'reload', 'scale', 'delete'),
    named: fc.subarray([...APP_NAMES], { minLength: 1 }),
    slots: fc.option(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }), { nil: null }),
    instances: fc.integer({ min: 0, max: 5 }),
  })
  .map(({ input, verb, named, slots, instances }) => ({
    ...input,
    intent: {
      kind: 'verb' as const,
      verb,
      apps: named.filter((app) => Object.hasOwn(input.applied.apps, app)).map((app) => ({ app, slots })),
      instances: verb === 'scale' ? instances : null,
      by: 'deploy@tty1',
    },
  }))

const anyInput = fc.oneof(applyInput, verbInput)

/** The state after a plan was carried out: as planned, and exactly that runs. */
function settle(
  { next, nextHolds, plan: done }: PlannedChange,
  applied: AppliedState,
): Pick<PlanInput, 'applied' | 'observed'> {
  const state = { serial: applied.serial + 1, source: done.source, apps: next, holds: nextHolds }
  const apps = Object.entries(next).map(([app, { spec, version }]) => {
    const held = Object.hasOwn(nextHolds, app) ? (nextHolds[app] ?? null) : null
    return [app, { instances: healthy(spec, version, held) }]
  })
  return { applied: state, observed: { apps: Object.fromEntries(apps), foreignPorts: [] } }
}

/** The same value with the keys of every object in another order. */
function shuffled<T>(value: T, seed: number): T
function shuffled(value: unknown, seed: number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffled<unknown>(item, seed))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
    .map(([key, item]) => [key, shuffled<unknown>(item, seed + 1)] as const)
    .toSorted(([a], [b]) => weight(a, seed) - weight(b, seed))
  return Object.fromEntries(entries)
}

function weight(key: string, seed: number): number {
  let hash = seed
  for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0
  return hash
}

describe('a plan', () => {
  test('is empty after a successful apply', () => {
    fc.assert(
      fc.property(applyInput, (input) => {
        const first = plan(input)
        const intent = { ...APPLY, allowEmpty: true }
        const second = plan({ ...input, ...settle(first, input.applied), intent })
        expect(second.plan).toMatchObject({ drift: [], changes: [], steps: [], guards: [] })
        expect(second.next).toEqual(first.next)
        expect(diffExitCode(second.plan)).toBe(0)
      }),
    )
  })

  test('with holds kept brings back what was applied, and is empty then', () => {
    fc.assert(
      fc.property(applyInput, ({ applied, ...input }) => {
        const apps = Object.fromEntries(Object.entries(applied.apps).map(([app, { spec }]) => [app, spec]))
        const desired = { ...input.desired, apps }
        const intent = { ...APPLY, allowEmpty: true, takeOver: true, keepHolds: true }
        const first = plan({ ...input, applied, desired, intent })
        expect(first.plan.changes).toEqual([])
        expect(first).toMatchObject({ next: applied.apps, nextHolds: applied.holds })
        const second = plan({ ...input, desired, ...settle(first, applied), intent })
        expect(second.plan.steps).toEqual([])
      }),
    )
  })

  test('of a verb finds nothing to do the second time, but for restart and reload', () => {
    fc.assert(
      fc.property(verbInput, (input) => {
        const first = plan(input)
        const { verb } = first.plan
        fc.pre(verb === 'start' || verb === 'stop' || verb === 'scale')
        const hasJobs = Object.values(input.applied.apps).some(({ spec }) => spec.kind === 'job')
        fc.pre(verb !== 'start' || !hasJobs)
        expect(hasWork(plan({ ...input, ...settle(first, input.applied) }).plan)).toBe(false)
      }),
    )
  })

  test('does not depend on the order of keys, nor on the clock', () => {
    fc.assert(
      fc.property(applyInput, fc.integer(), (input, seed) => {
        expect(plan({ ...shuffled(input, seed), now: NOW + seed })).toEqual(plan(input))
      }),
    )
  })

  test('keeps its id while pids, times and crashes under repair change', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const apps = Object.entries(input.observed.apps).map(([app, { instances }]) => [
          app,
          {
            instances: instances.map((instance) => {
              const isUp = instance.state === 'running' || instance.state === 'starting'
              const fields = { pid: 1, startedAt: 2, restarts: instance.restarts + 1, reason: 'another' }
              return { ...instance, ...fields, state: isUp ? ('starting' as const) : instance.state }
            }),
          },
        ])
        const observed = { ...input.observed, apps: Object.fromEntries(apps) }
        expect(plan({ ...input, observed }).plan.id).toBe(plan(input).plan.id)
      }),
    )
  })

  test('has another id when its steps, its guards or the spec of a new app differ', () => {
    const policy = fc.constantFrom<keyof AppSpec>('cwd', 'command', 'ready', 'stop', 'restart', 'listen', 'dependsOn')
    fc.assert(
      fc.property(applyInput, applyInput, appSpec, policy, (input, other, spec, field) => {
        const of = plan(input)
        const apps = { ...input.desired.apps }
        for (const app of Object.keys(apps))
          if (apps[app] !== undefined) apps[app] = { ...apps[app], [field]: spec[field] }
        const variants = [
          plan({ ...other, applied: input.applied }),
          plan({ ...input, desired: { ...input.desired, apps } }),
        ]
        for (const variant of variants) expect(variant.plan.id === of.plan.id).toBe(essence(variant) === essence(of))
      }),
    )
  })

  test('is the same when the secrets are sealed anew', () => {
    fc.assert(
      fc.property(applyInput, (input) => {
        const apps = Object.fromEntries(
          Object.entries(input.desired.apps).map(([app, spec]) => [app, { ...spec, env: resealed(spec.env) }]),
        )
        const again = plan({ ...input, desired: { ...input.desired, apps } })
        expect(again.plan).toEqual(plan(input).plan)
      }),
    )
  })

  test('does not touch its inputs', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const copy = structuredClone(input)
        plan(input)
        expect(input).toEqual(copy)
      }),
    )
  })
})

const RENEWS: ReadonlySet<string> = new Set(['roll', 'restart', 'start', 'run'])

describe('steps', () => {
  test('wait for their dependencies, and for nothing else', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { plan: of, next } = plan(input)
        const ups = new Map(of.steps.filter((step) => !isDown(step)).map((step) => [step.app, step]))
        const downs = new Map(of.steps.filter(isDown).map((step) => [step.app, step]))
        const edges = new Set<string>()
        for (const step of of.steps) {
          const isHalf = ups.has(step.app) && downs.has(step.app)
          const half = downs.get(step.app)
          if (isHalf && half !== step) edges.add(`${half?.id} ${step.id}`)
          for (const name of Object.keys(own(next, step.app)?.spec.dependsOn ?? {})) {
            const dependency = ups.get(name)
            if (dependency !== undefined && !isDown(step)) edges.add(`${dependency.id} ${step.id}`)
          }
          for (const name of Object.keys(own(input.applied.apps, step.app)?.spec.dependsOn ?? {})) {
            const [up, down] = [ups.get(name), downs.get(name)]
            if (isDown(step) && down !== undefined) edges.add(`${step.id} ${down.id}`)
            else if (isDown(step) && isHalf && up !== undefined) edges.add(`${step.id} ${up.id}`)
            else if (!isHalf && up === undefined && down !== undefined) edges.add(`${step.id} ${down.id}`)
          }
        }
        const found = of.steps.flatMap((step) => step.after.map((id) => `${id} ${step.id}`))
        expect(found.toSorted()).toEqual([...edges].toSorted())
        for (const [index, step] of of.steps.entries()) {
          expect(step.id).toBe(index + 1)
          expect(step.after.every((id) => id < step.id)).toBe(true)
        }
      }),
    )
  })

  test('never start before their dependencies, nor stop before their dependents', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { plan: of, next } = plan(input)
        const position = (app: string, down: boolean): number =>
          of.steps.findIndex((step) => step.app === app && isDown(step) === down)
        for (const [index, step] of of.steps.entries()) {
          const spec = isDown(step) ? own(input.applied.apps, step.app)?.spec : own(next, step.app)?.spec
          for (const name of Object.keys(spec?.dependsOn ?? {})) {
            const other = position(name, isDown(step))
            if (other >= 0) expect(other < index).toBe(!isDown(step))
          }
        }
      }),
    )
  })

  test('are one for each app of the scope; two only for a restart by hand of an app and its dependency', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const known = new Set([...Object.keys(input.desired.apps), ...Object.keys(input.applied.apps)])
        const { steps, verb } = plan(input).plan
        const apps = steps.map(({ app }) => app)
        expect(apps.every((app) => known.has(app))).toBe(true)
        for (const app of new Set(apps)) {
          const actions = steps.filter((step) => step.app === app).map(({ action }) => action)
          if (actions.length === 1) continue
          expect(verb).toBe('restart')
          expect(actions).toEqual(['stop', 'start'])
          const dependsOn = own(input.applied.apps, app)?.spec.dependsOn ?? {}
          expect(steps.some((step) => Object.hasOwn(dependsOn, step.app) && !isDown(step))).toBe(true)
        }
      }),
    )
  })

  test('replace exactly the running dependents that restart with an app whose processes are new', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { plan: of, next, nextHolds } = plan(input)
        const renews = (app: string): boolean =>
          Object.hasOwn(input.applied.apps, app) &&
          of.steps.some((step) => step.app === app && RENEWS.has(step.action) && step.slots.some((it) => it < step.to))
        for (const app of Object.keys(input.applied.apps)) {
          const spec = own(next, app)?.spec
          if (spec?.kind !== 'service' || own(input.applied.apps, app)?.spec.kind !== 'service') continue
          const wanted = own(nextHolds, app)?.instances ?? spec.instances
          const held = own(input.applied.holds, app)?.instances ?? own(input.applied.apps, app)?.spec.instances ?? 0
          const seen = own(input.observed.apps, app)?.instances ?? []
          const causes = spec.restartsWith.filter(renews).toSorted()
          const steps = of.steps.filter((step) => step.app === app)
          const replaced = steps.some(({ action }) => action === 'roll' || action === 'restart')
          const runs = survey(seen, held, [0]).running.size > 0
          // Of an app whose instances are named one by one, those are restarted and no others.
          const { intent } = input
          const isPartial = intent.kind === 'verb' && intent.apps.some((it) => it.app === app && it.slots !== null)
          if (causes.length > 0 && wanted > 0 && runs && !isPartial && !steps.some(isDown)) expect(replaced).toBe(true)
          for (const { cause } of steps) {
            const [, named] = /restarts with ([^;]+)/.exec(cause) ?? []
            if (named !== undefined) expect(named.split(', ').filter((it) => !causes.includes(it))).toEqual([])
          }
        }
      }),
    )
  })

  test('of a restart by hand replace the apps named and all that restart with them, along every chain, and no other', () => {
    const scenario = specs.chain((of) =>
      fc.record({
        of: fc.constant(of),
        named: fc.subarray(Object.keys(of)),
        verb: fc.constantFrom('restart', 'reload'),
      }),
    )
    fc.assert(
      fc.property(scenario, ({ of, named, verb: word }) => {
        fc.pre(named.length > 0)
        const services = Object.entries(of).map(([app, it]): [string, AppSpec] => [
          app,
          { ...it, kind: 'service', instances: Math.max(1, it.instances), schedule: null },
        ])
        const running = applied(Object.fromEntries(services), {
          versions: Object.fromEntries(services.map(([app]) => [app, 7])),
        })
        const wanted = new Set<string>(named)
        for (let size = 0; size !== wanted.size;) {
          size = wanted.size
          for (const [app, { restartsWith }] of services) if (restartsWith.some((it) => wanted.has(it))) wanted.add(app)
        }
        const apps = Object.fromEntries(services.map(([app, it]) => [app, { instances: healthy(it, 7, null) }]))
        const observed = { apps, foreignPorts: [] }
        const { steps } = planOf({ applied: running, observed, intent: verb(word, named) }).plan
        expect([...new Set(steps.map(({ app }) => app))].toSorted()).toEqual([...wanted].toSorted())
      }),
    )
  })

  test('never stop an instance of a roll before its successor is ready, nor run two in a slot of a restart', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { plan: of, next } = plan(input)
        for (const { app, action, operations, slots, to } of of.steps) {
          const rollout = own(next, app)?.spec.rollout
          // Where instances may be missing, they may stop first.
          if (action === 'roll' && rollout && fenceposts(rollout, to).unavailable > 0) continue
          for (const slot of slots) {
            const name = instanceName(app, slot)
            const ops = operations.filter(({ instance }) => instance === name).map(({ op }) => op)
            if (!ops.includes('start') || !ops.includes('stop')) continue
            const order = action === 'roll' ? 'start wait_ready stop wait_exit' : 'stop wait_exit start'
            expect(ops.join(' ')).toMatch(new RegExp(`^${order}`))
          }
        }
      }),
    )
  })

  test('leave exactly the wanted instances when their operations are carried out', () => {
    fc.assert(
      fc.property(applyInput, (input) => {
        const { plan: of, next } = plan(input)
        for (const step of of.steps) {
          const spec = own(next, step.app)?.spec
          if (spec?.kind !== 'service' || step.action === 'update') continue
          const started = step.operations.filter(({ op }) => op === 'start').length
          const stopped = step.operations.filter(({ op }) => op === 'stop').length
          const resting = spec.restart.policy === 'always' ? 0 : step.to
          expect(step.from + started - stopped).toBeLessThanOrEqual(step.to)
          expect(step.from + started - stopped).toBeGreaterThanOrEqual(step.to - resting)
        }
      }),
    )
  })
})

describe('only', () => {
  test('leaves every other app as it was applied', () => {
    fc.assert(
      fc.property(applyInput, fc.subarray([...APP_NAMES]), (input, asked) => {
        const only: readonly string[] = asked.filter(
          (app) => Object.hasOwn(input.desired.apps, app) || Object.hasOwn(input.applied.apps, app),
        )
        const { plan: of, next, nextHolds } = plan({ ...input, intent: { ...APPLY, only } })
        for (const app of APP_NAMES) {
          if (only.includes(app)) continue
          expect(own(next, app)).toBe(own(input.applied.apps, app))
          expect(own(nextHolds, app)).toBe(own(input.applied.holds, app))
        }
        const cascades = of.steps.filter(({ cause }) => cause.startsWith('restarts with ')).map(({ app }) => app)
        const listed = [...of.steps, ...of.changes, ...of.drift]
          .map(({ app }) => app)
          .concat(of.unchanged)
          .filter((app) => !cascades.includes(app))
        expect(listed.every((app) => only.includes(app))).toBe(true)
      }),
    )
  })
})

describe('diffSpecs', () => {
  test('finds nothing between a spec and itself, resealed or not', () => {
    fc.assert(
      fc.property(appSpec, fc.integer(), (spec, seed) => {
        expect(diffSpecs(spec, shuffled(structuredClone(spec), seed))).toEqual([])
        expect(specsEqual(spec, { ...spec, ambient: { OTHER: 'x' } })).toBe(true)
      }),
    )
  })

  test('finds something whenever a field with an impact differs, with the impact of that field', () => {
    const pair = fc.oneof(
      fc.tuple(appSpec, appSpec),
      fc
        .tuple(appSpec, appSpec, fc.constantFrom(...Object.keys(FIELD_IMPACT)))
        .map(([a, b, field]): [AppSpec, AppSpec] => [a, { ...a, ...pick(b, field) }]),
    )
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const changes = diffSpecs(a, b)
        const differ = comparable(a) !== comparable(b)
        expect(changes.length > 0).toBe(differ)
        expect(specsEqual(a, b)).toBe(!differ)
        expect(new Set(changes.map(({ path }) => path)).size).toBe(changes.length)
        for (const { path, impact } of changes) expect(impact).toBe(impactOf(path))
      }),
    )
  })
})

describe('renderers', () => {
  test('carry the same facts as text and as JSON', () => {
    fc.assert(
      fc.property(anyInput, fc.boolean(), fc.integer({ min: 20, max: 200 }), (input, ascii, width) => {
        const { plan: of } = plan(input)
        const text = renderText(of, { color: false, width, ascii, all: true, apply: null })
        const json = jsonOf(of)
        const { clean } = createStyle({ color: false, ascii })
        expect(json.changes.map(({ app }) => app)).toEqual(of.changes.map(({ app }) => app))
        for (const change of json.changes) {
          const start = text.search(new RegExp(`^[-+~#>!] ${change.app} `, 'm'))
          expect(start).toBeGreaterThan(0)
          const lines = text
            .slice(start)
            .split('\n')
            .slice(1, change.fields.length + 1)
          for (const [index, field] of change.fields.entries()) {
            expect(lines[index]?.startsWith(`    ${clean(field.path)} `)).toBe(true)
            const impact = change.kind === 'update' ? `   ${field.impact}` : ''
            expect(lines[index]?.endsWith(impact)).toBe(true)
          }
        }
        for (const step of json.steps) {
          expect(text).toMatch(new RegExp(`^ *#${step.id}  ${step.action} ${step.app} `, 'm'))
          expect(text).toContain(clean(step.cause))
          expect(text).toContain(clean(step.gate ?? ''))
        }
        for (const item of json.drift) {
          expect(text).toMatch(new RegExp(`^\\* ${item.instance ?? item.app} +${item.kind} `, 'm'))
          expect(text).toContain(clean(item.cause))
        }
        for (const guard of json.guards) expect(text).toContain(`${guard.id}  ${clean(guard.message)}`)
        for (const app of json.unchanged) expect(text).toMatch(new RegExp(`^= ${app}  unchanged$`, 'm'))
        for (const warning of json.warnings) expect(text).toContain(`warning: ${warning}`)
        for (const note of json.availability) expect(text).toContain(note.effect)
        expect(text).toContain(hasWork(of) ? json.plan_id : '')
      }),
    )
  })

  test('show no secret', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { plan: of } = plan(input)
        for (const output of outputs(of)) {
          expect(output).not.toContain(SECRET_MARK)
          for (const fingerprint of ['3f9a00112233', '81bc00112233', 'c0de00112233'])
            expect(output).not.toContain(fingerprint)
        }
        // Its id is a digest, which may hold any digits.
        const markdown = renderMarkdown(of, { apply: null }).replaceAll(of.id, '')
        expect(markdown).not.toMatch(/3f9a|81bc|c0de/)
      }),
    )
  })

  test('do not show the plain value a secret replaces', () => {
    fc.assert(
      fc.property(appSpec, fc.boolean(), (spec, back) => {
        const open = { ...spec, env: { KEY: { type: 'plain' as const, value: SECRET_MARK } } }
        const closed = {
          ...spec,
          env: { KEY: { type: 'secret' as const, source: 'env:K', fingerprint: 'ab', sealed: 'x' } },
        }
        const [before, after] = back ? [closed, open] : [open, closed]
        const applied = { serial: 1, source: SOURCE, apps: { api: { version: 1, spec: before } }, holds: {} }
        const { plan: of } = planOf({ applied, file: { api: after } })
        for (const output of outputs(of)) expect(output).not.toContain(SECRET_MARK)
      }),
    )
  })

  test('let no control character through', () => {
    fc.assert(
      fc.property(anyInput, fc.boolean(), (input, ascii) => {
        const { plan: of } = plan(input)
        const text = renderText(of, { color: false, width: 100, ascii, apply: null })
        expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
        expect(text.replaceAll('\n', '')).toMatch(ascii ? /^[\u0020-\u007E]*$/ : /^/)
        const markdown = renderMarkdown(of, { apply: null }).trimEnd().split('\n')
        const fence = markdown.at(-1) ?? ''
        expect(fence).toMatch(/^`{3,}$/)
        expect(markdown.slice(3, -1).some((line) => line.includes(fence))).toBe(false)
      }),
    )
  })
})

interface JsonPlan {
  readonly plan_id: string
  readonly changes: readonly {
    readonly app: string
    readonly kind: string
    readonly fields: readonly { readonly path: string; readonly impact: string }[]
  }[]
  readonly steps: readonly Step[]
  readonly drift: PlannedChange['plan']['drift']
  readonly guards: PlannedChange['plan']['guards']
  readonly unchanged: readonly string[]
  readonly warnings: readonly string[]
  readonly availability: readonly { readonly effect: string }[]
}

function outputs(of: PlannedChange['plan']): readonly string[] {
  return [
    renderText(of, { color: true, width: 100, all: true, apply: null }),
    JSON.stringify(renderJson(of, { ecoVersion: '0', exitCode: 0 })),
    renderMarkdown(of, { apply: null }),
  ]
}

function isDown(step: Step): boolean {
  return step.action === 'remove' || (step.to === 0 && (step.action === 'stop' || step.action === 'scale'))
}

function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

function pick(spec: AppSpec, field: string): Partial<AppSpec> {
  return Object.fromEntries(Object.entries(spec).filter(([key]) => key === field))
}

function impactOf(path: string): string | undefined {
  const [top = ''] = path.split('.')
  return Object.entries(FIELD_IMPACT).find(([field]) => field === top)?.[1]
}

/** What counts of a spec, as sorted JSON: no ambient variables, secrets by their fingerprint. */
function comparable(spec: AppSpec): string {
  const { ambient: _ambient, ...fields } = spec
  const env = Object.entries(fields.env).map(([name, value]) => [
    name,
    value.type === 'secret' ? { type: value.type, fingerprint: value.fingerprint } : value,
  ])
  return JSON.stringify(sorted({ ...fields, env: Object.fromEntries(env) }))
}

/** What an id stands for: what is done, and all that is compared of a new app. */
function essence({ plan: of, next }: PlannedChange): string {
  const steps = of.steps.map(({ app, action, impact, after, gate, from, to, slots }) => {
    return [app, action, impact, after, gate, from, to, slots]
  })
  const changes = of.changes.map((change) => {
    const spec = own(next, change.app)?.spec
    return change.kind === 'create' && spec !== undefined ? [change.app, change.toVersion, comparable(spec)] : change
  })
  const drift = of.drift
    .filter(({ heal }) => heal === 'step' || heal === 'blocked')
    .map(({ app, instance, kind, heal }) => [app, instance, kind, heal])
  const guards = of.guards.map(({ id, app }) => [id, app])
  return JSON.stringify(sorted([of.base, steps, changes, drift, guards]))
}

function jsonOf(of: PlannedChange['plan']): JsonPlan {
  const json: JsonPlan = JSON.parse(JSON.stringify(renderJson(of, { ecoVersion: '0', exitCode: 0 })))
  return json
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]) => [key, sorted(item)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
}

test('the names of fields are those of the file', () => {
  const names = [
    'stop.timeoutMs',
    'restart.backoff.initialMs',
    'dependsOn.redis',
    'ready.check',
    'schedule.cron',
    'env.aMs',
    'attributes.rlimits.nofile',
    'job.timeoutMs',
    'schedule.overlap',
    'hooks.preStart.timeoutMs',
    'inputs.SQL/Ms.sql',
  ]
  expect(names.map(fieldName)).toEqual([
    'stop.timeout',
    'restart.backoff.initial',
    'depends_on.redis',
    'ready',
    'schedule',
    'env.aMs',
    'ulimits.nofile',
    'timeout',
    'overlap',
    'hooks.pre_start.timeout',
    'inputs.SQL/Ms.sql',
  ])
})
