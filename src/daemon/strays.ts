import { readFileSync } from 'node:fs'
import { retire } from '../engine/local/replace.ts'
import type { LocalEngine } from '../engine/local/local-engine.ts'
import { SPEC_DEFAULTS } from '../model/defaults.ts'
import { instanceName, scopeName } from '../model/ids.ts'
import type { AppSpec } from '../model/spec.ts'
import { bootId, identify, type ProcIdentity, readStat } from '../supervisor/proc.ts'
import type { ProcessTrees } from '../supervisor/process-trees.ts'
import { NO_RESTARTS } from '../supervisor/restart-policy.ts'
import { parseRunName, type Run } from '../supervisor/run-name.ts'
import type { Pass } from '../supervisor/session-sweep.ts'
import type { ScopeKeeper } from './scope-keeper.ts'

/** A run that lives, and of which no runtime file tells. */
export interface Stray extends Run {
  readonly name: string
  readonly processes: readonly ProcIdentity[]
}

/** Checks that need the start of the run: what a probe cannot ask again counts as passed. */
const ASKED_ONCE: ReadonlySet<string> = new Set(['signal', 'notify', 'log'])

/** Runs of a scope that live, by the names in their environment and of their cgroups, but for those in `known`. */
export function findStrays(
  keeper: ScopeKeeper,
  trees: ProcessTrees,
  pass: Pass,
  known: ReadonlySet<string>,
): readonly Stray[] {
  const found = new Map<string, readonly ProcIdentity[]>(pass.runs)
  for (const cgroup of trees.cgroups?.list() ?? []) {
    const members = cgroup.members().flatMap((pid) => identify(pid) ?? [])
    if (members.length > 0) found.set(cgroup.name, members)
  }
  return [...found].flatMap(([name, processes]) => {
    const run = known.has(name) ? null : parseRunName(name)
    return run !== null && scopeName(run.scope) === scopeName(keeper.scope) ? { ...run, name, processes } : []
  })
}

/**
 * Takes a stray over as what it says it is, so that no second copy is started beside it. What has no place here any more
 * is stopped.
 *
 * @returns what was done, a sentence
 */
export function adoptStray(stray: Stray, keeper: ScopeKeeper, engine: LocalEngine, trees: ProcessTrees): string {
  const { app, slot, version, scope } = stray
  const applied = Object.hasOwn(keeper.applied.apps, app) ? keeper.applied.apps[app] : undefined
  const group = engine.group(scope, app)
  const inSlot = group.runners.filter((runner) => runner.id.slot === slot)
  for (const ended of inSlot.filter((runner) => runner.process === null)) group.drop(ended)
  const isSurplus = applied === undefined || inSlot.some((runner) => runner.process !== null)
  const leader = leaderOf(stray.processes)
  const spec = applied?.spec ?? standIn(leader.pid)
  const runner = group.add(slot, { version, spec })
  runner.adopt(leader, {
    restarts: 0,
    history: NO_RESTARTS,
    ending: null,
    lastExit: null,
    incarnation: 1,
    startedAt: startOf(leader),
    isReady: ASKED_ONCE.has(spec.ready.check.type),
    unready: null,
    logOffsets: [],
    learnt: [],
    nest: { run: stray.name, cgroup: trees.cgroups?.find(stray.name)?.path ?? null, isEnclosed: false },
  })
  if (spec.kind !== 'service') engine.adoptRun(runner)
  const what = `${instanceName(app, slot)} runs with pid ${leader.pid}, and no runtime file tells of it`
  if (!isSurplus) return `${what}; taken over`
  void retire(group, runner)
  return applied === undefined ? `${what}: ${app} is not applied; stopping it` : `${what}; stopping this second copy`
}

/** The oldest that leads a session: eco starts every instance as the leader of one. */
function leaderOf(processes: readonly ProcIdentity[]): ProcIdentity {
  const byAge = [...processes].sort((a, b) => a.startTime - b.startTime)
  const leader = byAge.find(({ pid }) => readStat(pid)?.session === pid)
  // It has ended; what it left behind is found through its session, and ends.
  return leader ?? { pid: readStat(byAge[0]?.pid ?? 0)?.session ?? 0, startTime: 0, bootId: bootId() }
}

/** Epoch ms. */
function startOf({ startTime }: ProcIdentity): number {
  const TICKS_PER_SECOND = 100
  try {
    const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
    return Date.now() - Math.max(0, uptime - startTime / TICKS_PER_SECOND) * 1000
  } catch {
    return Date.now()
  }
}

/** For an app that nobody knows any more: enough to stop it. */
function standIn(pid: number): AppSpec {
  return { ...SPEC_DEFAULTS, kind: 'service', command: [`pid ${pid}`], cwd: '/' }
}
