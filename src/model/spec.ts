/**
 * The complete, normalized description of an app: every default filled in, paths absolute, durations in milliseconds.
 * The planner compares these; the supervisor runs them; the store keeps them in full.
 */

import type { ScopeId } from './ids.ts'

export type AppKind = 'service' | 'job' | 'cron'

/** What a dependency must have reached before its dependent starts. */
export type DependencyCondition = 'started' | 'ready' | 'completed'

/** An address eco binds once and hands to every instance. */
export type Listen = (
  | { readonly type: 'tcp'; readonly host: string | null; readonly port: number }
  | {
      readonly type: 'unix'
      readonly path: string
      /** Of the socket's file; left out: what the umask of the daemon makes of it. */
      readonly mode?: number
      /** Owner and group of the socket's file, name or number; left out: the daemon's own. */
      readonly user?: string
      readonly group?: string
    }
) & {
  /** Connections that may wait to be accepted; left out: as many as the app asks for. */
  readonly backlog?: number
  /** In LISTEN_FDNAMES; left out: `listenN`. */
  readonly name?: string
}

/**
 * One variable of an app's environment. A secret's value is sealed (AES-256-GCM under the key of this ECO_HOME) before
 * it leaves the configuration stage, so a spec can be stored, compared and printed without showing it.
 * `fingerprint` is a keyed digest: equal values under the same key have equal fingerprints.
 */
export type EnvValue =
  | { readonly type: 'plain'; readonly value: string }
  | { readonly type: 'secret'; readonly source: string; readonly fingerprint: string; readonly sealed: string }

/** Where a probe connects to: a tcp port, or a unix socket. */
export type Endpoint =
  | {
      readonly type: 'tcp'
      readonly host: string
      readonly port: number
      /** The port of slot 0; each further slot is asked on the next one. */
      readonly perInstance: boolean
    }
  | { readonly type: 'unix'; readonly path: string }

export interface HttpCheck {
  readonly type: 'http'
  readonly endpoint: Endpoint
  /** https, whatever the certificate says: it is this machine that is asked. */
  readonly tls: boolean
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly status: readonly StatusRange[]
  /** What the first 64 KiB of the answer must match; null: anything. */
  readonly body: Pattern | null
}

export interface TcpCheck {
  readonly type: 'tcp'
  readonly endpoint: Endpoint
}

export interface ExecCheck {
  readonly type: 'exec'
  readonly command: readonly string[]
}

/** A check that can be asked again and again. */
export type ProbeCheck = HttpCheck | TcpCheck | ExecCheck

/** A regular expression. */
export interface Pattern {
  readonly pattern: string
  readonly flags: string
}

/**
 * When an instance counts as ready. `settled`: alive and idle after its start-up, for apps that declare nothing.
 * `signal`: process.send('ready') or a line on ECO_READY_FD. `notify`: READY=1 on NOTIFY_SOCKET (sd_notify(3)).
 */
export type ReadyCheck =
  | { readonly type: 'settled' }
  | { readonly type: 'signal' }
  | { readonly type: 'notify' }
  | ({ readonly type: 'log' } & Pattern)
  | { readonly type: 'delay'; readonly ms: number }
  | ProbeCheck

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
  /** An attempt without an answer for this long has failed. */
  readonly attemptTimeoutMs: number
}

/** A check for as long as the instance runs, with the meaning and the names of Kubernetes' probes. */
export interface Probe {
  readonly check: ProbeCheck
  /** From the moment the instance was ready until the first attempt. */
  readonly delayMs: number
  readonly intervalMs: number
  /** An attempt without an answer for this long has failed. */
  readonly timeoutMs: number
  /** Failures in a row after which it counts as failed. */
  readonly failures: number
  /** Successes in a row after which it counts as passed again. */
  readonly successes: number
}

/** How an instance is asked to end. */
export interface StopPolicy {
  /** Sent to all its processes; when there is a message or a command, only if that could not be delivered. */
  readonly signal: NodeJS.Signals
  /** JSON text of a message that a Node app gets as process.on('message'); null: none. */
  readonly message: string | null
  /** A command that asks it to end; null: none. */
  readonly exec: readonly string[] | null
  /** Before it is asked: how long it may go on with what it has begun, without taking anything new; 0: no drain. */
  readonly drainMs: number
  /** Grace between the request and SIGKILL of all its processes. */
  readonly timeoutMs: number
}

export interface Backoff {
  readonly initialMs: number
  readonly factor: number
  readonly maxMs: number
  /** Each pause is longer or shorter by up to this share of it, by chance; 0 to 1. */
  readonly jitter: number
}

/** An exit code from 0 to 255, or the name of the signal that ended it. */
export type ExitStatus = number | NodeJS.Signals

export interface RestartPolicy {
  readonly policy: 'always' | 'on_failure' | 'never'
  /** Restarts allowed within `windowMs`; one more and the instance is failed. */
  readonly max: number
  readonly windowMs: number
  readonly backoff: Backoff
  /** What counts as success; for `on_failure`, and for whether a job has completed. */
  readonly successExitCodes: readonly ExitStatus[]
  /** After one of these it is left as it is, whatever the policy. */
  readonly stopExitCodes: readonly ExitStatus[]
}

/** A number of instances, or a share of those wanted. */
export type Share = number | `${number}%`

/** How instances give way to those of another version; the maths is that of Kubernetes' Deployments. */
export interface Rollout {
  /** More than wanted that may run meanwhile; a share is rounded up. */
  readonly maxSurge: Share
  /** Fewer than wanted that may be available meanwhile; a share is rounded down. Counts as 1 when both are 0. */
  readonly maxUnavailable: Share
  /** How long a new instance must stay ready before it counts as available. */
  readonly soakMs: number
  /** Judges the first new instance; null: none. */
  readonly check: Hook | null
  /** When no further instance has become available for this long, the rollout has failed. */
  readonly deadlineMs: number
  readonly onFailure: 'rollback' | 'keep' | 'pause'
  /** Of the slots. */
  readonly order: 'ascending' | 'descending'
  /** Two copies cannot run at once (they bind the same port, say): stop the old one first. */
  readonly exclusive: boolean
}

export interface Schedule {
  /** Five or six cron fields. */
  readonly cron: string
  /** IANA name; null is the time zone of the machine. */
  readonly timezone: string | null
  /** What happens when a run is due and the one before it still runs. */
  readonly overlap: 'skip' | 'queue' | 'replace'
  /** What happens to runs that were due while no daemon ran: nothing, or one run for all of them. */
  readonly missed: 'skip' | 'run_once'
  /** Ended runs that are remembered. */
  readonly history: number
}

/** How a job runs; `timeoutMs` is for cron runs too. */
export interface JobPolicy {
  /** Further attempts after a failed one, with the pauses of restart.backoff. */
  readonly retries: number
  /** `on_change`: again only when something about it changed, or when it failed; `always`: at every apply. */
  readonly run: 'on_change' | 'always'
  /** A run that takes longer is stopped, and has failed; null: any time it takes. */
  readonly timeoutMs: number | null
}

/** A command around the life of an instance. */
export interface Hook {
  readonly command: readonly string[]
  readonly timeoutMs: number
}

export type HookName = 'pre_start' | 'post_start' | 'pre_stop' | 'post_stop'

/** `null`: there is none. */
export interface Hooks {
  /** Before each start; when it fails, so does the start. */
  readonly preStart: Hook | null
  /** Once it is ready, and before it counts as such; when it fails, so does the start. */
  readonly postStart: Hook | null
  /** Before it is asked to stop. */
  readonly preStop: Hook | null
  /** Once nothing of it runs, however it ended. */
  readonly postStop: Hook | null
}

/** Limits of each process by setrlimit(2), soft and hard. */
export const RLIMITS = ['nofile', 'nproc', 'core', 'fsize', 'stack', 'memlock'] as const
export type RlimitName = (typeof RLIMITS)[number]

/** Of all processes of one instance together; null: none. */
export interface Limits {
  /** Above it the instance is restarted. */
  readonly memoryBytes: number | null
  /** CPUs; 1.5 is one and a half. */
  readonly cpu: number | null
}

/** As whom, and with which attributes, the processes of an app run. */
export interface ProcessAttributes {
  /** Name or number; null: the daemon's own. */
  readonly user: string | null
  /** Name or number; null: the primary group of `user`. Supplementary groups are those of `user`. */
  readonly group: string | null
  /** Mode bits that files it creates do not get. */
  readonly umask: number
  /** -20 (most CPU time) to 19; null: the daemon's own. */
  readonly nice: number | null
  /** -1000 (never) to 1000 (first); null: the daemon's own. */
  readonly oomScoreAdj: number | null
  /** Bytes for core, fsize, stack and memlock, counts for the others; those left out are the daemon's own. */
  readonly rlimits: Readonly<Partial<Record<RlimitName, number | 'unlimited'>>>
}

/** Where an output goes: eco's own folder, nowhere, or an absolute path, which may differ from slot to slot (instance-values.ts). */
export type LogTarget = 'default' | 'discard' | `/${string}`

/** What becomes of stdout and stderr. */
export interface Output {
  readonly out: LogTarget
  /** `merged`: into the file of stdout, in the order in which they were written. */
  readonly err: LogTarget | 'merged'
  /**
   * `plain`: the app writes straight into the file. Otherwise by way of a process of eco's own, the scribe, which writes
   * each line with the time before it, or as JSON.
   */
  readonly format: 'plain' | 'time' | 'json'
}

/** When a log file is rotated, and what is kept of it. */
export interface Rotation {
  /** `copytruncate` loses lines that are written meanwhile; `off`: somebody else does it (logrotate). */
  readonly method: 'auto' | 'copytruncate' | 'off'
  readonly maxSizeBytes: number
  /** Since its first line; null: any age. */
  readonly maxAgeMs: number | null
  /** Archives of one file. */
  readonly keep: number
  /** An archive whose last line is older is removed; null: any age. */
  readonly keepForMs: number | null
  /** Of one file and its archives together; null: what maxSizeBytes and keep make of it. */
  readonly totalSizeBytes: number | null
  readonly compress: 'none' | 'gzip' | 'zstd'
}

/** Files whose change restarts the app. */
export interface Watch {
  /** Files and folders, absolute. */
  readonly paths: readonly string[]
  /** Globs relative to cwd. */
  readonly ignore: readonly string[]
  /** A burst is over when nothing changed for this long. */
  readonly debounceMs: number
  readonly action: 'restart' | 'reload'
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
  /** The startup probe: when a start has succeeded. */
  readonly ready: Ready
  /** Whether a running instance is ready; null: from its start on. */
  readonly readiness: Probe | null
  /** The liveness probe; an instance that fails it is restarted. */
  readonly health: Probe | null
  readonly stop: StopPolicy
  readonly restart: RestartPolicy
  readonly hooks: Hooks
  readonly limits: Limits
  readonly attributes: ProcessAttributes
  readonly output: Output
  readonly rotation: Rotation
  readonly rollout: Rollout
  readonly dependsOn: Readonly<Record<string, DependencyCondition>>
  /** Of these, the apps after whose restart it is restarted too. */
  readonly restartsWith: readonly string[]
  readonly job: JobPolicy
  /** SHA-256 (hex) of what decides whether a job runs again, by path relative to cwd; null: declared, but missing. */
  readonly inputs: Readonly<Record<string, string | null>>
  readonly schedule: Schedule | null
  readonly watch: Watch | null
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
