/** What the daemon answers to each method of the protocol. */

import { EcoError } from '../errors.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import { instanceName, scopeName } from '../model/ids.ts'
import type { Plan } from '../model/plan.ts'
import type { AppSpec, DesiredState } from '../model/spec.ts'
import type { Intent } from '../planner/intent.ts'
import { renderListing } from './listing-text.ts'
import type { Daemon } from './daemon.ts'
import { answerApply, tellTakeOver } from './answer-apply.ts'
import { appNames, listApp, listRun } from './listing.ts'
import { resetInstances } from './reset.ts'
import { flushLogs, rotateLogs } from './log-commands.ts'
import { planRollback, rollBack } from './rollback.ts'
import { commandRollouts } from './rollout-commands.ts'
import {
  type ApplyIntent,
  type Hello,
  isoTime,
  type Listing,
  type LogFile,
  MIN_PROTOCOL,
  PROTOCOL,
  type Selection,
  type VerbParams,
} from './protocol.ts'
import type { ScopeKeeper } from './scope-keeper.ts'
import { type KnownApp, refuseAmbiguity, selectApps, type SelectedApp } from './selection.ts'
import type { Handlers } from './server.ts'

/** What the daemon as a whole does, which is for its entry point to carry out. */
export interface Itself {
  readonly version: string
  readonly unit: NonNullable<Hello['unit']> | null
  readonly shutdown: () => void
  readonly upgrade: Handlers['upgrade']
}

export function createHandlers(daemon: Daemon, { version, unit, shutdown, upgrade }: Itself): Handlers {
  return {
    hello: () => ({
      pid: process.pid,
      version,
      protocol: PROTOCOL,
      min_protocol: MIN_PROTOCOL,
      started_at: isoTime(daemon.startedAt),
      home: daemon.home,
      unit,
    }),
    shutdown: async ({ apps }) => {
      const instances = apps ? await daemon.stopApps() : daemon.liveInstances()
      setImmediate(shutdown)
      const alone = apps ? daemon.damage().map(([scope, { message }]) => `${scope}: ${message}`) : []
      return alone.length > 0 ? { instances, left_alone: alone } : { instances }
    },
    upgrade,
    resume: async () => ({ scopes: await daemon.resume() }),
    plan: async ({ desired, intent }, emit) => {
      const keeper = daemon.keeper(desired.scope)
      await keeper.whenHealed()
      tellTakeOver(keeper, emit)
      return keeper.preview(applyIntent(daemon, desired, intent), desired)
    },
    apply: async ({ desired, intent, plan, by, wait }, emit) => {
      const keeper = daemon.keeper(desired.scope)
      const onPlan = (planned: Plan): void => {
        if (plan === null) emit({ type: 'plan', plan: planned })
      }
      const request = { intent: applyIntent(daemon, desired, intent), desired, expectedPlan: plan, by, onPlan }
      return answerApply(daemon, keeper, request, wait, emit)
    },
    rollbackPlan: (params, emit) => planRollback(daemon, params, emit),
    rollback: (params, emit) => rollBack(daemon, params, emit),
    verb: async (params, emit) => {
      const work = verbWork(daemon, params)
      // Refused as a whole, before anything is done to another scope.
      for (const { keeper } of work) keeper.refuseBusy(params.verb)
      const scopes = new Set(work.map(({ keeper }) => scopeName(keeper.scope)))
      const off = daemon.events.listen((event) => {
        if (scopes.has(event.scope)) emit(event)
      })
      try {
        const results = work.map(({ keeper, intent, named }) =>
          keeper.apply({ intent, desired: null, expectedPlan: null, by: params.by, cancels: named }),
        )
        return { results: await Promise.all(results) }
      } finally {
        off()
      }
    },
    verbPlan: async (params) => {
      const work = verbWork(daemon, params)
      await Promise.all(work.map(({ keeper }) => daemon.engine.whenRegained(keeper.scope)))
      return {
        plans: work.map(({ keeper, intent }): Plan => keeper.plan(intent, null).plan),
        unapplied: work.flatMap(({ keeper, named }) => named.filter((app) => !Object.hasOwn(keeper.applied.apps, app))),
      }
    },
    rollout: (params) => commandRollouts(selected(daemon, params), params, daemon.engine),
    reset: (selection) => ({ instances: resetInstances(selected(daemon, selection), daemon.engine) }),
    ls: (selection) => listing(daemon, version, selection),
    lsText: ({ json, color, width, ...selection }, emit) => {
      const apps = listing(daemon, version, selection)
      for (const [scope, message] of problems(daemon))
        emit({ type: 'scope', event: 'problem', at: Date.now(), scope, message })
      if (json) return `${JSON.stringify(apps, null, width === null ? 0 : 2)}\n`
      return renderListing(apps, { color, width, now: Date.now() })
    },
    describe: async (selection) => {
      await daemon.events.flushed()
      daemon.monitor.look()
      return {
        apps: selected(daemon, selection).map(({ keeper, app }) => {
          const spec = keeper.applied.apps[app]?.spec
          if (!spec)
            throw new EcoError('UNKNOWN_TARGET', `${app} is being applied for the first time: nothing to describe yet.`)
          return {
            ...listApp(keeper, app, daemon.engine, daemon.monitor),
            source_file: keeper.applied.source?.file ?? null,
            spec: withoutSealed(spec),
            logs: logFiles(daemon, keeper, app),
            runs: spec.kind === 'service' ? [] : daemon.engine.history(keeper.scope, app).runs.map(listRun),
            unwritten_events: daemon.events.unwritten(keeper.scope).filter((event) => event.app === app),
          }
        }),
      }
    },
    logs: (selection) => ({ files: selectedLogs(daemon, selection) }),
    rotateLogs: async (selection) => ({ files: await rotateLogs(daemon, selectedLogs(daemon, selection)) }),
    flushLogs: async (selection) => ({ files: await flushLogs(daemon, selectedLogs(daemon, selection)) }),
  }
}

function selectedLogs(daemon: Daemon, selection: Selection): LogFile[] {
  return selected(daemon, selection).flatMap(({ keeper, app, slots }) =>
    logFiles(daemon, keeper, app).filter(
      (file) => slots === null || slots.some((slot) => file.instance === `${app}#${slot}`),
    ),
  )
}

function listing(daemon: Daemon, version: string, selection: Selection): Listing {
  daemon.monitor.look()
  const damaged = problems(daemon).map(([, message]) => message)
  return {
    format_version: '1.0',
    daemon: { pid: process.pid, version },
    apps: selected(daemon, selection).map(({ keeper, app }) => listApp(keeper, app, daemon.engine, daemon.monitor)),
    ...(damaged.length > 0 ? { problems: damaged } : {}),
  }
}

/** What the table of apps does not say: scopes that cannot be listed, and those that are down as a whole. */
function problems(daemon: Daemon): [scope: string, message: string][] {
  const damaged = daemon.damage().map(([scope, { message, hint }]): [string, string] => {
    return [scope, hint === null ? message : `${message}\n  hint: ${hint}`]
  })
  const full = daemon.unwritable().map((message): [string, string] => ['', message])
  const down = daemon.keepers().filter((keeper) => keeper.isDown)
  return [
    ...damaged,
    ...full,
    ...down.map(({ scope }): [string, string] => {
      const name = scopeName(scope)
      return [name, `${name} was stopped by "eco daemon stop --apps".\n  hint: eco daemon start brings it back`]
    }),
  ]
}

function applyIntent(daemon: Daemon, desired: DesiredState, intent: ApplyIntent): Intent {
  if (intent.only === null) return { kind: 'apply', ...intent }
  const applied = Object.keys(daemon.keeper(desired.scope).applied.apps)
  const names = [...new Set([...Object.keys(desired.apps), ...applied])]
  const known = names.map((app) => ({ scope: desired.scope, app, slots: [] }))
  const only = selectApps(known, { selectors: intent.only, project: null, environment: null }).map(({ app }) => app)
  return { kind: 'apply', ...intent, only }
}

export interface Selected extends SelectedApp {
  readonly keeper: ScopeKeeper
}

function selected(daemon: Daemon, selection: Selection): Selected[] {
  const keepers = new Map(daemon.keepers().map((keeper) => [scopeName(keeper.scope), keeper]))
  const known = [...keepers.values()].flatMap((keeper) =>
    appNames(keeper, daemon.engine).map((app) => ({ scope: keeper.scope, app, slots: slotsOf(daemon, keeper, app) })),
  )
  return selectReadable(daemon, known, selection).flatMap((app) => {
    const keeper = keepers.get(scopeName(app.scope))
    return keeper ? [{ ...app, keeper }] : []
  })
}

/** @throws EcoError UNKNOWN_TARGET, with the scopes whose state cannot be used: what is asked for may be in one of them */
function selectReadable(daemon: Daemon, known: readonly KnownApp[], selection: Selection): readonly SelectedApp[] {
  try {
    return selectApps(known, selection)
  } catch (error) {
    const [first, ...others] = daemon.damage()
    if (!(error instanceof EcoError) || error.code !== 'UNKNOWN_TARGET' || first === undefined) throw error
    const details = [...error.details, ...[first, ...others].map(([, { message }]) => message)]
    throw new EcoError(error.code, error.message, { details, hint: first[1].hint ?? undefined, cause: error })
  }
}

function slotsOf(daemon: Daemon, keeper: ScopeKeeper, app: string): number[] {
  return (
    daemon.engine
      .groups(keeper.scope)
      .get(app)
      ?.runners.map((runner) => runner.id.slot) ?? []
  )
}

interface VerbWork {
  readonly keeper: ScopeKeeper
  readonly intent: Intent
  /** The apps that are meant, also those that are only being applied and so have no place in a plan yet. */
  readonly named: readonly string[]
}

function verbWork(daemon: Daemon, params: VerbParams): VerbWork[] {
  const found = selected(daemon, params)
  refuseAmbiguity(found, params)
  const apps = found.filter(({ keeper, app }) => Object.hasOwn(keeper.applied.apps, app))
  const cancels = params.verb === 'stop' || params.verb === 'delete'
  if (apps.length === 0 && found[0] && !cancels) {
    throw new EcoError('LOCKED', `${found[0].app} is being applied for the first time.`, {
      hint: `wait for it to end ("eco ls" shows how far it is), or cancel it with "eco stop ${found[0].app}"`,
    })
  }
  const partial = apps.find(({ slots }) => slots !== null)
  if (partial && params.verb !== 'restart') {
    throw new EcoError('USAGE', `eco ${params.verb} takes whole apps, not single instances.`, {
      hint: `eco ${params.verb} ${partial.app}, or restart one instance with eco restart ${partial.app}#${partial.slots?.[0] ?? 0}`,
    })
  }
  const unscalable = params.verb === 'scale' ? apps.find(({ keeper, app }) => !isService(keeper, app)) : undefined
  if (unscalable) {
    const { kind } = unscalable.keeper.applied.apps[unscalable.app]?.spec ?? {}
    throw new EcoError('USAGE', `${unscalable.app} is a ${kind} app: it has runs, and no instances to scale.`, {
      hint: `eco restart ${unscalable.app} runs it now`,
    })
  }
  const meant = apps.filter(({ keeper, app }) => isMeant(keeper, app, params))
  if (meant.length === 0 && apps[0]) {
    throw new EcoError('USAGE', `eco restart runs a job or cron app only when it is named.`, {
      hint: `eco restart ${apps[0].app} runs it now`,
    })
  }
  return [...groupByKeeper(cancels ? found : meant)].map(([keeper, targets]) => ({
    keeper,
    named: targets.map(({ app }) => app),
    intent: {
      kind: 'verb',
      verb: params.verb,
      apps: targets.flatMap(({ app, slots }) => (Object.hasOwn(keeper.applied.apps, app) ? [{ app, slots }] : [])),
      instances: params.instances,
      ...(params.delta === undefined ? {} : { delta: params.delta }),
      ...(params.forMs === undefined ? {} : { forMs: params.forMs }),
      by: params.by,
      allowEmpty: true,
    },
  }))
}

/** `eco restart all` is about what runs all the time: it does not run the migrations and the nightly report. */
function isMeant(keeper: ScopeKeeper, app: string, { verb, selectors }: VerbParams): boolean {
  if (verb !== 'restart' || isService(keeper, app)) return true
  return selectors.some((selector) => selector === app || selector.startsWith(`${app}#`))
}

function isService(keeper: ScopeKeeper, app: string): boolean {
  return keeper.applied.apps[app]?.spec.kind === 'service'
}

function groupByKeeper(apps: readonly Selected[]): Map<ScopeKeeper, Selected[]> {
  const groups = new Map<ScopeKeeper, Selected[]>()
  for (const app of apps) groups.set(app.keeper, [...(groups.get(app.keeper) ?? []), app])
  return groups
}

const STREAMS = ['out', 'err'] as const

/** Of all slots that are wanted or run. Where stderr is merged, or instances share a file, it stands there more than once. */
function logFiles(daemon: Daemon, keeper: ScopeKeeper, app: string): LogFile[] {
  const slots = new Set(slotsOf(daemon, keeper, app))
  const wanted = keeper.applied.apps[app]?.spec.instances ?? 1
  for (let slot = 0; slot < wanted; slot++) slots.add(slot)
  return [...slots].sort((a, b) => a - b).flatMap((slot) => logFilesOfSlot(daemon, keeper, app, slot))
}

/** In a rolling change there are two copies, and the new one may write elsewhere. */
function logFilesOfSlot(daemon: Daemon, keeper: ScopeKeeper, app: string, slot: number): LogFile[] {
  const { scope } = keeper
  const runners = (daemon.engine.groups(scope).get(app)?.runners ?? []).filter(({ id }) => id.slot === slot)
  const instance = instanceName(app, slot)
  const files = new Map<string, LogFile>()
  for (const runner of runners.length > 0 ? runners : [null]) {
    const output = runner?.spec.output ?? keeper.applied.apps[app]?.spec.output ?? SPEC_DEFAULTS.output
    const paths = daemon.logPaths(scope, app, slot, output)
    const { format } = daemon.outputs.inForce(output)
    const pid = runner?.process?.pid ?? null
    for (const stream of STREAMS) {
      const [path, key] = [paths[stream], `${stream} ${paths[stream]}`]
      if (path !== null && !files.has(key)) files.set(key, { app, instance, scope, stream, path, pid, format })
    }
  }
  return [...files.values()]
}

/** A sealed value is useless without the key, and no business of whoever describes an app. */
function withoutSealed(spec: AppSpec): AppSpec {
  const env = Object.entries(spec.env).map(([name, value]) => [
    name,
    value.type === 'secret' ? { ...value, sealed: '' } : value,
  ])
  return { ...spec, env: Object.fromEntries(env) as AppSpec['env'] }
}
