/** What can be told to a user, a log or a progress view. Never holds the value of a variable. */

import type { EpochMs } from './ids.ts'
import type { StepAction } from './plan.ts'

export type EcoEvent =
  | InstanceEventRecord
  | StepEvent
  | { readonly type: 'apply'; readonly at: EpochMs; readonly scope: string; readonly message: string }

/** Something happened to an instance; `message` is a sentence without its subject: "exited with code 1; restarting". */
export interface InstanceEventRecord {
  readonly type: 'instance'
  readonly at: EpochMs
  readonly scope: string
  readonly app: string
  readonly instance: string
  readonly message: string
}

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

export type StepStatus = 'started' | 'progress' | 'done' | 'failed' | 'rolled-back' | 'skipped'
