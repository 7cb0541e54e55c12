/** Generated from schemas/ecosystem.schema.json by scripts/generate.mjs; do not edit. The shape of an ecosystem file. */

/**
 * Letters, digits, dot, dash and underscore; at most 63.
 */
export type Name = string
/**
 * One dotenv file or a list of them, relative to the ecosystem file.
 */
export type EnvFiles =
  | string
  | (
      | string
      | {
          /**
           * The dotenv file, relative to the ecosystem file.
           */
          path: string
          /**
           * Treat every value in it as a secret.
           */
          secret?: boolean
          /**
           * Do not complain when the file is missing.
           */
          optional?: boolean
        }
    )[]
  | null
/**
 * One application. It needs a script or a command; everything else has a default. null takes a setting back to its default.
 */
export type App = {
  /**
   * service: kept running. job: runs to completion, again only when something about it changed or it failed. cron: runs on a schedule.
   */
  kind?: 'service' | 'job' | 'cron' | null
  /**
   * A Node.js entry file, relative to cwd; run as `node [node_args] script [args]` with the node found on PATH. Give script or command, not both.
   */
  script?: string | null
  /**
   * Arguments after the script.
   */
  args?: Argv
  /**
   * Node.js options before the script.
   */
  node_args?: Argv
  /**
   * Program and arguments, in any language. No shell is involved: write ["sh", "-c", "…"] when you want one. A program without a slash is looked up on PATH; one with a slash is relative to cwd.
   */
  command?: string[] | null
  /**
   * Working directory, relative to the ecosystem file.
   */
  cwd?: string | null
  /**
   * How many copies run: a number, "max" for one per CPU (cgroup limits respected), or a share of the CPUs such as "50%". 0 keeps the app known but stopped. Not more than one for a job or cron app.
   */
  instances?: number | string | null
  /**
   * Ports or unix socket paths that eco binds once and hands to every instance: several copies share one port, and the port never closes while the app is replaced. Node apps need no change, and what node runs without listen shares the ports it asks for all the same; others get systemd's LISTEN_FDS, the sockets listening already. A port, "host:port", a path, or a map with port or path and more.
   */
  listen?: Listen
  /**
   * Environment variables. A value is a string, number or boolean, and may hold ${instance} or ${3000 + instance}, another number for each instance; a reference { from_env | from_file | from_command } or { value, secret: true } is a secret and never shown. null removes a variable.
   */
  env?: {
    [k: string]: EnvValue
  } | null
  /**
   * dotenv files, read in order before env.
   */
  env_file?: EnvFiles
  /**
   * Further variables taken from the shell that applies, by name or prefix*. PATH, HOME, USER, LOGNAME, SHELL, LANG, LC_*, TZ and TMPDIR always come along; nothing else does.
   */
  inherit_env?: string[] | null
  /**
   * The startup probe: when an instance counts as started, and ready. Exactly one of signal, notify, http, tcp, log, exec, delay. Without it an app with listen is ready when its own process accepts on the first address, any other when its start-up has settled (alive and idle, or alive for 3s).
   */
  ready?:
    | ('signal' | 'notify')
    | ({
        /**
         * The app says so: process.send('ready') in Node.js, or the line ready written to the file descriptor in ECO_READY_FD.
         */
        signal?: boolean | null
        /**
         * The app says so as systemd wants it: READY=1 to the socket in NOTIFY_SOCKET (sd_notify).
         */
        notify?: boolean | null
        /**
         * A GET answered with an accepted status by the instance's own process tree: a path on the first port (or else socket) of listen, ":port/path", a http:// or https:// URL (its certificate is not checked), or "unix:/run/app.sock:/path". The port may be ${3000 + instance}: one for each instance.
         */
        http?: string | null
        /**
         * Statuses that http accepts: a code, or a range "200-399".
         */
        status?: (number | string)[] | null
        /**
         * Headers that http sends.
         */
        headers?: {
          [k: string]: string | number | null
        } | null
        /**
         * What the answer to http must hold within its first 64 KiB: a text, or /regex/flags.
         */
        body?: string | null
        /**
         * A connection accepted by the instance's own process tree: a port, "host:port" or the path of a unix socket. The port may be ${3000 + instance}: one for each instance.
         */
        tcp?: number | string | null
        /**
         * A line on stdout or stderr that matches: /regex/flags, or a text it contains.
         */
        log?: string | null
        /**
         * A command that exits with 0, run in the app's cwd with its environment.
         */
        exec?: Program
        /**
         * Alive for this long.
         */
        delay?: Duration
        /**
         * How long after the start the instance may take to become ready; then the start has failed.
         */
        timeout?: Duration
        /**
         * Pause between two attempts of http, tcp or exec.
         */
        interval?: Duration
        /**
         * An attempt of http, tcp or exec without an answer for this long has failed; the next one follows.
         */
        attempt_timeout?: Duration
      } | null)
  /**
   * Whether a running instance is ready; Kubernetes' readinessProbe. One that fails goes on, but is shown as not ready, and its dependents wait. Default: ready from its start on.
   */
  readiness?: Probe
  /**
   * Whether a running instance still works; Kubernetes' livenessProbe. One that fails is restarted, as restart says.
   */
  health?: Probe
  /**
   * How an instance is asked to end. All its processes get the signal, and SIGKILL when the timeout is over.
   */
  stop?: {
    /**
     * The signal that asks the app to end. With message or exec, only sent when that could not be delivered.
     */
    signal?: 'SIGTERM' | 'SIGINT' | 'SIGQUIT' | 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2' | 'SIGKILL' | null
    /**
     * A message for a Node.js app instead of the signal: it gets it as process.on('message'). Any value of JSON. Give message or exec, not both.
     */
    message?:
      | string
      | number
      | boolean
      | unknown[]
      | {
          [k: string]: unknown
        }
      | null
    /**
     * A command that asks the app to end, instead of the signal; run in the app's cwd with its environment.
     */
    exec?: Program
    /**
     * How long an instance of a Node.js app that is stopped or replaced may go on with what it has begun, before it is asked to end: it takes no new connections, answers what is under way with Connection: close, and WebSockets and event streams go on until this time is over. 0s: not at all.
     */
    drain?: Duration
    /**
     * How long it may take before SIGKILL.
     */
    timeout?: Duration
  } | null
  /**
   * What happens when an instance ends by itself. A job or cron app has backoff and success_exit_codes of it: retries says how often it is tried again.
   */
  restart?: {
    /**
     * always, on_failure (after whatever is not in success_exit_codes) or never.
     */
    policy?: 'always' | 'on_failure' | 'never' | null
    /**
     * Restarts allowed within window; one more and the instance is failed.
     */
    max?: number | null
    /**
     * The sliding window in which restarts are counted.
     */
    window?: Duration
    /**
     * The pause before a restart, and before a retry of a job. The first crash after a stable run restarts at once.
     */
    backoff?: {
      /**
       * Pause before the second restart in a row.
       */
      initial?: Duration
      /**
       * Each further pause is this many times longer.
       */
      factor?: number | null
      /**
       * The longest pause.
       */
      max?: Duration
      /**
       * By which share each pause is longer or shorter, by chance, so that apps that fell together do not come back together.
       */
      jitter?: string | null
    } | null
    /**
     * What counts as success: exit codes and names of signals. For policy on_failure, and for whether a job has completed. Replaces the default.
     */
    success_exit_codes?: ExitCodes
    /**
     * After one of these exit codes or signals an instance is left as it is, whatever the policy.
     */
    stop_exit_codes?: ExitCodes
  } | null
  /**
   * Commands around the life of each instance, run in the app's cwd with its environment.
   */
  hooks?: {
    /**
     * Before each start. When it fails, the start has failed.
     */
    pre_start?: Hook
    /**
     * Once the instance is ready, and before it counts as such. When it fails, the start has failed. Services only.
     */
    post_start?: Hook
    /**
     * Before the instance is asked to stop.
     */
    pre_stop?: Hook
    /**
     * Once nothing of it runs any more, however it ended.
     */
    post_stop?: Hook
  } | null
  /**
   * What the processes of one instance may use together.
   */
  limits?: {
    /**
     * Above it the instance is restarted, as restart says. At least 1M.
     */
    memory?: Size
    /**
     * CPUs; 1.5 is one and a half. Needs cgroup v2 with the cpu controller.
     */
    cpu?: number | null
  } | null
  /**
   * Where stdout and stderr go, and how their files are rotated and kept.
   */
  logs?: {
    /**
     * The file of stdout, relative to the ecosystem file; it is created with mode 0600, a missing folder with 0700. A symlink is not followed. The same file for all instances, or one for each with ${instance} in it. none: discarded. Default: a file for each instance in eco's own folder.
     */
    out?: string | null
    /**
     * The file of stderr, as out has it. The same file as out is good, too: lines stand in it in the order in which they were written.
     */
    err?: string | null
    /**
     * stderr goes where stdout goes.
     */
    merge?: boolean | null
    /**
     * plain: what the app writes, straight into the file, at no cost. time: each line with the time before it. json: each line as JSON with time, app, instance, stream and message. For time and json a process of eco's own writes the log, which costs memory and CPU time (docs/adr/0027-scribe.md).
     */
    format?: 'plain' | 'time' | 'json' | null
    /**
     * auto: a file that has reached max_size or max_age is rotated without the loss of a line, by the best method of its file system (eco doctor shows it). copytruncate: copy and truncate, which loses what is written meanwhile. off: not at all, for logrotate and the like.
     */
    rotation?: 'auto' | 'copytruncate' | 'off' | null
    /**
     * A file is rotated once it has reached this size. At least 64K.
     */
    max_size?: Size
    /**
     * A file is rotated once its first line is as old as this, at least 1m. Default: at any age.
     */
    max_age?: Duration
    /**
     * How many rotated files are kept, of each log file.
     */
    keep?: number | null
    /**
     * Rotated files whose last line is older are removed. Default: kept at any age.
     */
    keep_for?: Duration
    /**
     * A log file and its rotated files together; the oldest are removed. At least max_size. Default: what max_size and keep make of it.
     */
    total_size?: Size
    /**
     * How rotated files are compressed: gzip (or true), zstd, or none (or false). zstd needs the program zstd, or Node.js 22.15 or newer.
     */
    compress?: 'gzip' | 'zstd' | 'none' | true | false | null
  } | null
  /**
   * As whom the app, its hooks and its checks run: name or number. Default: the daemon's. Only root may run apps as others.
   */
  user?: string | number | null
  /**
   * Its group: name or number. Default: the primary group of user.
   */
  group?: string | number | null
  /**
   * Permissions that files it creates do not get: octal digits, in quotes.
   */
  umask?: string | null
  /**
   * From -20 (most CPU time) to 19 (least). Below 0 only as root. Default: the daemon's.
   */
  nice?: number | null
  /**
   * Who is killed first when memory runs out: from -1000 (never) to 1000 (first). Below 0 only as root. Default: the daemon's.
   */
  oom_score_adj?: number | null
  /**
   * Limits of each process, as ulimit has them; soft and hard. What is left out is as it is for the daemon.
   */
  ulimits?: {
    /**
     * Open files.
     */
    nofile?: number | null
    /**
     * Processes and threads of the user.
     */
    nproc?: number | string | null
    /**
     * Size of a core dump; 0 for none.
     */
    core?: number | string | null
    /**
     * Size of a file it writes.
     */
    fsize?: number | string | null
    /**
     * Size of the stack.
     */
    stack?: number | string | null
    /**
     * Memory it may lock.
     */
    memlock?: number | string | null
  } | null
  /**
   * How a changed app is replaced: each new instance must be ready, and stay so for soak, before it gets traffic and an old one is stopped.
   */
  rollout?: {
    /**
     * How many instances more than wanted may run meanwhile: a number, or a share of the instances, rounded up.
     */
    max_surge?: number | string | null
    /**
     * How many instances fewer than wanted may be available meanwhile: a number, or a share of the instances, rounded down. When both this and max_surge are 0, it counts as 1.
     */
    max_unavailable?: number | string | null
    /**
     * How long a new instance must stay ready before it counts as available: before it gets traffic (Node.js apps), and before an old one is stopped.
     */
    soak?: Duration
    /**
     * A command that judges the first new instance, after its soak and before any old one is stopped; when it fails, so has the rollout. It runs in the app's cwd with its environment, ECO_PID and, for a Node.js app with listen, ECO_CANARY_SOCKET: a unix socket that leads to that instance.
     */
    check?: Hook
    /**
     * When no further instance has become available for this long, the rollout has failed.
     */
    deadline?: Duration
    /**
     * What becomes of a rollout that failed. rollback: the old version comes back, exit code 6. keep: all stays as it is, exit code 8. pause: it waits for eco rollout resume or eco rollout abort, exit code 8.
     */
    on_failure?: 'rollback' | 'keep' | 'pause' | null
    /**
     * In which order the instances are replaced, by their number.
     */
    order?: 'ascending' | 'descending' | null
    /**
     * Two copies cannot run at the same time, so the old one is stopped first. The default is true for an app whose ready check names a port that is not under listen: it binds that port itself. Not for a script or a node command without listen: eco gives it the socket of the port when it listens.
     */
    exclusive?: boolean | null
  } | null
  /**
   * Apps that must be started, ready or completed first. A list means ready, or completed for a job. The long form { condition, restart: true } also restarts this app whenever the other one was restarted.
   */
  depends_on?:
    | {
        [k: string]: Dependency
      }
    | string[]
    | null
  /**
   * How often a failed run of a job or cron app is tried again, with the pauses of restart.backoff.
   */
  retries?: number | null
  /**
   * A run of a job or cron app that takes longer is stopped, and has failed. Default: any time it takes.
   */
  timeout?: Duration
  /**
   * When a job runs again. on_change: when something about it (or about inputs) changed, or it failed. always: at every apply.
   */
  run?: 'on_change' | 'always' | null
  /**
   * Files whose content decides whether a job runs again: globs relative to cwd. Each must match a file.
   */
  inputs?: Globs
  /**
   * When a cron app runs: five cron fields (minute hour day month weekday), or six with seconds first.
   */
  schedule?: string | null
  /**
   * The IANA time zone of schedule.
   */
  timezone?: string | null
  /**
   * When a run is due and the one before still runs. skip: leave it out. queue: run it afterwards. replace: stop the old one.
   */
  overlap?: 'skip' | 'queue' | 'replace' | null
  /**
   * Runs that were due while no daemon ran, or the machine slept. skip: leave them out. run_once: one run for all of them.
   */
  missed?: 'skip' | 'run_once' | null
  /**
   * Ended runs that eco remembers.
   */
  history?: number | null
  /**
   * Restart the app when its files change; for development. true watches cwd, a list the files and folders in it. Services only.
   */
  watch?:
    | boolean
    | string[]
    | {
        /**
         * Files and folders, relative to cwd.
         */
        paths?: string[] | null
        /**
         * Globs that are not watched, besides node_modules, .git and log files: with a slash relative to cwd, without one a name anywhere.
         */
        ignore?: Globs
        /**
         * A burst of changes is over when nothing changed for this long.
         */
        debounce?: Duration
        /**
         * restart: stop and start the instances, one after the other. reload: replace them, each when its successor is ready.
         */
        action?: 'restart' | 'reload' | null
      }
    | null
} | null
/**
 * A list of strings.
 */
export type Argv = string[] | null
/**
 * An address (a port, "host:port", a socket path, or a map with port or path and more), or a list of these.
 */
export type Listen =
  | number
  | string
  | Listen[]
  | {
      /**
       * The tcp port.
       */
      port?: number | null
      /**
       * The address of this machine to listen on; without it, all of them.
       */
      host?: string | null
      /**
       * The path of a unix socket, relative to the file.
       */
      path?: string | null
      /**
       * How many connections may wait to be accepted. The default is the app's own for Node.js apps, and 511 for others; net.core.somaxconn caps it.
       */
      backlog?: number | null
      /**
       * The mode of a unix socket's file, in octal: who may connect.
       */
      mode?: string | null
      /**
       * The owner of a unix socket's file, by name or number. The daemon must run as root.
       */
      user?: string | number | null
      /**
       * The group of a unix socket's file, by name or number.
       */
      group?: string | number | null
      /**
       * The socket's name in LISTEN_FDNAMES, for programs that tell their sockets apart by name.
       */
      name?: string | null
    }
  | null
/**
 * The value of a variable. Exactly one of value, from_env, from_file, from_command in the long form.
 */
export type EnvValue =
  | string
  | number
  | boolean
  | null
  | {
      /**
       * The value itself, for use with secret: true.
       */
      value?: string | number | boolean
      /**
       * Taken from this variable of the shell that applies, or of the project's .env. A secret.
       */
      from_env?: string
      /**
       * Read from this file, relative to the ecosystem file; one trailing newline is dropped. A secret.
       */
      from_file?: string
      /**
       * What this command prints; one trailing newline is dropped. A secret.
       */
      from_command?: string[]
      /**
       * Never show this value: only a keyed fingerprint.
       */
      secret?: boolean
    }
/**
 * A program and its arguments.
 */
export type Program = string[] | null
/**
 * A length of time with its unit: 150ms, 10s, 5m, 1h, 7d.
 */
export type Duration = string | null
/**
 * A check for as long as the instance runs: exactly one of http, tcp, exec.
 */
export type Probe = {
  /**
   * A GET answered with an accepted status by the instance's own process tree: a path on the first port (or else socket) of listen, ":port/path", a http:// or https:// URL (its certificate is not checked), or "unix:/run/app.sock:/path". The port may be ${3000 + instance}: one for each instance.
   */
  http?: string | null
  /**
   * Statuses that http accepts: a code, or a range "200-399".
   */
  status?: (number | string)[] | null
  /**
   * Headers that http sends.
   */
  headers?: {
    [k: string]: string | number | null
  } | null
  /**
   * What the answer to http must hold within its first 64 KiB: a text, or /regex/flags.
   */
  body?: string | null
  /**
   * A connection accepted by the instance's own process tree: a port, "host:port" or the path of a unix socket. The port may be ${3000 + instance}: one for each instance.
   */
  tcp?: number | string | null
  /**
   * A command that exits with 0, run in the app's cwd with its environment.
   */
  exec?: Program
  /**
   * From the moment the instance has passed ready until the first attempt.
   */
  delay?: Duration
  /**
   * Pause between two attempts.
   */
  interval?: Duration
  /**
   * An attempt without an answer for this long has failed.
   */
  timeout?: Duration
  /**
   * Failures in a row after which the check counts as failed.
   */
  failures?: number | null
  /**
   * Successes in a row after which it counts as passed again. For health it is 1.
   */
  successes?: number | null
} | null
/**
 * Exit codes from 0 to 255, and names of signals.
 */
export type ExitCodes = (number | string)[] | null
/**
 * A command: a list (program and arguments), or a text that sh runs with -e; or a map with run and timeout.
 */
export type Hook =
  | string[]
  | string
  | {
      /**
       * The command: a list (program and arguments), or a text that sh runs with -e.
       */
      run?: string[] | string | null
      /**
       * How long it may take; then it is killed, and has failed.
       */
      timeout?: Duration
    }
  | null
/**
 * A number of bytes with its unit: 512K, 300M, 1.5G (powers of 1024).
 */
export type Size = string | null
/**
 * What another app must have reached first.
 */
export type Dependency =
  | ('started' | 'ready' | 'completed')
  | ({
      /**
       * What it must have reached. Default: ready, or completed for a job.
       */
      condition?: 'started' | 'ready' | 'completed' | null
      /**
       * Restart this app, too, whenever that one was restarted.
       */
      restart?: boolean | null
    } | null)
/**
 * A list of globs: * and ? within a name, ** for any folders, [abc], {a,b}.
 */
export type Globs = string[] | null
/**
 * How one environment differs from the file above it.
 */
export type Environment = {
  /**
   * Replaces the file's env_file in this environment.
   */
  env_file?: EnvFiles
  /**
   * Merged over the file's defaults in this environment.
   */
  defaults?: App
  /**
   * Merged over the file's apps in this environment. null removes an app; a new name adds one.
   */
  apps?: {
    [k: string]: App
  } | null
} | null

/**
 * An ecosystem file: the applications of one project, and how they differ between environments.
 */
export interface Ecosystem {
  /**
   * Where an editor finds this schema. Ignored by eco.
   */
  $schema?: string
  /**
   * Name of the project. Project and environment together are the scope that an apply owns: nothing outside it is ever touched.
   */
  project?: Name
  /**
   * dotenv files read for every app, before the app's own env_file and env.
   */
  env_file?: EnvFiles
  /**
   * Settings merged under every app: an app's own value wins, maps are merged key by key. What an app of its kind cannot have (listen or ready of a job, schedule of a service) is not taken from here.
   */
  defaults?: App
  /**
   * The applications, by name.
   */
  apps?: {
    [k: string]: App
  }
  /**
   * Named overlays, chosen with --env. Maps are merged key by key, everything else is replaced, null removes.
   */
  environments?: {
    [k: string]: Environment
  }
}
