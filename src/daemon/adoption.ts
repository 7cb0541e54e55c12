import type { LocalEngine } from '../engine/local/local-engine.ts'
import { whenStopped } from '../engine/local/await.ts'
import { describeExit, type Exit } from '../model/observed.ts'
import type { RuntimeRecord, RuntimeStore } from '../state/runtime-store.ts'
import type { InstanceRunner } from '../supervisor/instance-runner.ts'
import type { ProcessTrees } from '../supervisor/process-trees.ts'
import type { Pass } from '../supervisor/session-sweep.ts'
import { listenKey, type SocketRegister } from '../supervisor/sockets.ts'
import { type Elsewhere, rehome } from './move-in.ts'
import type { ScopeKeeper } from './scope-keeper.ts'
import { adoptStray, findStrays } from './strays.ts'

/** What all scopes are adopted with. */
export interface Adoption {
  readonly engine: LocalEngine
  readonly sockets: SocketRegister
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
export function adoptScope(keeper: ScopeKeeper, { engine, sockets, store, trees, pass, moved }: Adoption): string[] {
  const problems: string[] = []
  const records = store.load(keeper.scope, (path, reason) => problems.push(`${path} is damaged (${reason})`))
  const known = new Set<string>()
  const leaving: InstanceRunner[] = []
  for (const found of records) {
    const record = rehome(found, trees, moved)
    if (record !== found) store.save(record) // the cgroup it names is empty now
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
    for (const problem of takeSocketsBack(record, engine, sockets)) problems.push(problem)
  }
  for (const stray of findStrays(keeper, trees, pass, known)) {
    problems.push(adoptStray(stray, keeper, engine, trees))
    const applied = Object.hasOwn(keeper.applied.apps, stray.app) ? keeper.applied.apps[stray.app] : undefined
    if (applied) problems.push(...takeSocketsBack({ ...stray, spec: applied.spec }, engine, sockets))
  }
  for (const runner of leaving) finishStop(runner, keeper, engine)
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

/**
 * The instances hold the sockets open, so the port is still served; but a socket bound without SO_REUSEPORT cannot be
 * bound a second time, and then this app cannot get further instances until it has been restarted.
 */
function takeSocketsBack(
  record: Pick<RuntimeRecord, 'scope' | 'app' | 'spec' | 'learnt'>,
  engine: LocalEngine,
  sockets: SocketRegister,
): string[] {
  const group = engine.group(record.scope, record.app)
  const problems: string[] = []
  for (const listen of [...record.spec.listen, ...(record.learnt ?? [])]) {
    try {
      // Binding a path again would take it away from the instances that serve it.
      if (listen.type === 'unix') throw new Error('cannot be shared')
      sockets.acquire(listen, group.owner)
    } catch {
      if (group.socketsLost) continue // told already
      group.socketsLost = true
      const what = listen.type === 'tcp' ? `port ${listen.port}` : listen.path
      problems.push(`${record.app} serves ${what}, but new instances cannot share it until "eco restart ${record.app}"`)
    }
  }
  return problems
}
