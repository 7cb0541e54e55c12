/**
 * The complete, normalized description of an app: every default filled in, paths absolute, durations in milliseconds.
 * The planner compares these; the supervisor runs them; the store keeps them in full.
 */

import type { ScopeId } from './ids.ts'

export type AppKind = 'service' | 'job' | 'cron'

/** What a dependency must have reached before its dependent starts. */
export type DependencyCondition = 'started' | 'ready' | 'completed'

/** An address eco binds once and hands to every instance. */
export type Listen =
  | { readonly type: 'tcp'; readonly host: string | null; readonly port: number }
  | { readonly type: 'unix'; readonly path: string }

/**
 * One variable of an app's environment. A secret's value is sealed (AES-256-GCM under the key of this ECO_HOME) before
 * it leaves the configuration stage, so a spec can be stored, compared and printed without showing it.
 * `fingerprint` is a keyed digest: equal values under the same key have equal fingerprints.
 */
export type EnvValue =
  | { readonly type: 'plain'; readonly value: string }
  | { readonly type: 'secret'; readonly source: string; readonly fingerprint: string; readonly sealed: string }

/** When an instance counts as ready. `settled`: alive and idle after its start-up, for apps that declare nothing. */
export type ReadyCheck =
  | { readonly type: 'settled' }
  | { readonly type: 'signal' }
  | {
      readonly type: 'http'
      readonly host: string
      readonly port: number
      readonly path: string
      readonly status: readonly StatusRange[]
    }
  | { readonly type: 'tcp'; readonly host: string; readonly port: number }
  | { readonly type: 'log'; readonly pattern: string; readonly flags: string }
  | { readonly type: 'exec'; readonly command: readonly string[] }
  | { readonly type: 'delay'; readonly ms: number }

/** HTTP status codes, both ends included. */
export interface StatusRange {
  readonly from: number
  readonly to: number
}

export interface Ready {
  readonly check: ReadyCheck
  /** Time from the spawn until the instance must be ready; after it the start has failed. */
  readonly timeoutMs: number
  /** Pause between two attempts of a check that has to ask. */
  readonly intervalMs: number
}

export interface StopPolicy {
  readonly signal: NodeJS.Signals
  /** Grace between the signal and SIGKILL of the whole process group. */
  readonly timeoutMs: number
}

export interface Backoff {
  readonly initialMs: number
  readonly factor: number
  readonly maxMs: number
}

export interface RestartPolicy {
  readonly policy: 'always' | 'on_failure' | 'never'
  /** Restarts allowed within `windowMs`; one more and the instance is failed. */
  readonly max: number
  readonly windowMs: number
  readonly backoff: Backoff
}

export interface Rollout {
  /** Two copies cannot run at once (they bind the same port, say): stop the old one first. */
  readonly exclusive: boolean
}

export interface Schedule {
  /** Five or six cron fields. */
  readonly cron: string
  /** IANA name; null is the time zone of the machine. */
  readonly timezone: string | null
}

export interface AppSpec {
  readonly kind: AppKind
  /** argv; never a shell unless the user wrote one. */
  readonly command: readonly string[]
  readonly cwd: string
  readonly instances: number
  readonly listen: readonly Listen[]
  readonly env: Readonly<Record<string, EnvValue>>
  /** The allow-listed variables of the shell that applied (PATH, HOME, LANG …). Taken at the next start, never a change. */
  readonly ambient: Readonly<Record<string, string>>
  readonly ready: Ready
  readonly stop: StopPolicy
  readonly restart: RestartPolicy
  readonly rollout: Rollout
  readonly dependsOn: Readonly<Record<string, DependencyCondition>>
  readonly schedule: Schedule | null
}

/** Where a desired state came from; a scope remembers it. */
export interface Source {
  readonly file: string
  readonly git: GitRevision | null
}

export interface GitRevision {
  readonly commit: string
  readonly dirty: boolean
}

/** What the file says for one scope. */
export interface DesiredState {
  readonly scope: ScopeId
  readonly source: Source
  readonly apps: Readonly<Record<string, AppSpec>>
}
