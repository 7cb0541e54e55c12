import type { InstanceEventData, InstanceEventName } from '../model/events.ts'
import type { LogPaths } from '../logs/layout.ts'
import type { RunLogs } from '../logs/run-logs.ts'
import type { ScopeId } from '../model/ids.ts'
import type { AppSpec, Listen, Output } from '../model/spec.ts'
import type { BoundHandle } from './bind-socket.ts'
import type { InstanceRunner } from './instance-runner.ts'
import type { MemoryWatch } from './memory-watch.ts'
import type { NotifySockets } from './notify-socket.ts'
import type { OomWatch } from './oom-watch.ts'
import type { Outputs } from './outputs.ts'
import type { ProbeSockets } from './probe-sockets.ts'
import type { ProcessTrees } from './process-trees.ts'
import type { TurnQueue } from './turn-queue.ts'

/** What the supervisor gives every instance: the outside world. */
export interface RunnerHost {
  readonly trees: ProcessTrees
  /** A spawn blocks for a millisecond and more: those of a storm take turns with everything else. */
  readonly spawns: TurnQueue
  readonly memory: MemoryWatch
  readonly oom: OomWatch
  readonly preload: string
  readonly notify: NotifySockets
  readonly probeSockets: ProbeSockets
  readonly outputs: Outputs
  readonly logs: RunLogs
  openSecret(sealed: string): string
  logPaths(scope: ScopeId, app: string, slot: number, output: Output): LogPaths
  /** Binds the app's sockets and makes them fit to be handed over. @returns null: nothing to wait for; never fails */
  prepareSockets(scope: ScopeId, app: string, spec: AppSpec): Promise<unknown> | null
  /** The descriptors of the app's sockets, in the order of these. */
  listenFds(scope: ScopeId, app: string, listens: readonly Listen[]): readonly number[]
  /** The socket of a port that an instance asks for; null: it is not given. */
  learnPort(scope: ScopeId, app: string, listen: Listen): BoundHandle | null
  revision(scope: ScopeId): number
  /** @param event 'note' when it is not given */
  record(
    scope: ScopeId,
    app: string,
    instance: string,
    message: string,
    event?: InstanceEventName,
    data?: InstanceEventData,
  ): void
  /** Called after every change, for the runtime file. */
  changed(runner: InstanceRunner): void
  /** The instance is forgotten. */
  removed(runner: InstanceRunner): void
}

export interface RunnerIdentity {
  readonly scope: ScopeId
  readonly app: string
  readonly slot: number
  /** Distinguishes two copies in one slot during a replacement. */
  readonly uid: number
}
