import { setTimeout as sleep } from 'node:timers/promises'
import { findCarriers } from '../../supervisor/carriers.ts'
import { homeDigest } from '../../supervisor/cgroup.ts'
import { isAlive, type ProcIdentity, readAllStats } from '../../supervisor/proc.ts'
import { parseRunName, type Run } from '../../supervisor/run-name.ts'
import { RuntimeStore, type RuntimeRecord } from '../../state/runtime-store.ts'

/** A run that lives, and of which no runtime file tells. */
export interface StrayRun extends Run {
  readonly name: string
  readonly pids: readonly number[]
}

export interface RunFacts {
  readonly strays: readonly StrayRun[]
  /** Records whose process is the very one that lives. */
  readonly living: readonly RuntimeRecord[]
  /** Records of processes that ended while nobody watched. */
  readonly ended: readonly RuntimeRecord[]
  /** Every process of ours that could be found. */
  readonly ours: ReadonlySet<number>
}

/** A daemon writes the record of a run shortly after its start. */
const RECORD_DELAY_MS = 400

export async function lookAtRuns(home: string): Promise<RunFacts> {
  const first = lookOnce(home)
  if (first.strays.length === 0) return first
  await sleep(RECORD_DELAY_MS)
  const second = lookOnce(home)
  const known = new Set(first.strays.map(({ name }) => name))
  return { ...second, strays: second.strays.filter(({ name }) => known.has(name)) }
}

function lookOnce(home: string): RunFacts {
  // No run is doomed: nothing is killed.
  const { runs } = findCarriers(homeDigest(home), new Set())
  const store = new RuntimeStore(home)
  const records = store.scopes().flatMap((scope) => store.load(scope, () => {}))
  const living = records.filter(({ process }) => process !== null && isAlive(process))
  const isRunning = ({ process, nest }: RuntimeRecord): boolean =>
    process !== null && (isAlive(process) || (nest !== null && runs.has(nest.run)))
  const ended = records.filter((record) => record.process !== null && !isRunning(record))
  const told = new Set(records.map(({ nest }) => nest?.run))
  const strays = [...runs].flatMap(([name, processes]): StrayRun[] => {
    const alive = processes.filter(isAlive)
    const run = told.has(name) || alive.length === 0 ? null : parseRunName(name)
    return run === null ? [] : [{ ...run, name, pids: pidsOf(alive) }]
  })
  return { strays, living, ended, ours: oursOf(living, runs) }
}

/** By the name they carry, and by the sessions of instances: some overwrite their environment. */
function oursOf(living: readonly RuntimeRecord[], runs: ReadonlyMap<string, readonly ProcIdentity[]>): Set<number> {
  const leaders = new Set(living.map(({ process }) => process?.pid))
  const members = readAllStats().filter(({ pid, session, pgrp }) => [pid, session, pgrp].some((it) => leaders.has(it)))
  return new Set([...members.map(({ pid }) => pid), ...[...runs.values()].flatMap(pidsOf)])
}

function pidsOf(processes: readonly ProcIdentity[]): number[] {
  return processes.map(({ pid }) => pid)
}
