/** What can be told to a user, a log or a progress view. Never holds the value of a variable. */

import type { EpochMs } from './ids.ts'
import type { Exit } from './observed.ts'
import type { StepAction } from './plan.ts'

export type EcoEvent = InstanceEventRecord | StepEvent | ScopeEvent

/** What happens to an instance. Only ever extended: scripts match these names. */
export type InstanceEventName =
  /** It has a process, and is not ready yet. */
  | 'started'
  | 'ready'
  /** It runs, and its readiness probe fails. */
  | 'unready'
  /** It must not go on: not healthy, not ready in time, too much memory … It is stopped, and the restart policy decides. */
  | 'fault'
  | 'hook_failed'
  /** It did not end in time. */
  | 'killed'
  | 'restarting'
  /** It ended, and is left as it is. */
  | 'left'
  /** It ended, and is not started again before somebody does something. */
  | 'failed'
  | 'stopped'
  | 'reset'
  /** A daemon took it over from the one before. */
  | 'adopted'
  | 'run_started'
  | 'run_skipped'
  | 'run_ended'
  /** What it writes does not go into the file at the path of its log. */
  | 'log_lost'
  /** Anything else worth knowing. */
  | 'note'

/** What happens to a scope as a whole. */
export type ScopeEventName =
  | 'daemon_started'
  | 'daemon_stopped'
  | 'apply_started'
  | 'apply_ended'
  /** The daemon that carried it out has ended in the middle of it. */
  | 'apply_cut_off'
  | 'steps_cancelled'
  /** The time of a stop or scale by hand is over. */
  | 'hold_ended'
  /** A newer apply goes on from where the rollouts under way had got to. */
  | 'rollout_taken_over'
  | 'problem'
  | 'events_resumed'
  /** There is no room where logs are written. */
  | 'logs_full'
  | 'logs_resumed'

export type StepEventName =
  | 'step_started'
  | 'step_progress'
  | 'step_done'
  | 'step_failed'
  | 'step_rolled_back'
  | 'step_skipped'
  /** A rollout waits for an operator. */
  | 'step_paused'
  /** A rollout has failed, and all stays as it is. */
  | 'step_kept'

export type EventName = InstanceEventName | ScopeEventName | StepEventName

/** Something happened to an instance; `message` is a sentence without its subject: "exited with code 1; restarting". */
export interface InstanceEventRecord {
  readonly type: 'instance'
  readonly event: InstanceEventName
  readonly at: EpochMs
  readonly scope: string
  readonly app: string
  readonly instance: string
  readonly message: string
  readonly data: InstanceEventData
}

/** The facts behind the sentence, as far as they belong to the event. */
export interface InstanceEventData {
  readonly pid?: number
  /** How the run ended. */
  readonly exit?: ExitData
  readonly reason?: string
  /** Restarts since somebody last started it, this one included. */
  readonly restarts?: number
  /** ISO 8601; not before then. */
  readonly next_attempt_at?: string
  /** Of a log file. */
  readonly path?: string
}

/** An exit without its time, which is that of the event. */
export type ExitData = Exit extends infer E ? (E extends Exit ? Omit<E, 'at'> : never) : never

export interface StepEvent {
  readonly type: 'step'
  readonly at: EpochMs
  readonly scope: string
  readonly id: number
  readonly app: string
  readonly action: StepAction
  readonly status: StepStatus
  /** What it is doing, or why it failed. */
  readonly message: string | null
}

export type StepStatus = 'started' | 'progress' | 'done' | 'failed' | 'rolled-back' | 'kept' | 'skipped' | 'paused'

export interface ScopeEvent {
  readonly type: 'scope'
  readonly event: ScopeEventName
  readonly at: EpochMs
  readonly scope: string
  /** Left out: about the scope as a whole. */
  readonly app?: string
  readonly message: string
  readonly data?: Readonly<Record<string, string | number | null>>
}

/**
 * An event as it is stored, and as `eco events --json` prints it, one a line (docs/events.md). A contract: fields and
 * names are added, never changed.
 */
export interface StoredEvent {
  readonly format_version: '1.0'
  /** Counts up by one within the scope: a gap is a loss. */
  readonly seq: number
  /** ISO 8601, UTC. */
  readonly at: string
  /** `project/environment` */
  readonly scope: string
  readonly event: EventName
  /** null: about the scope as a whole. */
  readonly app: string | null
  /** null: about the app as a whole. */
  readonly instance: string | null
  /** A sentence without its subject. */
  readonly message: string
  readonly data: Readonly<Record<string, unknown>>
}

export function storedEvent(event: EcoEvent, seq: number): StoredEvent {
  const { at, scope } = event
  const head = { format_version: '1.0', seq, at: new Date(at).toISOString(), scope } as const
  switch (event.type) {
    case 'instance': {
      const { app, instance, message, data } = event
      return { ...head, event: event.event, app, instance, message, data: { ...data } }
    }
    case 'step': {
      const { app, id, action, status, message } = event
      const data = { step: id, action, status, reason: message }
      return { ...head, event: STEP_EVENTS[status], app, instance: null, message: stepSentence(event), data }
    }
    case 'scope':
      return {
        ...head,
        event: event.event,
        app: event.app ?? null,
        instance: null,
        message: event.message,
        data: event.data ?? {},
      }
  }
}

const STEP_EVENTS: Readonly<Record<StepStatus, StepEventName>> = {
  started: 'step_started',
  progress: 'step_progress',
  done: 'step_done',
  failed: 'step_failed',
  'rolled-back': 'step_rolled_back',
  skipped: 'step_skipped',
  paused: 'step_paused',
  kept: 'step_kept',
}

function stepSentence({ action, status, message }: StepEvent): string {
  const what = status === 'rolled-back' ? 'rolled back' : status === 'started' ? 'begun' : status
  return [action, ...(status === 'progress' ? [] : [what]), ...(message === null ? [] : [message])].join(': ')
}
