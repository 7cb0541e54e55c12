import type { LocalEngine } from '../engine/local/local-engine.ts'
import { whenStopped } from '../engine/local/await.ts'
import { describeExit, type Exit } from '../model/observed.ts'
import type { RuntimeRecord, RuntimeStore } from '../state/runtime-store.ts'
import type { InstanceRunner } from '../supervisor/instance-runner.ts'
import type { ProcessTrees } from '../supervisor/process-trees.ts'
import { isOfThisBoot, lifeName } from '../supervisor/proc.ts'
import { NO_RESTARTS } from '../supervisor/restart-policy.ts'
import type { Pass } from '../supervisor/session-sweep.ts'
import type { SocketRegain } from '../supervisor/regain/regain.ts'
import { listenKey } from '../supervisor/sockets.ts'
import { type Elsewhere, rehome } from './move-in.ts'
import type { ScopeKeeper } from './scope-keeper.ts'
import { adoptStray, findStrays } from './strays.ts'

/** What all scopes are adopted with. */
export interface Adoption {
  readonly engine: LocalEngine
  readonly regain: SocketRegain
  readonly store: RuntimeStore
  readonly trees: ProcessTrees
  /** One look at all processes of the machine. */
  readonly pass: Pass
  /** What has just been moved into the unit of this daemon. */
  readonly moved: Elsewhere
}

/**
 * Takes over the instances an earlier daemon left: a process that is exactly the recorded one (pid, start time, boot)
 * is adopted, and so is what is left of its run when it has ended: `npm` may be gone while the server it started serves.
 * What lives without a record is found by the name of its run. Whatever else has a recorded pid now is not ours and is
 * never signalled.
 *
 * @returns problems, each a sentence
 */
export function adoptScope(keeper: ScopeKeeper, { engine, regain, store, trees, pass, moved }: Adoption): string[] {
  const problems: string[] = []
  const records = store.load(keeper.scope, (path, reason) => problems.push(`${path} is damaged (${reason})`))
  const known = new Set<string>()
  const leaving: InstanceRunner[] = []
  const ended: RuntimeRecord[] = []
  for (const found of records) {
    const record = rehome(found, trees, moved)
    if (record !== found) store.save(record) // the cgroup it names is empty now
    const { process, nest } = record
    if (process !== null && !trees.ofAdopted(process, nest).isLeft(pass)) {
      // A job waits for an operator, a cron app runs again when it is due, and what was to end has done so.
      if (record.spec.kind === 'job') restoreUnseen(record, engine)
      else {
        store.remove(record)
        if (wasToGoOn(record, keeper)) ended.push(record)
      }
      continue
    }
    if (isOfEarlierLife(record) || isDoneWith(record, keeper)) {
      store.remove(record)
      continue
    }
    if (nest !== null) known.add(nest.run)
    const runner = adopt(record, engine)
    runner.group?.endOutsiders(pass)
    if (process === null) continue
    if (wasToEnd(record)) leaving.push(runner)
  }
  for (const stray of findStrays(keeper, trees, pass, known)) {
    problems.push(adoptStray(stray, keeper, engine, trees))
  }
  for (const group of engine.groups(keeper.scope).values()) regain.begin(group)
  for (const record of ended) adoptEnded(record, engine)
  for (const runner of leaving) {
    // What drains closes its sockets.
    const { regaining } = engine.group(keeper.scope, runner.id.app)
    void (regaining ?? Promise.resolve()).then(() => finishStop(runner, keeper, engine))
  }
  return problems
}

/** Its stop was over, and the daemon had yet to forget it. Of a scope that is down as a whole all are remembered. */
function isDoneWith({ app, slot, spec, phase, process }: RuntimeRecord, keeper: ScopeKeeper): boolean {
  if (process !== null || phase !== 'stopped' || spec.kind !== 'service' || keeper.isDown) return false
  return !keeper.isWanted(app, slot)
}

/** What was given up, or paused, is tried again when the machine has been started again. */
function isOfEarlierLife({ spec, phase, life }: RuntimeRecord): boolean {
  return (
    spec.kind === 'service' && (phase === 'failed' || phase === 'backoff') && life !== undefined && life !== lifeName()
  )
}

function wasToEnd({ isLeaving, ending }: RuntimeRecord): boolean {
  return isLeaving === true || (ending !== undefined && ending.fault === null)
}

/** Whether its end is one that counts: not that of a whole machine, and not of a copy that has no place any more. */
function wasToGoOn(record: RuntimeRecord, keeper: ScopeKeeper): boolean {
  const { app, slot, version, spec, process } = record
  if (process === null || spec.kind !== 'service' || wasToEnd(record) || !keeper.isWanted(app)) return false
  const applied = keeper.applied.apps[app]
  return isOfThisBoot(process) && applied?.version === version && slot < applied.spec.instances
}

/** What ended while no daemon watched is treated as if one had. */
function adoptEnded(record: RuntimeRecord, engine: LocalEngine): void {
  const { slot, version, spec, process, startedAt, isReady } = record
  const { restarts, history = NO_RESTARTS, lastExit, incarnation } = record
  const group = engine.group(record.scope, record.app)
  if (process === null || group.inSlot(slot) !== null) return
  group
    .add(slot, { version, spec })
    .adoptEnded(process.pid, { restarts, history, lastExit, incarnation }, startedAt ?? Date.now(), isReady)
}

/** It accepts nothing any more, and only a new process will: the stop that an earlier daemon began goes on. */
function finishStop(runner: InstanceRunner, keeper: ScopeKeeper, engine: LocalEngine): void {
  const { scope, app, slot } = runner.id
  const group = engine.group(scope, app)
  runner.stop()
  if (group.inSlot(slot) === runner && keeper.isWanted(app, slot)) return runner.start()
  // It has a successor, or is to have none.
  void whenStopped(runner).then(() => group.runners.includes(runner) && group.drop(runner))
}

function adopt(record: RuntimeRecord, engine: LocalEngine): InstanceRunner {
  const group = engine.group(record.scope, record.app)
  const runner = group.add(record.slot, { version: record.version, spec: record.spec }, record.uid)
  const {
    restarts,
    lastExit,
    incarnation,
    isReady,
    isLeaving = false,
    ending = null,
    history = NO_RESTARTS,
    unready = null,
    logOffsets,
    nest,
    learnt = [],
  } = record
  if (record.process !== null) {
    const startedAt = record.startedAt ?? Date.now()
    // A ready signal went to a pipe or a socket that ended with the daemon before: whether it came cannot be known any more.
    const { type } = record.spec.ready.check
    const counts = isReady || isLeaving || type === 'signal' || type === 'notify'
    runner.adopt(record.process, {
      restarts,
      history,
      lastExit,
      incarnation,
      startedAt,
      isReady: counts,
      unready,
      ending,
      logOffsets,
      nest,
      learnt,
    })
    for (const listen of learnt) {
      if (!group.learnt.some((it) => listenKey(it) === listenKey(listen))) group.learnt = [...group.learnt, listen]
    }
    if (record.spec.kind !== 'service') engine.adoptRun(runner)
  } else if (record.phase === 'backoff') {
    runner.restoreBackoff({ restarts, history, lastExit, incarnation }, record.until ?? Date.now(), record.reason)
  } else if (record.phase !== 'alive') {
    runner.restore({ restarts, history, lastExit, incarnation }, record.phase, record.reason)
  }
  return runner
}

/** Whether a job that ended while no daemon watched has done its work is not known: it counts as failed until it runs again. */
function restoreUnseen(
  { scope, app, slot, uid, version, spec, incarnation, restarts }: RuntimeRecord,
  engine: LocalEngine,
): void {
  const lastExit: Exit = { kind: 'unknown', at: Date.now() }
  const reason = `${describeExit(lastExit)}; whether it succeeded is not known`
  engine
    .group(scope, app)
    .add(slot, { version, spec }, uid)
    .restore({ restarts, history: NO_RESTARTS, lastExit, incarnation }, 'failed', reason)
}
