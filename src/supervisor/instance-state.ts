/** The nouns of the state machine of one instance; `transition.ts` is its verb. Times are epoch ms of a clock that never jumps. */

import type { InstanceEventName } from '../model/events.ts'
import type { EpochMs } from '../model/ids.ts'
import type { Exit } from '../model/observed.ts'
import type { HookName, RestartPolicy, StopPolicy } from '../model/spec.ts'
import { NO_RESTARTS, type RestartHistory } from './restart-policy.ts'

export type Phase =
  | { readonly name: 'stopped' }
  | Starting
  | Running
  | Stopping
  | { readonly name: 'backoff'; readonly until: EpochMs; readonly reason: string }
  | { readonly name: 'exited' }
  | { readonly name: 'failed'; readonly reason: string }

export interface Starting {
  readonly name: 'starting'
  /** `pre_start` and `post_start`: that hook runs. */
  readonly step: 'pre_start' | 'spawn' | 'ready' | 'post_start'
  /** From `ready` on. */
  readonly pid: number | null
  readonly since: EpochMs
  /** When it must be ready; null while no probe is asked. */
  readonly deadline: EpochMs | null
}

export interface Running {
  readonly name: 'running'
  readonly pid: number
  readonly since: EpochMs
  readonly readyAt: EpochMs
  /** Why its readiness probe fails; null: it is ready. */
  readonly unready: string | null
  /** When a run that takes too long is ended; null: never. */
  readonly deadline: EpochMs | null
}

export interface Stopping {
  readonly name: 'stopping'
  /**
   * `drain`: it takes nothing new, and finishes what it has begun. `ending`: its processes have been asked to end, or
   * killed. `pre_stop` and `post_stop`: that hook runs.
   */
  readonly step: 'pre_stop' | 'drain' | 'ending' | 'post_stop'
  /** null in `post_stop`: nothing of it lives. */
  readonly pid: number | null
  readonly since: EpochMs
  /** null: it was never ready, so that nothing of this run counts as up. */
  readonly readyAt: EpochMs | null
  /** When the drain is over; once its processes have been asked to end: when SIGKILL follows, or follows again. */
  readonly deadline: EpochMs | null
  readonly killed: boolean
  /** Known once the main process has ended; the rest of its group may live on. */
  readonly exit: Exit | null
  readonly endedAt: EpochMs | null
  /** Why it stops when nobody asked it to: it ended by itself, was not ready in time, is not healthy … */
  readonly fault: Fault | null
}

/** Why a run is over that nobody ended. */
export interface Fault {
  readonly reason: string
  /** It ended by itself, as if its work were done. */
  readonly clean: boolean
  /** It ended with one of `restart.stop_exit_codes`. */
  readonly final: boolean
  /** It is well enough to finish what it has begun: a drain makes sense. */
  readonly serves: boolean
}

export interface Instance {
  readonly wanted: 'up' | 'down'
  readonly phase: Phase
  /** Counts the starts; every event about a process or a hook carries the one it belongs to. */
  readonly incarnation: number
  readonly history: RestartHistory
  /** Restarts since the operator last started it. */
  readonly restarts: number
  readonly lastExit: Exit | null
}

export const NEW_INSTANCE: Instance = {
  wanted: 'down',
  phase: { name: 'stopped' },
  incarnation: 0,
  history: NO_RESTARTS,
  restarts: 0,
  lastExit: null,
}

export type InstanceEvent =
  | { readonly type: 'start' | 'stop' | 'reset' }
  /** `waitingFor`: what keeps a start from being ready, a sentence; null: not known. */
  /** `left`: connections that keep a drain from its end; null: not known. */
  | { readonly type: 'deadline'; readonly waitingFor?: string | null; readonly left?: number | null }
  | { readonly type: 'spawned'; readonly incarnation: number; readonly pid: number }
  | { readonly type: 'ready'; readonly incarnation: number }
  /** An edge of the readiness probe; `reason` null: it passes again. */
  | { readonly type: 'readiness'; readonly incarnation: number; readonly reason: string | null }
  /**
   * It must not go on: not healthy, too much memory … `urgent`: there is no time to ask. `serves`: it answers as it
   * should, and may finish what it has begun.
   */
  | {
      readonly type: 'fault'
      readonly incarnation: number
      readonly reason: string
      readonly urgent: boolean
      readonly serves: boolean
    }
  /** Nothing is left of what it had begun, or nobody can tell. */
  | { readonly type: 'drained'; readonly incarnation: number }
  | { readonly type: 'exited'; readonly incarnation: number; readonly exit: Exit }
  | { readonly type: 'group-empty'; readonly incarnation: number }
  /** `failure`: why the hook did not succeed, for people. */
  | {
      readonly type: 'hook-ended'
      readonly incarnation: number
      readonly hook: HookName
      readonly failure: string | null
    }

export type Effect =
  | { readonly type: 'spawn'; readonly incarnation: number }
  /** Reports `hook-ended`, in any case. */
  | { readonly type: 'run-hook'; readonly incarnation: number; readonly hook: HookName }
  /** Ends the hook that runs; `hook-ended` still follows. */
  | { readonly type: 'cancel-hook' }
  | { readonly type: 'watch-ready' | 'watch-life'; readonly incarnation: number; readonly pid: number }
  /** Reports `drained`, unless the step is over before. */
  | { readonly type: 'drain'; readonly incarnation: number; readonly pid: number }
  /** By message or command; by signal when that fails. */
  | { readonly type: 'ask-to-stop'; readonly incarnation: number; readonly pid: number }
  | { readonly type: 'signal-group'; readonly pid: number; readonly signal: NodeJS.Signals }
  /** Report `group-empty` once no process of the group is left. */
  | { readonly type: 'await-group'; readonly incarnation: number; readonly pid: number }
  /** The one timer of the instance; null: none. */
  | { readonly type: 'set-deadline'; readonly at: EpochMs | null }
  /** A sentence about the instance, without its subject; `reason` is the cause in it. */
  | {
      readonly type: 'record'
      readonly event: InstanceEventName
      readonly message: string
      readonly reason: string | null
    }

/** The part of a spec that decides how an instance lives. */
export interface LifePolicy {
  readonly stop: StopPolicy
  /** How long a drain may take; 0: there is none. */
  readonly drainMs: number
  readonly restart: RestartPolicy
  readonly readyTimeoutMs: number
  /** null: a run may take any time. */
  readonly runTimeoutMs: number | null
  readonly hooks: ReadonlySet<HookName>
  /** Once started, it is ready only when its readiness probe has passed. */
  readonly hasReadiness: boolean
  /** Chance, from 0 to 1, for the jitter of the next pause. */
  readonly dice: number
}

export interface Transition {
  readonly instance: Instance
  readonly effects: readonly Effect[]
}

/** The pid whose process group belongs to the instance, while it has one. */
export function pidOf({ phase }: Instance): number | null {
  return phase.name === 'starting' || phase.name === 'running' || phase.name === 'stopping' ? phase.pid : null
}
