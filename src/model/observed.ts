/** What runs: a snapshot the planner reads and `eco ls` prints. */

import type { EpochMs } from './ids.ts'

/** States of an instance as users see them (DESIGN §8). An app shows the worst of its instances. */
export type InstanceStateName =
  | 'starting'
  | 'running'
  | 'draining'
  | 'stopping'
  | 'stopped'
  | 'backoff'
  | 'exited'
  | 'failed'
export type AppStateName = InstanceStateName | 'completed' | 'scheduled'

/** How a process ended. `at` is when the supervisor learnt of it. */
export type Exit =
  /** `left`: what it left running in the background when it ended, `nginx (pid 12)`; not there when there was nothing. */
  | { readonly kind: 'code'; readonly code: number; readonly left?: string; readonly at: EpochMs }
  /** `oom`: the kernel killed it for want of memory. */
  | { readonly kind: 'signal'; readonly signal: string; readonly at: EpochMs; readonly oom?: true }
  | { readonly kind: 'spawn-error'; readonly message: string; readonly at: EpochMs }
  /** Its pre_start hook failed: it was not even started. */
  | { readonly kind: 'hook'; readonly message: string; readonly at: EpochMs }
  /** `seen`: the daemon saw it end, but an earlier one had started it, and only that could have known how. */
  | { readonly kind: 'unknown'; readonly seen?: true; readonly at: EpochMs }

export interface ObservedInstance {
  readonly slot: number
  /** Version of the app's spec this instance was started from. */
  readonly version: number
  readonly state: InstanceStateName
  readonly ready: boolean
  readonly pid: number | null
  readonly startedAt: EpochMs | null
  readonly restarts: number
  readonly lastExit: Exit | null
  /** Why it is in this state, for people: "16 restarts in 60 s", "waiting for http :3000/healthz". */
  readonly reason: string | null
  /** When it is started again, while it pauses before that; left out otherwise. */
  readonly nextAttemptAt?: EpochMs
  /** Restarts that count for the limit of its policy; left out when there are none. */
  readonly recentRestarts?: number
  /** What is not as the spec asks for, although it runs: "nice is not -5: …"; left out when there is nothing. */
  readonly notes?: readonly string[]
}

export interface ObservedApp {
  readonly instances: readonly ObservedInstance[]
  /**
   * The instances serve their ports on sockets that a daemon before this one bound and that could not be taken back:
   * no further instance can share them.
   */
  readonly socketsLost?: boolean
}

/** A process that is none of the scope and holds a tcp port an app needs. */
export interface PortHolder {
  readonly port: number
  readonly pid: number | null
  readonly command: string | null
  /** The app of another scope that it belongs to, `shop/production/api`; left out: eco did not start it. */
  readonly owner?: string
}

export interface ObservedState {
  readonly apps: Readonly<Record<string, ObservedApp>>
  readonly foreignPorts: readonly PortHolder[]
}

/** `exited with code 1`, `was killed by SIGKILL`, `could not be started: …` */
export function describeExit(exit: Exit): string {
  switch (exit.kind) {
    case 'code':
      // Stopped since: it could not be supervised.
      return `exited with code ${exit.code}${exit.left ? ` and left ${exit.left} in the background; run it in the foreground` : ''}`
    case 'signal':
      return `was killed by ${exit.signal}${exit.oom ? ': out of memory' : ''}`
    case 'spawn-error':
      return `could not be started: ${exit.message}`
    case 'hook':
      return `was not started: ${exit.message}`
    case 'unknown':
      return exit.seen
        ? 'ended, and how is not known: an earlier daemon had started it'
        : 'ended while no daemon was watching'
  }
}
