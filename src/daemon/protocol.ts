/**
 * The wire between CLI and daemon: newline-delimited JSON over a unix socket, one request a connection.
 *
 *   → {"protocol":1,"method":"ls","params":{…}}
 *   ← {"event":{…}}            any number, while the request runs
 *   ← {"result":{…}}           or {"error":{"code","message","hint","details"}}; then the daemon closes
 *
 * `hello`, `shutdown` and `upgrade` keep their form in every version, so that any CLI can ask who is there and replace it.
 */

import type { EcoEvent, StoredEvent } from '../model/events.ts'
import type { EpochMs, ScopeId } from '../model/ids.ts'
import type { Exit, InstanceStateName, AppStateName } from '../model/observed.ts'
import type { RunOutcome, RunTrigger } from '../model/runs.ts'
import type { Plan } from '../model/plan.ts'
import type { DesiredState, AppSpec, AppKind, Output } from '../model/spec.ts'
import type { ExitCode } from '../errors.ts'
import type { NotReady, StepOutcome } from '../engine/engine.ts'
import type { StepResult } from '../executor/execute.ts'

export const PROTOCOL = 1
/** The oldest one that is still understood. */
export const MIN_PROTOCOL = 1

/** What a running request streams: the scope's events, and first of all the plan of an apply. */
export type StreamEvent =
  | EcoEvent
  | { readonly type: 'plan'; readonly plan: Plan }
  /** What an upgrade waits for. */
  | { readonly type: 'waiting'; readonly message: string }

export type Reply = { readonly event: StreamEvent } | { readonly result: unknown } | { readonly error: WireError }

export interface WireError {
  readonly code: string
  readonly message: string
  readonly hint: string | null
  readonly details: readonly string[]
}

export type MethodName = keyof Methods

/** Which apps a command means; empty selectors: all. */
export interface Selection {
  readonly selectors: readonly string[]
  readonly project: string | null
  readonly environment: string | null
}

export interface ApplyIntent {
  readonly only: readonly string[] | null
  readonly allowEmpty: boolean
  readonly takeOver: boolean
}

export interface RollbackParams {
  readonly scope: ScopeId
  readonly allowEmpty: boolean
}

export type Verb = 'start' | 'stop' | 'restart' | 'reload' | 'scale' | 'delete'

export interface VerbParams extends Selection {
  readonly verb: Verb
  /** For scale; null for the others, and with `delta`. */
  readonly instances: number | null
  /** For scale: so many more or less than each app wants now. */
  readonly delta?: number
  /** For stop and scale: the hold ends by itself after this long. */
  readonly forMs?: number
  readonly by: string
}

export type RolloutAction = 'status' | 'pause' | 'resume' | 'abort'

/** A rollout under way. */
export interface RolloutText {
  readonly state: 'progressing' | 'paused' | 'rolling-back'
  readonly from_version: number
  readonly to_version: number
  /** New instances that are available, of those wanted. */
  readonly updated: number
  readonly wanted: number
  readonly since: string
  readonly reason: string | null
}

export interface ListedRollout extends RolloutText {
  readonly project: string
  readonly environment: string
  readonly app: string
  /** After `abort`: how it ended. */
  readonly outcome?: StepOutcome
}

export interface Methods {
  readonly hello: { readonly params: Record<string, never>; readonly result: Hello }
  readonly shutdown: {
    readonly params: { readonly apps: boolean }
    /** `left_alone`: scopes whose apps go on, because their state cannot be used, with the reason. */
    readonly result: { readonly instances: number; readonly left_alone?: readonly string[] }
  }
  /** Hands the apps over to the daemon of another eco, and ends. */
  readonly upgrade: { readonly params: Program; readonly result: Upgraded }
  /** Starts what `shutdown` with `apps` had stopped. */
  readonly resume: { readonly params: Record<string, never>; readonly result: { readonly scopes: readonly string[] } }
  readonly plan: {
    readonly params: { readonly desired: DesiredState; readonly intent: ApplyIntent }
    readonly result: Plan
  }
  readonly apply: {
    readonly params: {
      readonly desired: DesiredState
      readonly intent: ApplyIntent
      /** The plan that was shown; the apply is refused when it would be another one now. null: whatever it is. */
      readonly plan: string | null
      readonly by: string
      /** false: return once the apply has begun. */
      readonly wait: boolean
    }
    readonly result: ApplyResult
  }
  /** What going back to a revision would do; serial null: the newest one before the current one that differs from it. */
  readonly rollbackPlan: {
    readonly params: RollbackParams & { readonly serial: number | null }
    readonly result: { readonly plan: Plan; readonly serial: number }
  }
  readonly rollback: {
    readonly params: RollbackParams & {
      readonly serial: number
      /** The plan that was shown; refused when it would be another one now. */
      readonly plan: string
      readonly by: string
      /** false: return once it has begun. */
      readonly wait: boolean
    }
    readonly result: ApplyResult
  }
  readonly verb: { readonly params: VerbParams; readonly result: { readonly results: readonly ApplyResult[] } }
  /** `unapplied`: apps that are meant, and that no plan knows because their first apply is under way. */
  readonly verbPlan: {
    readonly params: VerbParams
    readonly result: { readonly plans: readonly Plan[]; readonly unapplied: readonly string[] }
  }
  /** Forgets the restarts of instances; those that had given up try again. */
  readonly reset: { readonly params: Selection; readonly result: { readonly instances: readonly ResetInstance[] } }
  /** Looks at the rollouts under way, or takes a hand in them; `abort` waits until the old version serves. */
  readonly rollout: {
    readonly params: Selection & { readonly action: RolloutAction; readonly by: string }
    readonly result: { readonly rollouts: readonly ListedRollout[] }
  }
  readonly ls: { readonly params: Selection; readonly result: Listing }
  /** The listing as text: the daemon's code is warm, and a cold client would take longer to lay it out than to ask. */
  readonly lsText: {
    readonly params: Selection & { readonly json: boolean; readonly color: boolean; readonly width: number | null }
    readonly result: string
  }
  readonly describe: { readonly params: Selection; readonly result: { readonly apps: readonly AppDescription[] } }
  readonly logs: { readonly params: Selection; readonly result: { readonly files: readonly LogFile[] } }
  /** Moves what is in the log files to archives. */
  readonly rotateLogs: { readonly params: Selection; readonly result: { readonly files: readonly RotatedLog[] } }
  /** Empties the log files, and removes their archives. */
  readonly flushLogs: { readonly params: Selection; readonly result: { readonly files: readonly FlushedLog[] } }
}

/** A Node, and the daemon.cjs of an eco. */
export interface Program {
  readonly node: string
  readonly entry: string
}

export interface Upgraded {
  readonly from: DaemonId
  readonly to: DaemonId
}

export interface DaemonId {
  readonly pid: number
  readonly version: string
}

export interface Hello {
  readonly pid: number
  readonly version: string
  readonly protocol: number
  /** The oldest protocol that it understands; absent: only its own. */
  readonly min_protocol?: number
  readonly started_at: string
  readonly home: string
  /** The service that keeps it (`eco.service`, of the system or of the user); null or left out: a command started it. */
  readonly unit?: { readonly name: string; readonly scope: string } | null
}

export interface ResetInstance {
  readonly project: string
  readonly environment: string
  readonly id: string
  /** State, restarts, and why, before. */
  readonly state: InstanceStateName
  readonly restarts: number
  readonly reason: string | null
  /** It is being started again. */
  readonly started: boolean
}

export interface ApplyResult {
  readonly plan: Plan
  readonly results: readonly StepResult[]
  /** What went wrong beside the steps; null: nothing. */
  readonly problem: string | null
  /** Instances that no step started and that are not ready all the same. */
  readonly not_ready: readonly NotReady[]
  /** Apps that a stop or delete took away in their first apply: nothing of them is left. */
  readonly discarded: readonly string[]
  readonly exit_code: ExitCode
  readonly serial: number
}

/** `eco ls --json` (DESIGN §8): a contract, only ever extended. */
export interface Listing {
  readonly format_version: '1.0'
  readonly daemon: { readonly pid: number; readonly version: string }
  readonly apps: readonly ListedApp[]
  /** Scopes that cannot be listed, and why; left out when there are none. */
  readonly problems?: readonly string[]
}

export interface ListedApp {
  readonly project: string
  readonly environment: string
  readonly app: string
  readonly kind: AppKind
  readonly wanted: number
  readonly ready: number
  readonly state: AppStateName
  readonly reason: string | null
  readonly revision: number
  readonly version: number
  readonly hold: ListedHold | null
  readonly listen: readonly (number | string)[]
  /** Its rollout, while one is under way. */
  readonly rollout: RolloutText | null
  readonly schedule: string | null
  readonly next_run_at: string | null
  /** Of a job or cron app: the last run that started and ended; null: there was none. */
  readonly last_run: ListedRun | null
  readonly instances: readonly ListedInstance[]
}

export interface ListedHold {
  readonly verb: string
  readonly instances: number
  readonly by: string
  readonly at: string
  /** When it ends by itself; null: never. */
  readonly until: string | null
}

/** A run of a job or cron app; skipped and missed ones too, of which those in a row are one entry with a `count`. */
export interface ListedRun {
  readonly trigger: RunTrigger
  readonly version: number
  /** null: it was not on a schedule. */
  readonly scheduled_at: string | null
  /** null: it never started. */
  readonly started_at: string | null
  readonly ended_at: string | null
  readonly duration_ms: number | null
  /** null: it goes on. */
  readonly outcome: RunOutcome | null
  readonly reason: string | null
  readonly exit: Exit | null
  readonly attempts: number
  readonly count: number
}

export interface ListedInstance {
  readonly id: string
  readonly slot: number
  readonly pid: number | null
  readonly state: InstanceStateName
  readonly ready: boolean
  readonly version: number
  readonly started_at: string | null
  /** Since somebody last started it. */
  readonly restarts: number
  /** Those that count for the limit of its policy. */
  readonly recent_restarts: number
  /** When it is started again, while it pauses before that. */
  readonly next_attempt_at: string | null
  /** Of one core, over the last `cpu_window_ms`. */
  readonly cpu_percent: number | null
  readonly cpu_window_ms: number | null
  readonly memory_bytes: number | null
  readonly last_exit: Exit | null
  readonly reason: string | null
  /** What is not as the file asks for, although it runs; left out when there is nothing. */
  readonly notes?: readonly string[] | undefined
}

export interface AppDescription extends ListedApp {
  readonly source_file: string | null
  /** Sealed values are left out. */
  readonly spec: AppSpec
  readonly logs: readonly LogFile[]
  /** Of a job or cron app, oldest first. */
  readonly runs: readonly ListedRun[]
  /** Events that are not in the file of the scope yet; the others are read there. */
  readonly unwritten_events: readonly StoredEvent[]
}

export interface LogFile {
  readonly app: string
  readonly instance: string
  readonly scope: ScopeId
  readonly stream: 'out' | 'err'
  readonly path: string
  /** Of the process that writes it; null: none runs. */
  readonly pid: number | null
  /** How its lines are written (model/spec.ts). */
  readonly format: Output['format']
}

/** A log file that a command was about; of those that share one, the first. */
export interface TreatedLog {
  readonly project: string
  readonly environment: string
  readonly app: string
  readonly instance: string
  readonly stream: 'out' | 'err'
  readonly path: string
  /** Why it was not done; null: it was, or there was nothing to do. */
  readonly reason: string | null
}

export interface RotatedLog extends TreatedLog {
  readonly result: 'rotated' | 'empty' | 'refused' | 'failed'
  /** How; null: it was not. */
  readonly method: 'collapse' | 'stopped-copy' | 'copytruncate' | null
  /** Path, as it was made: compressed a little later. null: there is none. */
  readonly archive: string | null
  readonly bytes: number
}

export interface FlushedLog extends TreatedLog {
  readonly result: 'flushed' | 'refused' | 'failed'
  /** Removed, with those of the archives as they were on the disk. */
  readonly bytes: number
  readonly archives: number
}

export function isoTime(at: EpochMs): string {
  return new Date(at).toISOString()
}
