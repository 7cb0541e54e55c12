import type { LocalEngine } from '../engine/local/local-engine.ts'
import { whenStopped } from '../engine/local/await.ts'
import { describeExit, type Exit } from '../model/observed.ts'
import type { RuntimeRecord, RuntimeStore } from '../state/runtime-store.ts'
import type { InstanceRunner } from '../supervisor/instance-runner.ts'
import type { ProcessTrees } from '../supervisor/process-trees.ts'
import type { Pass } from '../supervisor/session-sweep.ts'
import type { SocketRegain } from '../supervisor/regain/regain.ts'
import { listenKey } from '../supervisor/sockets.ts'
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
}

/**
 * Takes over the instances an earlier daemon left: a process that is exactly the recorded one (pid, start time, boot)
 * is adopted, and so is what is left of its run when it has ended: `npm` may be gone while the server it started serves.
 * What lives without a record is found by the name of its run. Whatever else has a recorded pid now is not ours and is
 * never signalled.
 *
 * @returns problems, each a sentence
 */
export function adoptScope(keeper: ScopeKeeper, { engine, regain, store, trees, pass }: Adoption): string[] {
  const problems: string[] = []
  const records = store.load(keeper.scope, (path, reason) => problems.push(`${path} is damaged (${reason})`))
  const known = new Set<string>()
  const leaving: InstanceRunner[] = []
  for (const record of records) {
    const { process, nest } = record
    if (process !== null && !trees.ofAdopted(process, nest).isLeft(pass)) {
      // A service is started again, a cron app runs again when it is due; a job waits for an operator.
      if (record.spec.kind === 'job') restoreUnseen(record, engine)
      else store.remove(record)
      continue
    }
    if (nest !== null) known.add(nest.run)
    const runner = adopt(record, engine)
    runner.group?.endOutsiders(pass)
    if (process === null) continue
    if (record.isLeaving) leaving.push(runner)
  }
  for (const stray of findStrays(keeper, trees, pass, known)) {
    problems.push(adoptStray(stray, keeper, engine, trees))
  }
  for (const group of engine.groups(keeper.scope).values()) regain.begin(group)
  for (const runner of leaving) {
    // What drains closes its sockets.
    const { regaining } = engine.group(keeper.scope, runner.id.app)
    void (regaining ?? Promise.resolve()).then(() => finishStop(runner, keeper, engine))
  }
  return problems
}

/** It accepts nothing any more, and only a new process will: the stop that an earlier daemon began goes on. */
function finishStop(runner: InstanceRunner, keeper: ScopeKeeper, engine: LocalEngine): void {
  const { scope, app, slot } = runner.id
  const group = engine.group(scope, app)
  runner.stop()
  if (group.inSlot(slot) !== runner) {
    // It has a successor.
    void whenStopped(runner).then(() => group.runners.includes(runner) && group.drop(runner))
  } else if (keeper.isWanted(app)) runner.start()
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
      lastExit,
      incarnation,
      startedAt,
      isReady: counts,
      unready,
      logOffsets,
      nest,
      learnt,
    })
    for (const listen of learnt) {
      if (!group.learnt.some((it) => listenKey(it) === listenKey(listen))) group.learnt = [...group.learnt, listen]
    }
    if (record.spec.kind !== 'service') engine.adoptRun(runner)
  } else if (record.phase !== 'alive') runner.restore({ restarts, lastExit, incarnation }, record.phase, record.reason)
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
    .restore({ restarts, lastExit, incarnation }, 'failed', reason)
}
