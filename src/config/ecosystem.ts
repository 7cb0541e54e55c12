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
   * How many copies run: a number, "max" for one per CPU (cgroup limits respected), or a share of the CPUs such as "50%". 0 keeps the app known but stopped.
   */
  instances?: number | string | null
  /**
   * Ports or unix socket paths that eco binds once and hands to every instance: several copies share one port, and the port never closes while the app is replaced. Node apps need no change; others get systemd's LISTEN_FDS. A port, "host:port", or a path.
   */
  listen?: number | string | (number | string)[] | null
  /**
   * Environment variables. A value is a string, number or boolean; a reference { from_env | from_file | from_command } or { value, secret: true } is a secret and never shown. null removes a variable.
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
   * When an instance counts as ready: exactly one of signal, http, tcp, log, exec, delay. Without it an app with listen is ready when its own process accepts on the first address, any other when its start-up has settled (alive and idle, or alive for 3s).
   */
  ready?:
    | {
        /**
         * The app says so: process.send('ready') in Node.js, or the line ready written to the file descriptor in ECO_READY_FD.
         */
        signal?: boolean | null
        /**
         * A GET answered with an accepted status by the instance's own process tree: a path on the first listen port, ":port/path" or a http:// URL.
         */
        http?: string | null
        /**
         * Statuses that http accepts: a code, or a range "200-399".
         */
        status?: (number | string)[] | null
        /**
         * A connection accepted by the instance's own process tree: a port or "host:port".
         */
        tcp?: number | string | null
        /**
         * A line on stdout or stderr that matches: /regex/flags, or a text it contains.
         */
        log?: string | null
        /**
         * A command that exits with 0, run in the app's cwd with its environment.
         */
        exec?: string[] | null
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
      }
    | string
    | null
  /**
   * How an instance is asked to end. The whole process group gets the signal, and SIGKILL when the timeout is over.
   */
  stop?: {
    /**
     * The signal that asks the app to end.
     */
    signal?: 'SIGTERM' | 'SIGINT' | 'SIGQUIT' | 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2' | 'SIGKILL' | null
    /**
     * How long it may take before SIGKILL.
     */
    timeout?: Duration
  } | null
  /**
   * What happens when an instance ends by itself.
   */
  restart?: {
    /**
     * always, on_failure (anything but exit code 0) or never. The default of a job or cron app is never.
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
     * The pause before a restart. The first crash after a stable run restarts at once.
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
    } | null
  } | null
  /**
   * How a changed app is replaced: each instance's successor must be ready before the old one is stopped.
   */
  rollout?: {
    /**
     * Two copies cannot run at the same time, so the old one is stopped first. The default is true for an app whose ready check names a port that is not under listen: it binds that port itself.
     */
    exclusive?: boolean | null
  } | null
  /**
   * Apps that must be started, ready or completed first. A list means ready, or completed for a job.
   */
  depends_on?:
    | {
        [k: string]: 'started' | 'ready' | 'completed' | null
      }
    | string[]
    | null
  /**
   * When a cron app runs: five cron fields (minute hour day month weekday), or six with seconds first.
   */
  schedule?: string | null
  /**
   * The IANA time zone of schedule.
   */
  timezone?: string | null
} | null
/**
 * A list of strings.
 */
export type Argv = string[] | null
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
 * A length of time with its unit: 150ms, 10s, 5m, 1h, 7d.
 */
export type Duration = string | null
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
   * Settings merged under every app: an app's own value wins, maps are merged key by key. What an app of its kind cannot have (instances, listen, ready of a job or cron app) is not taken from here.
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
